package collection

import (
	"fmt"
	"strings"
	"testing"
)

// TestCounted: which counted properties there are is known after each change, of another program
// too, and after the end by whatever means; objects that can't be read have theirs.
func TestCounted(t *testing.T) {
	f := newFixture(t, func(f *fixture) {
		f.opt.Index = func(k Kind, data []byte) (Facts, error) {
			facts, err := index(k, data)
			if err != nil {
				facts.Props = []string{Counted + "bad"}
			}
			return facts, err
		}
	})
	expect := func(what, want string) {
		t.Helper()
		for _, again := range []func(){func() {}, f.reopen, f.crash} {
			again()
			props, err := f.cal.Counted()
			f.ok(err)
			f.want(what, strings.Join(props, " "), want)
			for _, p := range append(props, "#none", "x") {
				has, err := f.cal.Has(p)
				f.want(what+": "+p, fmt.Sprint(has, err), fmt.Sprint(strings.Contains(want, p), error(nil)))
			}
		}
	}
	expect("nothing", "")
	f.put("a.ics", "UID:a\nPROP:#1\nPROP:#2\nPROP:other\nPROP:#2")
	f.put("b.ics", "UID:b\nPROP:#2")
	f.put("c.ics", "UID:c")
	expect("put", "#1 #2")
	f.put("a.ics", "UID:a\nPROP:#3")
	expect("put again", "#2 #3")
	f.foreign("b.ics", "UID:b\nPROP:#4")
	f.foreign("d.ics", "UID:d\nPROP:#5")
	f.later()
	expect("of another program", "#3 #4 #5")
	f.foreign("b.ics", "BAD")
	f.later()
	expect("half written", "#3 #5 #bad")
	f.foreign("b.ics", "UID:b")
	f.later()
	f.ok(f.cal.Remove("d.ics", Condition{}))
	expect("removed", "#3")
	other, err := f.home.Create("other", Calendar, Props{})
	f.ok(err)
	_, _, err = f.cal.Move("a.ics", MoveOptions{To: other, Href: "a.ics"})
	f.ok(err)
	expect("moved away", "")
	has, err := f.collection("other").Has("#3")
	f.want("moved", fmt.Sprint(has, err), "true <nil>")
	_, token := f.changes("")
	f.opt.IndexVersion = 2
	f.opt.Index = func(k Kind, data []byte) (Facts, error) {
		facts, err := index(k, data)
		facts.Props = append(facts.Props, Counted+facts.UID)
		return facts, err
	}
	f.reopen()
	expect("of another index", "#b #c")
	got, _ := f.changes(token)
	f.want("nothing changed", got, "")
	f.ok(f.store.Close())
	_, err = f.cal.Has("#b")
	f.want("closed", err != nil, "true")
	f.open()
}
