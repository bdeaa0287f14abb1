package deliver

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// What a script is told of somebody is what the mailbox had of them, and what its address
// books say; and of the calendars, what is asked for.
func TestContactsAndCalendars(t *testing.T) {
	w := knowing(t)
	o := w.Deliverer.opts
	var broken error
	o.Contacts = func(box, who address.Address) (string, bool, error) {
		if broken == nil && box.Local == "alice" && who.Local == "z" {
			return "Zoé", true, nil
		}
		return "", false, broken
	}
	from := time.Date(2026, 6, 15, 10, 0, 0, 0, time.UTC)
	o.Busy = func(box address.Address, start, end time.Time, except string) ([]hook.Busy, error) {
		if box.Local != "alice" || except != "u1" || !start.Equal(from) {
			return nil, nil
		}
		return []hook.Busy{{Start: start, End: end, Kind: hook.Taken}}, broken
	}
	w.Deliverer = New(o, w.settings)
	var told []string
	ask := asking{ask: func(b hook.Box) {
		c := b.Contact(addr("z@example.com"))
		busy, err := b.Busy(from, from.Add(time.Hour), "u1")
		told = append(told, fmt.Sprintln(c.Name, !c.Received.IsZero(), len(busy), err))
	}}
	w.hooks = map[string][]hook.Hook{"alice@example.org": {{Program: ask}}, "bob@example.org": {{Program: ask}}}
	for _, to := range []string{"alice", "alice", "bob"} {
		taken(t, w.send(mail{text: "one", to: []string{to + "@example.org"}}))
	}
	broken = errors.New("no disk")
	taken(t, w.send(mail{text: "one", to: []string{"alice@example.org"}}))
	want := []string{"Zoé false 1 <nil>\n", "Zoé true 1 <nil>\n", " false 0 <nil>\n", " true 1 no disk\n"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", told, want)
	}
	if !w.logged("deliver.contacts") {
		t.Error("an address book that can't be read is not in the log")
	}
}
