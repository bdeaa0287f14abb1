package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/fault"
)

func TestWatches(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "one\r\n")
	if f.inbox.Recent() != 1 {
		t.Error("recent from", f.inbox.Recent())
	}
	v := f.view(f.inbox)
	w := f.view(f.inbox)
	if v.recent != 1 || w.recent != 2 {
		t.Error("the first message is recent for more or less than one session")
	}
	uid := f.add(f.inbox, "two\r\n", `\Flagged`)
	<-v.C
	<-w.C
	if a, b := f.inbox.ClaimRecent(), f.inbox.ClaimRecent(); a != uid || b != uid+1 {
		t.Error("recent from", a, "then", b)
	}
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1, uid}, Op: AddFlags, Flags: []string{`\Seen`}})
	f.ok(err)
	_, err = f.inbox.Expunge([]UID{1})
	f.ok(err)
	f.want("to another", f.next(w), `-1 +2[\Flagged \Seen]`)
	w.Close()
	w.Close()
	f.add(f.inbox, "three\r\n")
	f.want("after Close", f.next(v), `-1 +2[\Flagged \Seen] +3[recent]`)
	st, err := f.inbox.Status()
	f.ok(err)
	if st.Recent != 0 {
		t.Error("recent for the next session too")
	}
	f.reopen()
	if f.inbox.Recent() != 4 {
		t.Error("recent from", f.inbox.Recent(), "after a clean stop")
	}
}

// A message moves from new to cur when it gets a flag.
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
	v := f.view(f.inbox)
	f.want("selected", where(), "new/1 cur/2:2,F")
	v.Close()
	_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: AddFlags, Flags: []string{`\Answered`}})
	f.ok(err)
	f.want("flagged", where(), "cur/1:2,R cur/2:2,F")
}

func TestSetFlags(t *testing.T) {
	f := newFixture(t, nil)
	f.add(f.inbox, "x\r\n", `\Seen`, "$Work")
	f.inbox.ClaimRecent()
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
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1, 7}, Op: c.op, Flags: c.flags})
		f.ok(err)
		if got := f.messages(f.inbox)[0]; fmt.Sprint(got.UID)+flagsText(got) != c.want {
			t.Errorf("%v %v: %v; want %s", c.op, c.flags, got, c.want)
		}
	}
	for _, bad := range []string{`\Foo`, "", "a b", "a]", "é", "a(", "x\n", strings.Repeat("x", 101)} {
		_, err := f.inbox.SetFlags(StoreOptions{UIDs: []UID{1}, Op: AddFlags, Flags: []string{bad}})
		f.wantFault(bad, err, fault.NotPossible)
	}
	f.reopen()
	f.want("kept", f.show(f.inbox), "1:x")
}

func TestExpunge(t *testing.T) {
	f := newFixture(t, nil)
	var all []UID
	for i := range 300 { // more than a chunk
		all = append(all, f.add(f.inbox, fmt.Sprintf("%d\r\n", i)))
	}
	v := f.view(f.inbox)
	gone, err := f.inbox.Expunge(append(all[10:290], 5000, 11, 11))
	f.ok(err)
	if len(gone) != 280 || gone[0] != 11 || gone[279] != 290 {
		t.Error(gone)
	}
	if gone := strings.Fields(f.next(v)); len(gone) != 280 || gone[0] != "-11" || gone[279] != "-290" {
		t.Error(gone)
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
		if len(f.store.loaded.All()) != 0 {
			t.Error("a list that nobody uses is kept")
		}
	})
}

// Indexes that nobody uses are let go soon when there are many.
func TestCrowded(t *testing.T) {
	if unusedAfter(maxLoaded) != idleAfter || unusedAfter(maxLoaded+1) != crowdedAfter {
		t.Error(unusedAfter(maxLoaded), unusedAfter(maxLoaded+1))
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		v := f.view(f.inbox)
		defer v.Close()
		sent, err := f.home.Mailbox("Sent")
		f.ok(err)
		_, err = sent.Snapshot()
		f.ok(err)
		time.Sleep(2 * crowdedAfter)
		synctest.Wait()
		if n := len(f.store.loaded.All()); n != 2 {
			t.Fatal(n)
		}
		f.store.lookAfter(f.store.loaded.All(), unusedAfter(maxLoaded+1))
		if n := len(f.store.loaded.All()); n != 1 {
			t.Error(n, "are left: one is watched")
		}
	})
}
