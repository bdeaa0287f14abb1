package trial

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
)

// fields reads a table of a test by its keys. The first thing that is wrong is
// kept, and a key that nothing asked for is wrong, too.
type fields struct {
	what     string // the function that got the table
	values   map[string]any
	asked    map[string]bool
	location *time.Location
	err      error
}

func newFields(what string, values map[string]any, location *time.Location) *fields {
	return &fields{what: what, values: values, asked: make(map[string]bool), location: location}
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(f.what+": "+format, args...)
	}
}

func (f *fields) get(key string) (any, bool) {
	f.asked[key] = true
	v, ok := f.values[key]
	return v, ok && v != nil
}

// done returns what was wrong.
func (f *fields) done() error {
	for _, key := range slices.Sorted(maps.Keys(f.values)) {
		if !f.asked[key] {
			f.fail("there is no %q; there are %s", key, strings.Join(slices.Sorted(maps.Keys(f.asked)), " "))
		}
	}
	return f.err
}

func field[T any](f *fields, key, want string, def T) T {
	v, ok := f.get(key)
	if !ok {
		return def
	}
	t, ok := v.(T)
	if !ok {
		f.fail("%s must be %s", key, want)
		return def
	}
	return t
}

func (f *fields) text(key, def string) string     { return field(f, key, "a text", def) }
func (f *fields) number(key string) float64       { return field(f, key, "a number", 0.0) }
func (f *fields) truth(key string) bool           { return field(f, key, "true or false", false) }
func (f *fields) table(key string) map[string]any { return asTable(f, key) }

// asTable returns a table; an array is one with the keys "1" and so on.
func asTable(f *fields, key string) map[string]any {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		return v
	case []any:
		m := make(map[string]any, len(v))
		for i, item := range v {
			m[fmt.Sprint(i+1)] = item
		}
		return m
	}
	f.fail("%s must be a table", key)
	return nil
}

// texts returns an array of texts; one text is an array of one.
func (f *fields) texts(key string) []string {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	list, ok := textsOf(v)
	if !ok {
		f.fail("%s must be a text or an array of texts", key)
	}
	return list
}

func textsOf(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []string:
		return v, true
	case map[string]any:
		return nil, len(v) == 0
	case []any:
		var list []string
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

func (f *fields) address(key string, def address.Address) address.Address {
	text := f.text(key, "")
	if text == "" {
		return def
	}
	a, err := address.Parse(text)
	if err != nil {
		f.fail("%s: %v", key, err)
	}
	return a
}

func (f *fields) addresses(key string) []address.Address {
	var list []address.Address
	for _, text := range f.texts(key) {
		a, err := address.Parse(text)
		if err != nil {
			f.fail("%s: %v", key, err)
		}
		list = append(list, a)
	}
	return list
}

func (f *fields) ip(key string, def netip.Addr) netip.Addr {
	text := f.text(key, "")
	if text == "" {
		return def
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		f.fail("%s: %q is no IP address", key, text)
	}
	return ip
}

// time reads a time: a text as clock has it, or seconds since 1970.
func (f *fields) time(key string, def time.Time) time.Time {
	v, ok := f.get(key)
	if !ok {
		return def
	}
	t, err := timeOf(v, f.location)
	if err != nil {
		f.fail("%s: %v", key, err)
	}
	return t
}

// ParseTime reads a date, with or without a time of day, at a location.
func ParseTime(text string, location *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", time.DateTime, time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf(`%q is no time: write "2026-12-24 08:00"`, text)
}

func timeOf(v any, location *time.Location) (time.Time, error) {
	switch v := v.(type) {
	case float64:
		return time.Unix(int64(v), 0), nil
	case string:
		return ParseTime(v, location)
	}
	return time.Time{}, fmt.Errorf("a time is a text or a number")
}
