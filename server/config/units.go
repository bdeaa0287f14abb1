package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"facteur/server/directory"
)

// sizes has the octets of each unit, in lower case.
var sizes = map[string]float64{
	"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// durations has the length of each unit, in the singular.
var durations = map[string]time.Duration{
	"ms": time.Millisecond, "millisecond": time.Millisecond,
	"s": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": day, "day": day,
	"w": 7 * day, "week": 7 * day,
	"year": 365 * day,
}

const (
	sizeHint     = `write "25 MB" or "1.5 GiB"`
	durationHint = `write "90s" or "14 days"`
	maxSize      = 1e15 // octets
	maxDuration  = 100 * 365 * day
	day          = 24 * time.Hour
)

// ParseSize reads "25 MB" or "1.5 GiB" into octets.
func ParseSize(s string) (int64, error) {
	number, unit, ok := quantity(s)
	factor, known := sizes[strings.ToLower(unit)]
	if !ok || !known {
		return 0, hinted{fmt.Sprintf("%q is no size", s), sizeHint}
	}
	size := math.Round(number * factor)
	if size > maxSize {
		return 0, hinted{fmt.Sprintf("%q is too large", s), sizeHint}
	}
	return int64(size), nil
}

// ParseDuration reads "90s" or "14 days".
func ParseDuration(s string) (time.Duration, error) {
	number, unit, ok := quantity(s)
	factor, known := durations[unit]
	if !known && len(unit) > 3 {
		factor, known = durations[strings.TrimSuffix(unit, "s")]
	}
	if !ok || !known {
		return 0, hinted{fmt.Sprintf("%q is no duration", s), durationHint}
	}
	if number*float64(factor) > float64(maxDuration) {
		return 0, hinted{fmt.Sprintf("%q is too long", s), durationHint}
	}
	return time.Duration(math.Round(number * float64(factor))), nil
}

// quantity splits a decimal number from its unit.
func quantity(s string) (number float64, unit string, ok bool) {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	number, err := strconv.ParseFloat(s[:i], 64)
	return number, strings.TrimSpace(s[i:]), err == nil && len(s) <= maxText
}

func sizeBetween(least, most int64) *form {
	return texts(`a size in quotes such as "25 MB"`, func(s, _ string) (any, error) {
		n, err := ParseSize(s)
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("this must be between %s and %s", formatSize(least), formatSize(most))
		}
		return n, err
	})
}

// unlimited is the quota of who may keep as much as there is room for.
const unlimited = "unlimited"

var quotaForm = texts(`a size in quotes such as "5 GB", or "unlimited"`, func(s, _ string) (any, error) {
	if s == unlimited {
		return int64(directory.Unlimited), nil
	}
	n, err := ParseSize(s)
	if err == nil && n == 0 {
		err = hinted{"a quota of nothing keeps no mail", `write a size such as "5 GB", or "unlimited"`}
	}
	return n, err
})

var durationForm = texts(`a duration in quotes such as "90s" or "14 days"`, func(s, _ string) (any, error) {
	d, err := ParseDuration(s)
	if err == nil && d <= 0 {
		err = hinted{"this must be longer than nothing", durationHint}
	}
	return d, err
})

// never is the retention of what is kept for ever.
const never = "never"

// retentionFrom makes a form of how long something is kept: the least, or more,
// or for ever.
func retentionFrom(least time.Duration) *form {
	return texts(`a duration in quotes such as "30 days", or "never"`, func(s, _ string) (any, error) {
		if s == never {
			return Never, nil
		}
		const hint = `write "30 days", or "never" to keep it for ever`
		d, err := ParseDuration(s)
		switch {
		case err != nil:
			return nil, hinted{err.Error(), hint}
		case d < least:
			return nil, hinted{"this must be a day at least", hint}
		}
		return d, nil
	})
}

// formatSize writes a size in the largest unit that gives a whole number.
func formatSize(n int64) string {
	for _, u := range []struct {
		unit string
		size int64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%d B", n)
}
