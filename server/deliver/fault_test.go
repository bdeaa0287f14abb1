package deliver

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"facteur/server/fault"
	"facteur/server/safefile"
)

var errBroken = errors.New("broken")

// TestDiskErrors lets each operation of a delivery to three mailboxes and
// another server fail, by itself or with all that follow. What was refused is
// nowhere (or the log says that it could not be undone), and what was taken
// arrives once, if need be after the disk is well again.
func TestDiskErrors(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		for _, first := range []bool{false, true} { // the first delivery to these homes makes them
			step := 1
			if testing.Short() {
				step = 7
			}
			if first {
				step = 11 // package mailbox has tests of that
			}
			for n := 0; ; n += step {
				var total int
				t.Run(fmt.Sprintf("lasting %v, first %v, operation %d", lasting, first, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { total = diskError(t, n, lasting, first) })
				})
				if n >= total || t.Failed() {
					break
				}
			}
		}
	}
}

func diskError(t *testing.T, n int, lasting, first bool) (total int) {
	disk := newDisk(safefile.Unsynced{FS: safefile.OS})
	w := newWorld(t, t.TempDir(), disk)
	defer w.close()
	if !first {
		taken(t, w.send(mail{text: "before", to: []string{"alice@example.org", "bob@example.org", "carol@example.org"}}))
	}
	disk.set(func(op safefile.Op) error {
		at := total
		total++
		if at == n || lasting && at > n {
			return fmt.Errorf("%w: %v", errBroken, op)
		}
		return nil
	})
	answers := w.send(mail{text: "hello", to: []string{"team@example.org"}})
	disk.set(nil)
	refused := 0
	for who, err := range answers {
		if err == nil {
			continue
		}
		refused++
		if !fault.Temporary(err) || !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if refused != 0 && refused != len(answers) {
		t.Errorf("some are refused, some are not: %v", answers)
	}
	synctest.Wait()
	w.mu.Lock()
	w.open = true
	w.mu.Unlock()
	w.queue.RetryAll()
	synctest.Wait()

	want := 1
	if refused > 0 {
		want = 0
	}
	undone := !w.logged("deliver.undo")
	for _, who := range []string{"alice", "bob", "carol"} {
		if got := w.count(who, "hello"); got != want && (undone || got < want || got > want+1) {
			t.Errorf("%s has it %d times, want %d", who, got, want)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) != want && (undone || len(w.sent) > 1) {
		t.Errorf("sent %q, want %d", w.sent, want)
	}
	if t.Failed() {
		t.Log(w.log.String())
	}
	return total
}

// TestRedirectUndone: what a script sends on goes back with the mailbox that
// failed, and goes once when that is tried again.
func TestRedirectUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(safefile.Unsynced{FS: safefile.OS})
		w := newWorld(t, t.TempDir(), disk)
		defer w.close()
		w.hooks["alice@example.org"] = does(sendOn("y@example.net", true))
		disk.set(func(op safefile.Op) error {
			if op.Kind == "link" && inFolder(op.To, "alice/mail/new") {
				return errBroken
			}
			return nil
		})
		taken(t, w.send(mail{text: "hello", to: []string{"alice@example.org", "bob@example.org"}}))
		synctest.Wait()
		disk.set(nil)
		same(t, "waiting", w.waiting(), "local alice@example.org")
		w.queue.RetryAll()
		synctest.Wait()
		same(t, "waiting", w.waiting(), "y@example.net")
		same(t, "files", w.files("alice", "bob"), "alice/INBOX", "bob/INBOX")
	})
}

// TestAllUndone: when what failed can't be kept either, the others don't have it,
// and nothing leaves.
func TestAllUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(safefile.Unsynced{FS: safefile.OS})
		w := newWorld(t, t.TempDir(), disk)
		defer w.close()
		w.hooks["alice@example.org"] = does(sendOn("y@example.net", true))
		entries := 0 // of the spool: team@ and alice@ redirect, bob@ would be the third
		disk.set(func(op safefile.Op) error {
			if op.Kind != "link" {
				return nil
			}
			if strings.HasSuffix(op.To, ".one") {
				entries++
			}
			if entries == 3 && strings.HasSuffix(op.To, ".one") || inFolder(op.To, "bob/mail/new") {
				return errBroken
			}
			return nil
		})
		for who, err := range w.send(mail{text: "hello", to: []string{"team@example.org"}}) {
			if !fault.Temporary(err) || !errors.Is(err, errBroken) {
				t.Errorf("%s: %v", who, err)
			}
		}
		synctest.Wait()
		disk.set(nil)
		same(t, "waiting", w.waiting())
		same(t, "files", w.files("alice", "bob", "carol"))
		left, err := filepath.Glob(filepath.Join(w.dir, "spool", "queue", "*"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "in the spool", left)
	})
}
