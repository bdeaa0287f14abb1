package itip

import (
	"strings"
	"time"

	"facteur/server/ical"
)

// described makes the component of an instance of what describes it beside an exception of its own:
// the one for it and all later instances (RFC 5545 3.2.13), else that of all. nil: there is none.
func (o *object) described(at ical.Prop) *ical.Component {
	if at.Value == "" {
		return nil
	}
	master, whole := o.master()
	r, ranged := o.rangeOf(at)
	if !ranged {
		if !whole {
			return nil
		}
		return o.derive(master.Component, at)
	}
	id, _ := r.Prop("RECURRENCE-ID")
	if whole {
		at, id = o.asStart(master.Component, at), o.asStart(master.Component, id)
	}
	start, _ := r.Prop("DTSTART")
	moved := shifted(at, id.Value, start)
	if moved.Value == "" {
		moved = at
	}
	c := o.derive(r.Component, moved)
	at.Name, at.Params = "RECURRENCE-ID", paramsOf(at.Params, "TZID", "VALUE")
	setProp(c, at)
	return c
}

// rangeOf returns the exception for an instance and all later ones, the last such.
func (o *object) rangeOf(at ical.Prop) (found part, ok bool) {
	if !o.ranges() {
		return part{}, false
	}
	v, err := ical.ParseValue(at, o.zones)
	if err != nil {
		return part{}, false
	}
	var last time.Time
	for _, p := range o.ranged {
		id, _ := p.Prop("RECURRENCE-ID")
		from, err := ical.ParseValue(id, o.zones)
		if err != nil {
			continue
		}
		if t := from.Time(o.floating); !t.After(v.Time(o.floating)) && (!ok || t.After(last)) {
			found, last, ok = p, t, true
		}
	}
	return found, ok
}

// ranges says whether an exception holds for later instances, too.
func (o *object) ranges() bool {
	if !o.readRanges {
		o.readRanges = true
		for _, p := range o.parts {
			if at, _ := p.Prop("RECURRENCE-ID"); len(o.ranged) < maxRanges && strings.EqualFold(at.Param("RANGE"), "THISANDFUTURE") {
				o.ranged = append(o.ranged, p)
			}
		}
	}
	return len(o.ranged) > 0
}

// maxRanges bounds such exceptions, as ical does.
const maxRanges = 100

// shifted is a time as much later as one is than another, by what clocks show, in the form of
// the latter. A zero one: they are of different kinds.
func shifted(at ical.Prop, from string, to ical.Prop) ical.Prop {
	a, ok1 := wallIn(at.Value)
	f, ok2 := wallIn(from)
	t, ok3 := wallIn(to.Value)
	if !ok1 || !ok2 || !ok3 || len(strings.TrimSuffix(at.Value, "Z")) != len(strings.TrimSuffix(to.Value, "Z")) {
		return ical.Prop{}
	}
	form := utcForm[:len(strings.TrimSuffix(to.Value, "Z"))]
	out := ical.Prop{Name: at.Name, Value: a.Add(t.Sub(f)).Format(form), Params: paramsOf(to.Params, "TZID", "VALUE")}
	if strings.HasSuffix(to.Value, "Z") {
		out.Value += "Z"
	}
	return out
}

// occurring finds which of some times are those of instances, as RECURRENCE-ID names them.
func (o *object) occurring(times []ical.Prop) func(ical.Prop) bool {
	master, whole := o.master()
	var first, last time.Time
	for _, at := range times {
		v, err := ical.ParseValue(at, o.zones)
		if err != nil {
			continue
		}
		t := v.Time(o.floating)
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if last.IsZero() || t.After(last) {
			last = t
		}
	}
	none := func(ical.Prop) bool { return false }
	if !whole || first.IsZero() {
		return none
	}
	series, err := ical.NewObject(o.cal)
	if err != nil {
		return none
	}
	// An instance that RANGE=THISANDFUTURE moved is not at its own time.
	list, _, err := series.Instances(first.Add(-maxMoved), last.Add(maxMoved), o.floating, 0)
	if err != nil {
		return none
	}
	found := make(map[string]bool)
	for _, i := range list {
		found[pointOf(i.ID)] = true
	}
	return func(at ical.Prop) bool { return at.Value != "" && found[o.point(o.asStart(master.Component, at))] }
}

// maxMoved is how far from its own time an instance is looked for.
const maxMoved = 7 * 24 * time.Hour
