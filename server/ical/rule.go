package ical

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/contentline"
)

// Frequency is the part FREQ of a rule.
type Frequency int

// The frequencies of RFC 5545 3.3.10.
const (
	Secondly Frequency = iota
	Minutely
	Hourly
	Daily
	Weekly
	Monthly
	Yearly
)

// Frequencies are their names, in the order of the constants.
func frequencies() []string {
	return []string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
}

// Rule is a recurrence rule (RFC 5545 3.3.10). Lists are sorted and have each value once.
type Rule struct {
	Frequency  Frequency
	Interval   int // at least 1
	Count      int // 0: no bound by number
	Until      *Value
	BySecond   []int
	ByMinute   []int
	ByHour     []int
	ByDay      []Day
	ByMonthDay []int
	ByYearDay  []int
	ByWeekNo   []int
	ByMonth    []int
	BySetPos   []int
	WeekStart  time.Weekday
}

// Day is one of BYDAY: MO, or with a number 2MO or -1MO.
type Day struct {
	N       int // 0: each
	Weekday time.Weekday
}

// ErrRScale is that of a rule in a calendar that is not known, to answer with the
// precondition supported-rscale (RFC 7529 7).
var ErrRScale = errors.New("only RSCALE=GREGORIAN without SKIP is known")

// maxRule bounds the text of a rule, in octets.
const maxRule = 8 << 10

// ParseRule reads a rule. Names and values may be in lower case; parts with names that
// RFC 5545 does not know are refused, as that RFC has it.
func ParseRule(s string) (*Rule, error) {
	if len(s) > maxRule {
		return nil, fmt.Errorf("the rule has more than %d octets", maxRule)
	}
	r := &Rule{Frequency: -1, Interval: 1, WeekStart: time.Monday}
	var seen []string
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(s)), ";") {
		if part == "" {
			continue // a semicolon at the end is common
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no equals sign", contentline.Clip(part))
		}
		if slices.Contains(seen, name) {
			return nil, fmt.Errorf("%s stands twice", contentline.Clip(name))
		}
		seen = append(seen, name)
		if err := r.part(name, value); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Frequency < 0:
		return nil, errors.New("the rule has no FREQ")
	case r.Count > 0 && r.Until != nil:
		return nil, errors.New("the rule has COUNT and UNTIL")
	}
	return r, nil
}

// part reads one part.
func (r *Rule) part(name, value string) error {
	lists := map[string]struct {
		to       *[]int
		low, top int
		negative bool
	}{
		"BYSECOND":   {&r.BySecond, 0, 60, false},
		"BYMINUTE":   {&r.ByMinute, 0, 59, false},
		"BYHOUR":     {&r.ByHour, 0, 23, false},
		"BYMONTHDAY": {&r.ByMonthDay, 1, 31, true},
		"BYYEARDAY":  {&r.ByYearDay, 1, 366, true},
		"BYWEEKNO":   {&r.ByWeekNo, 1, 53, true},
		"BYMONTH":    {&r.ByMonth, 1, 12, false},
		"BYSETPOS":   {&r.BySetPos, 1, 366, true},
	}
	if l, ok := lists[name]; ok {
		var err error
		*l.to, err = parseList(name, value, l.low, l.top, l.negative)
		return err
	}
	var err error
	switch name {
	case "FREQ":
		if r.Frequency = Frequency(slices.Index(frequencies(), value)); r.Frequency < 0 {
			return fmt.Errorf("there is no FREQ=%s", contentline.Clip(value))
		}
	case "INTERVAL":
		r.Interval, err = parseNumber(name, value)
	case "COUNT":
		r.Count, err = parseNumber(name, value)
	case "UNTIL":
		until, bad := ParseValue(Prop{Value: value}, nil)
		r.Until, err = &until, bad
	case "WKST":
		d, bad := parseDay(value)
		if r.WeekStart, err = d.Weekday, bad; bad == nil && d.N != 0 {
			err = fmt.Errorf("there is no day WKST=%s", contentline.Clip(value))
		}
	case "BYDAY":
		err = r.parseByDay(value)
	case "RSCALE":
		if value != "GREGORIAN" {
			return ErrRScale
		}
	case "SKIP":
		if value != "OMIT" { // RFC 7529 4.1: which is what RFC 5545 does
			return ErrRScale
		}
	default:
		return fmt.Errorf("a rule has no part %s", contentline.Clip(name))
	}
	return err
}

// maxNumber bounds INTERVAL and COUNT.
const maxNumber = 1<<31 - 1

func parseNumber(name, value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s=%s is no number from 1 to %d", name, contentline.Clip(value), maxNumber)
	}
	return int(n), nil
}

// parseList reads a list of numbers.
func parseList(name, value string, low, top int, negative bool) ([]int, error) {
	var list []int
	for s := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(s)
		size := max(n, -n)
		if err != nil || size < low || size > top || n < 0 && !negative {
			return nil, fmt.Errorf("%s=%s is out of its bounds", name, contentline.Clip(s))
		}
		if name == "BYSECOND" {
			n = min(n, 59) // RFC 5545 3.3.12: who knows no leap seconds takes the one before
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

const weekdayNames = "SUMOTUWETHFRSA"

func parseDay(s string) (Day, error) {
	if len(s) >= 2 {
		name, number := s[len(s)-2:], s[:len(s)-2]
		if i := strings.Index(weekdayNames, name); i >= 0 && i%2 == 0 {
			n, err := strconv.Atoi(number)
			if number == "" || err == nil && n != 0 && n >= -53 && n <= 53 {
				return Day{n, time.Weekday(i / 2)}, nil
			}
		}
	}
	return Day{}, fmt.Errorf("there is no day %q", contentline.Clip(s))
}

func (r *Rule) parseByDay(value string) error {
	for s := range strings.SplitSeq(value, ",") {
		d, err := parseDay(s)
		if err != nil {
			return err
		}
		if !slices.Contains(r.ByDay, d) {
			r.ByDay = append(r.ByDay, d)
		}
	}
	return nil
}

// String writes the rule.
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString("FREQ=" + frequencies()[r.Frequency])
	if r.Until != nil {
		b.WriteString(";UNTIL=" + r.Until.String())
	}
	if r.Count > 0 {
		fmt.Fprintf(&b, ";COUNT=%d", r.Count)
	}
	if r.Interval > 1 {
		fmt.Fprintf(&b, ";INTERVAL=%d", r.Interval)
	}
	list := func(name string, values []int) {
		for i, v := range values {
			if i == 0 {
				b.WriteString(";" + name + "=")
			} else {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Itoa(v))
		}
	}
	list("BYSECOND", r.BySecond)
	list("BYMINUTE", r.ByMinute)
	list("BYHOUR", r.ByHour)
	for i, d := range r.ByDay {
		b.WriteString([]string{";BYDAY=", ","}[min(i, 1)])
		if d.N != 0 {
			b.WriteString(strconv.Itoa(d.N))
		}
		b.WriteString(weekdayNames[2*d.Weekday : 2*d.Weekday+2])
	}
	list("BYMONTHDAY", r.ByMonthDay)
	list("BYYEARDAY", r.ByYearDay)
	list("BYWEEKNO", r.ByWeekNo)
	list("BYMONTH", r.ByMonth)
	list("BYSETPOS", r.BySetPos)
	if r.WeekStart != time.Monday {
		b.WriteString(";WKST=" + weekdayNames[2*r.WeekStart:2*r.WeekStart+2])
	}
	return b.String()
}
