package scheduling

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"facteur/server/safefile"
)

// TestTransferFullDisk: the disk is full at one operation of a COPY or MOVE over a meeting: when it fails, what
// was there is, and nobody is told; else it is done.
func TestTransferFullDisk(t *testing.T) {
	for _, move := range []bool{false, true} {
		refused := 0
		for n := 0; ; n++ {
			var armed atomic.Bool
			var last atomic.Pointer[safefile.Op]
			seen := -1 // with the lock of faulty held
			faulty := &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}, Fail: func(op safefile.Op) error {
				if !armed.Load() {
					return nil
				}
				if seen++; seen != n {
					return nil
				}
				last.Store(&op)
				if op.Kind == "remove" {
					return nil
				}
				return &os.PathError{Op: op.Kind, Path: op.Path, Err: unix.ENOSPC}
			}}
			w := worldIn(t, t.TempDir(), faulty)
			w.keep("office", "x.ics", meeting("m2", "office@example.org", "guest@example.com"))
			w.keep("bob", "x.ics", meeting("m1", "friend@example.com", "bob@example.org"))
			w.event("bob", "m1")
			armed.Store(true)
			_, err := w.transfer(move)
			armed.Store(false)
			failed := last.Load()
			if failed == nil {
				if n < 10 || refused == 0 {
					t.Errorf("%d operations, %d failed", n, refused)
				}
				w.close()
				break
			}
			w.settle()
			w.pass(firstRetry)
			w.settle()
			mail := strings.Join(w.takeMail(), ", ")
			is := fmt.Sprintf("move %t, operation %d (%v), %v: the office has m1 %t, m2 %t, bob m1 %t, mail %q",
				move, n, *failed, err, w.event("office", "m1") != "", w.event("office", "m2") != "", w.event("bob", "m1") != "", mail)
			cancelled := strings.Contains(mail, "guest@example.com CANCEL")
			arrived, stays, left := w.event("office", "m1") != "", w.event("office", "m2") != "", w.event("bob", "m1") == ""
			switch {
			case err == nil && (!cancelled || !arrived || stays || left != move):
				t.Error("it is not all done: ", is)
			case err != nil && failed.Kind != "syncdir" && (mail != "" || arrived || !stays || left):
				t.Error("it is half done: ", is)
			case err != nil && cancelled:
				t.Error("it is told: ", is)
			}
			if err != nil {
				refused++
			}
			same(t, "tasks left after "+is, w.tasks(), 0)
			w.close()
		}
	}
}
