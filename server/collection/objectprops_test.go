package collection

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"facteur/server/fault"
)

func TestObjectProps(t *testing.T) {
	f := newFixture(t)
	_, err := f.home.Create("work", Calendar, Props{})
	f.ok(err)
	f.put("a.ics", "UID:a")
	set := func(c *Collection, href, key, value string) error {
		return c.SetObjectProps(href, func(p map[string]string) error {
			if value == "" {
				delete(p, key)
			} else {
				p[key] = value
			}
			return nil
		})
	}
	props := func(c *Collection, href string) string {
		p, err := c.ObjectProps(href)
		f.ok(err)
		return fmt.Sprint(p)
	}
	_, token := f.changes("")
	f.ok(set(f.cal, "a.ics", "{x}y", "1"))
	f.ok(set(f.cal, "a.ics", "{x}z", "2"))
	f.isFault("of nothing", set(f.cal, "b.ics", "x", "1"), fault.NotFound)
	f.isFault("too many", set(f.cal, "a.ics", "x", strings.Repeat("x", maxObjectProps)), fault.TooLarge)
	f.want("set", props(f.cal, "a.ics"), "map[{x}y:1 {x}z:2]")
	f.put("a.ics", "UID:a\nPROP:new")
	got, _ := f.changes(token)
	f.want("the put is all that changed", got, "+a.ics")
	f.reopen()
	work := f.collection("work")
	f.want("after a put and a restart", props(f.cal, "a.ics"), "map[{x}y:1 {x}z:2]")

	_, _, err = f.cal.Copy("a.ics", MoveOptions{To: work, Href: "b"})
	f.ok(err)
	f.want("of a copy", props(work, "b"), "map[{x}y:1 {x}z:2]")
	f.ok(set(work, "b", "{x}y", "3"))
	_, _, err = work.Move("b", MoveOptions{To: f.cal, Href: "a.ics", Overwrite: true})
	f.ok(err)
	f.want("moved over", props(f.cal, "a.ics"), "map[{x}y:3 {x}z:2]")
	f.want("left behind", props(work, "b"), "map[]")
	f.ok(f.cal.Remove("a.ics", Condition{}))
	f.put("a.ics", "UID:a")
	f.want("of the next one", props(f.cal, "a.ics"), "map[]")

	// What another program removes leaves nothing to the next.
	f.ok(set(f.cal, "a.ics", "{x}y", "4"))
	f.ok(os.Remove(f.cal.path("a.ics")))
	f.put("a.ics", "UID:a")
	f.want("after a foreign removal", props(f.cal, "a.ics"), "map[]")
	f.ok(set(f.cal, "a.ics", "{x}y", "5"))
	f.ok(f.store.Close())
	f.ok(os.Remove(f.cal.path("a.ics")))
	f.open()
	f.want("gone", f.list(f.cal), "")
	left, err := filepath.Glob(f.cal.path(".p~*"))
	f.want("swept", fmt.Sprint(len(left), err), "0 <nil>")
	f.put("a.ics", "UID:a")
	f.ok(set(f.cal, "a.ics", "{x}y", "6"))
	f.ok(set(f.cal, "a.ics", "{x}y", ""))
	left, err = filepath.Glob(f.cal.path(".p~*"))
	f.want("none is no file", fmt.Sprint(len(left), err), "0 <nil>")
}

// Nobody sees a collection before it is compared with the files.
func TestReadWhileLoading(t *testing.T) {
	f := newFixture(t)
	for i := range 1500 {
		f.ok(os.WriteFile(f.cal.path(fmt.Sprintf("%d.ics", i)), fmt.Appendf(nil, "UID:%d", i), 0o600))
	}
	for range 5 {
		f.ok(f.store.Close())
		f.ok(os.RemoveAll(filepath.Join(f.home.dir, "index")))
		f.open()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s, err := f.cal.Snapshot()
				if err != nil || s.Len() != 1500 {
					t.Errorf("%d objects, %v", s.Len(), err)
				}
				if all, err := f.cal.ByUID("7"); err != nil || len(all) != 1 {
					t.Errorf("by UID: %v, %v", all, err)
				}
				if _, _, err := f.cal.Put(fmt.Sprintf("new-%d.ics", i), []byte("UID:7"), Condition{}); err == nil {
					t.Error("a UID was given twice")
				}
				if u, err := f.home.Usage(); err != nil || u.Objects != 1500 {
					t.Errorf("usage %v, %v", u, err)
				}
			})
		}
		wg.Wait()
	}
}

func TestLargeObject(t *testing.T) {
	f := newFixture(t)
	data := "UID:a\n" + strings.Repeat("x", 10<<20)
	f.put("a.ics", data)
	f.reopen()
	if f.text(f.cal, "a.ics") != data {
		t.Error("it is another")
	}
}
