package trial

import (
	"fmt"
	"strconv"
	"strings"

	"facteur/server/contentline"
	"facteur/server/hook"
	"facteur/server/ical"
)

// busyOf reads what is taken of a mailbox's time, as a test has it.
func busyOf(f *fields) (list []hook.Busy) {
	table := f.table("busy")
	for i := 1; i <= len(table); i++ {
		values, ok := table[strconv.Itoa(i)].(map[string]any)
		if !ok {
			f.fail(`busy is an array of tables such as {starts = "2026-12-24 08:00", ends = "2026-12-24 09:00"}`)
			return nil
		}
		p := newFields("box: busy", values, f.location)
		b := hook.Busy{Start: p.time("starts", Morning), Kind: hook.BusyKind(p.text("kind", string(hook.Taken)))}
		b.End = p.time("ends", b.Start)
		switch b.Kind {
		case hook.Taken, hook.Tentative, hook.Unavailable:
		default:
			p.fail("kind is busy, tentative or unavailable")
		}
		if !b.End.After(b.Start) {
			p.fail("ends must be after starts")
		}
		if err := p.done(); err != nil {
			f.fail("%v", strings.TrimPrefix(err.Error(), "box: "))
			return nil
		}
		list = append(list, b)
	}
	return list
}

// ParseEvents reads what stands in a calendar: an .ics file with any number of objects.
func ParseEvents(name string, text []byte) ([]*ical.Object, error) {
	all, err := ical.ParseBytes(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var zones []*ical.Component
	var order []string
	byUID := make(map[string][]*ical.Component)
	for _, c := range all.Children {
		if c.Name == "VTIMEZONE" {
			zones = append(zones, c)
			continue
		}
		uid := c.Name + " " + contentline.Text(c.Value("UID"))
		if byUID[uid] == nil {
			order = append(order, uid)
		}
		byUID[uid] = append(byUID[uid], c)
	}
	var out []*ical.Object
	for _, uid := range order {
		one := &ical.Calendar{Component: ical.Component{Name: "VCALENDAR", Props: all.Props}}
		one.Children = append(append(one.Children, zones...), byUID[uid]...)
		o, err := ical.NewObject(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, o)
	}
	return out, nil
}
