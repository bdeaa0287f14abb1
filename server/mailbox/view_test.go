package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
)

func TestViews(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	look, err := f.inbox.Examine()
	f.ok(err)
	defer look.Close()
	v := f.view(f.inbox)
	w := f.view(f.inbox)
	for _, c := range []struct {
		what string
		v    *View
		want string
	}{{"read-only", look, "[recent]"}, {"the first", v, "[recent]"}, {"the second", w, ""}} {
		if got := c.v.Messages(); len(got) != 1 || flagText(got[0]) != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	uid := f.add(f.inbox, "two\r\n")
	for _, v := range []*View{look, v, w} {
		<-v.C
	}
	events := f.next(look) + " " + f.next(v) + " " + f.next(w)
	if strings.Count(events, "recent") != 1 || strings.Contains(strings.Fields(events)[0], "recent") {
		t.Error("recent for more or less than one session:", events)
	}
	_, err = f.inbox.SetFlags(v, []UID{1, uid}, AddFlags, []string{`\Seen`})
	f.ok(err)
	_, err = f.inbox.Expunge(v, []UID{1})
	f.ok(err)
	f.want("to another", f.next(w), `1[\Seen]* 2[\Seen]* -1*`)
	mine := v.Next()
	if len(mine) != 3 || mine[0].By != v {
		t.Errorf("%+v", mine)
	}
	w.Close()
	w.Close()
	f.add(f.inbox, "three\r\n")
	f.want("after Close", f.next(v), "+3[recent]")
	st, err := f.inbox.Status()
	f.ok(err)
	if st.Recent != 0 {
		t.Error("recent for the next session too")
	}
}

// Without a session that selected the mailbox, messages lie in new.
func TestNewAndCur(t *testing.T) {
	f := newFixture(t, nil)
	where := func() string {
		var out []string
		for _, name := range f.files(f.inbox) {
			sub, rest, _ := strings.Cut(name, "/")
			_, uid, _ := strings.Cut(rest, ",F=")
			_, uid, _ = strings.Cut(uid, ".")
			out = append(out, sub+"/"+uid)
		}
		return strings.Join(out, " ")
	}
	f.add(f.inbox, "one\r\n")
	f.add(f.inbox, "two\r\n", `\Flagged`)
	f.want("delivered", where(), "new/1 cur/2:2,F")
	look, err := f.inbox.Examine()
	f.ok(err)
	f.want("examined", where(), "new/1 cur/2:2,F")
	f.add(f.inbox, "three\r\n")
	look.Close()
	v := f.view(f.inbox)
	f.want("selected", where(), "cur/1:2, cur/2:2,F cur/3:2,")
	f.add(f.inbox, "four\r\n")
	f.want("delivered to a session", where(), "cur/1:2, cur/2:2,F cur/3:2, cur/4:2,")
	v.Close()
	f.add(f.inbox, "five\r\n")
	_, err = f.inbox.SetFlags(nil, []UID{5}, AddFlags, []string{`\Answered`})
	f.ok(err)
	f.want("flagged", where(), "cur/1:2, cur/2:2,F cur/3:2, cur/4:2, cur/5:2,R")
}

func TestSetFlags(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "x\r\n", `\Seen`, "$Work")
	for _, c := range []struct {
		op    FlagOp
		flags []string
		want  string
	}{
		{AddFlags, []string{`\flagged`, "$WORK"}, `1[$Work \Flagged \Seen]`},
		{RemoveFlags, []string{`\Seen`, "Unknown", `\Answered`}, `1[$Work \Flagged]`},
		{Set, []string{`\Deleted`, `\Draft`, "$Forwarded", "NonJunk", `\Recent`}, `1[$Forwarded NonJunk \Deleted \Draft]`},
		{Set, nil, `1`},
		{AddFlags, nil, `1`},
	} {
		got, err := f.inbox.SetFlags(nil, []UID{1, 7}, c.op, c.flags)
		if err != nil || len(got) != 1 || fmt.Sprint(got[0].UID)+flagText(got[0]) != c.want {
			t.Errorf("%v %v: %v, %v; want %s", c.op, c.flags, got, err, c.want)
		}
	}
	for _, bad := range []string{`\Foo`, "", "a b", "a]", "é", "a(", "x\n", strings.Repeat("x", 101)} {
		_, err := f.inbox.SetFlags(nil, []UID{1}, AddFlags, []string{bad})
		f.wantFault(bad, err, fault.NotPossible)
	}
	f.reopen()
	f.want("kept", f.show(f.inbox), "1:x")
}

func TestKeywordsUsedUp(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "x\r\n")
	for i := range maildir.NumKeywords {
		if _, err := f.inbox.SetFlags(nil, []UID{1}, AddFlags, []string{fmt.Sprint("k", i)}); err != nil {
			t.Fatal(i, err)
		}
	}
	words, more, err := f.inbox.Keywords()
	if len(words) != 26 || more || err != nil {
		t.Error(words, more, err)
	}
	_, err = f.inbox.SetFlags(nil, []UID{1}, AddFlags, []string{"k0", "further"})
	f.wantFault("the 27th", err, fault.NotPossible)
	_, err = f.inbox.Add(f.draft("y\r\n"), AddOptions{Flags: []string{"further"}})
	f.wantFault("the 27th", err, fault.NotPossible)
	if msgs := f.messages(f.inbox); len(msgs) != 1 || len(msgs[0].Flags) != 26 {
		t.Error(msgs)
	}
	// A copy leaves out what has no letter there.
	f.add(f.mailbox("Sent"), "z\r\n", "further", "k3", `\Seen`)
	_, err = f.mailbox("Sent").Copy(nil, []UID{1}, f.inbox)
	f.ok(err)
	if msgs := f.messages(f.inbox); flagText(msgs[1]) != `[\Seen k3]` {
		t.Error(msgs[1])
	}
}

func TestExpunge(t *testing.T) {
	f := newFixture(t, nil)
	var all []UID
	for i := range 300 { // more than a chunk
		all = append(all, f.add(f.inbox, fmt.Sprintf("%d\r\n", i)))
	}
	v := f.view(f.inbox)
	gone, err := f.inbox.Expunge(v, append(all[10:290], 5000, 11, 11))
	f.ok(err)
	if len(gone) != 280 || gone[0] != 11 || gone[279] != 290 {
		t.Error(gone)
	}
	if events := v.Next(); len(events) != 280 || events[0].UID != 11 || events[279].UID != 290 {
		t.Error(events)
	}
	if msgs := f.messages(f.inbox); len(msgs) != 20 || msgs[10].UID != 291 {
		t.Error(msgs)
	}
	u, err := f.home.Usage()
	f.ok(err)
	if u.Messages != 20 || u.Octets != 10*3+10*5 {
		t.Error(u)
	}
}

// While a view is open the store looks each second by itself.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		v := f.view(f.inbox)
		f.put(f.inbox, "new/1000000001.a.host", "one\r\n")
		f.later()
		begin := time.Now()
		<-v.C
		if waited := time.Since(begin); waited > 2*time.Second {
			t.Error("seen after", waited)
		}
		f.want("events", f.next(v), "+1[recent]")
		v.Close()
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		if len(f.store.lists()) != 0 {
			t.Error("a list that nobody uses is kept")
		}
	})
}
