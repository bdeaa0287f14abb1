package deliver

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/safefile"
)

// moment is what was acknowledged when so many operations had been done.
type moment struct {
	ops   int
	acked map[string][]string // by text: names of mailboxes, or remote addresses
}

// workload delivers a single message, one to a list, one that leaves, and one
// of which a mailbox has to be tried again, and notes what was acknowledged.
func workload(t *testing.T, dir string) (*safefile.Recorder, []moment) {
	recorder := safefile.NewRecorder(dir)
	// The disk is well but for one mailbox, for a while.
	disk := newDisk(recorder)
	w := newWorld(t, dir, disk)
	defer w.close()
	acked := make(map[string][]string)
	var moments []moment
	note := func(text string, who ...string) {
		if text != "" {
			acked[text] = who
		}
		now := make(map[string][]string)
		for k, v := range acked {
			now[k] = v
		}
		moments = append(moments, moment{recorder.Len(), now})
	}
	var members []string
	for i := range few {
		members = append(members, member(i))
	}
	taken(t, w.send(mail{text: "makes the homes", to: []string{"most@example.org", "team@example.org"}}))
	for _, who := range append([]string{"alice", "bob", "carol"}, members...) {
		w.bare(who) // each cut is made anew as files: few are quicker
	}
	note("makes the homes", append([]string{"alice", "bob", "carol", "x@example.net"}, members...)...)

	taken(t, w.send(mail{text: "single", to: []string{"alice@example.org"}}))
	note("single", "alice")
	taken(t, w.send(mail{text: "list", to: []string{"most@example.org"}}))
	note("list", members...)
	taken(t, w.send(mail{text: "remote", to: []string{"x@example.net", "bob@example.org"}}))
	note("remote", "bob", "x@example.net")

	disk.set(func(op safefile.Op) error {
		if op.Kind == "link" && inFolder(op.To, "bob/mail/new") {
			return errBroken
		}
		return nil
	})
	taken(t, w.send(mail{text: "later", to: []string{"alice@example.org", "bob@example.org"}}))
	note("later", "alice", "bob")
	synctest.Wait()
	same(t, "waiting", w.waiting(), "local bob@example.org", "x@example.net", "x@example.net")
	disk.set(nil)
	w.queue.RetryAll()
	synctest.Wait()
	same(t, "waiting", w.waiting(), "x@example.net", "x@example.net")
	note("")
	return recorder, moments
}

// bare removes the folders that every home begins with.
func (w *world) bare(who string) {
	home, err := w.store.Home(addr(who + "@example.org"))
	for _, folder := range []string{"Sent", "Drafts", "Trash", "Junk", "Archive"} {
		if err == nil {
			err = home.Delete(folder)
			time.Sleep(time.Nanosecond) // of the bubble; its clock stands still else
		}
	}
	if err != nil {
		w.Fatal(err)
	}
}

func inFolder(path, dir string) bool { return strings.Contains(filepath.ToSlash(path), dir) }

// TestPowerCut replays each prefix of the operations of a workload, with what
// was not synced dropped, or all of it written as after a kill: every message
// that was acknowledged by then is with each of its recipients once, or waits
// for them, and what was not is with nobody twice.
func TestPowerCut(t *testing.T) {
	var recorder *safefile.Recorder
	var moments []moment
	synctest.Test(t, func(t *testing.T) { recorder, moments = workload(t, t.TempDir()) })
	total := recorder.Len()
	ops := recorder.Ops()
	told := make(map[int]bool)
	for _, m := range moments {
		told[m.ops] = true
	}
	for _, c := range []struct {
		name    string
		written func(path string) bool
		changes []string // the operations that change what such a cut leaves
	}{
		{"power cut", nil, []string{"sync", "syncdir", "rename"}},
		{"kill", func(string) bool { return true }, []string{"link", "rename", "remove", "mkdir", "create", "write"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cuts := 0
			for n := moments[0].ops; n <= total; n++ {
				if !told[n] && !slices.Contains(c.changes, ops[n-1].Kind) {
					continue
				}
				if cuts++; testing.Short() && cuts%10 != 0 && !told[n] {
					continue
				}
				synctest.Test(t, func(t *testing.T) { afterCut(t, recorder, n, c.written, moments) })
				if t.Failed() {
					t.Fatalf("after %d of %d operations", n, total)
				}
			}
			t.Logf("%d cuts", cuts)
		})
	}
}

// afterCut opens what a cut left, lets the spool finish, and looks at it.
func afterCut(t *testing.T, recorder *safefile.Recorder, n int, written func(string) bool, moments []moment) {
	dir := t.TempDir()
	if err := recorder.Replay(dir, n, written); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir, safefile.Unsynced{FS: safefile.OS})
	defer w.close()
	synctest.Wait() // other servers are busy still
	w.mu.Lock()
	w.open = true
	w.mu.Unlock()
	w.queue.RetryAll()
	synctest.Wait()
	same(t, "waiting", w.waiting())

	var acked map[string][]string
	for _, m := range moments {
		if m.ops <= n {
			acked = m.acked
		}
	}
	last := moments[len(moments)-1].acked
	for text, who := range last {
		for _, name := range who {
			got := w.arrived(name, text)
			if got > 1 || got == 0 && acked[text] != nil {
				t.Errorf("%q is with %s %d times (acknowledged: %v)", text, name, got, acked[text] != nil)
			}
		}
	}
	if bad, err := filepath.Glob(filepath.Join(dir, "spool", "queue", "*")); len(bad) > 0 || err != nil {
		t.Errorf("left in the spool: %v", bad)
	}
	checkTmp(t, filepath.Join(dir, "spool", "tmp"))
}

// arrived counts a text with an account or a remote address.
func (w *world) arrived(name, text string) int {
	if !strings.Contains(name, "@") {
		return w.count(name, text)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.sent {
		if s == name+": "+text {
			n++
		}
	}
	return n
}

// checkTmp: nothing is left over.
func checkTmp(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = fmt.Errorf("%s is left over", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
