package mailbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"facteur/server/fault"
	"facteur/server/safefile"
)

var errBroken = errors.New("broken")

// trial runs a fixed story on a store whose disk fails at some operation, and
// notes for each message the places where it may be then.
type trial struct {
	*fixture
	faulty *safefile.Faulty
	works  atomic.Bool       // nothing fails any more
	may    map[string][]spot // by text; a spot without folder: nowhere
	failed int
}

func newTrial(t *testing.T) *trial {
	r := &trial{faulty: &safefile.Faulty{FS: safefile.Unsynced{FS: safefile.OS}}, may: make(map[string][]spot)}
	r.fixture = newFixture(t, func(string) safefile.FS { return r.faulty })
	return r
}

// now returns the one spot of a message, when that is sure.
func (r *trial) now(text string) (*Mailbox, spot, bool) {
	p := r.may[text]
	if len(p) != 1 || p[0].folder == "" {
		return nil, spot{}, false
	}
	return r.mailbox(p[0].folder), p[0], true
}

// result notes where a message is after an operation.
func (r *trial) result(what, text string, before, after spot, err error) {
	r.Helper()
	if err == nil {
		r.may[text] = []spot{after}
		return
	}
	r.failed++
	if !errors.Is(err, errBroken) || !fault.Temporary(err) {
		r.Errorf("%s: the error is %v", what, err)
	}
	r.may[text] = []spot{before, after}
}

func (r *trial) deliver(folder, text string, flags ...string) {
	d, err := r.store.Draft()
	if err != nil {
		r.result("draft", text, spot{}, spot{}, err)
		return
	}
	defer d.Discard()
	if _, err := d.Write([]byte(text)); err != nil {
		r.result("write", text, spot{}, spot{}, err)
		return
	}
	m := r.mailbox(folder)
	uid, err := m.Add(d, AddOptions{Flags: flags, Last: true})
	if err == nil {
		err = m.Sync()
	}
	slices.Sort(flags)
	r.result("deliver", text, spot{}, spot{folder, uid, fmt.Sprint(flags)}, err)
}

func (r *trial) setFlags(text string, flags ...string) {
	if m, p, ok := r.now(text); ok {
		_, err := m.SetFlags(StoreOptions{UIDs: []UID{p.uid}, Op: Set, Flags: flags})
		slices.Sort(flags)
		r.result("flags", text, p, spot{p.folder, p.uid, fmt.Sprint(flags)}, err)
	}
}

func (r *trial) expunge(text string) {
	if m, p, ok := r.now(text); ok {
		_, err := m.Expunge([]UID{p.uid})
		r.result("expunge", text, p, spot{}, err)
	}
}

func (r *trial) move(text, folder string) {
	if m, p, ok := r.now(text); ok {
		pairs, err := m.Move([]UID{p.uid}, r.mailbox(folder), nil)
		after := spot{}
		if len(pairs) == 1 {
			after = spot{folder, pairs[0].Dst, p.flags}
		} else if err == nil {
			r.Error("moved nothing")
		}
		if after.folder == "" {
			after = p
		}
		r.result("move", text, p, after, err)
	}
}

// copyFails makes a Copy; when it fails, nothing must be left of it.
func (r *trial) copyOne(text, folder string) {
	if m, p, ok := r.now(text); ok {
		dst := r.mailbox(folder)
		pairs, err := m.Copy([]UID{p.uid}, dst, nil)
		if err == nil {
			_, err = dst.Expunge([]UID{pairs[0].Dst})
		}
		if err != nil {
			r.failed++
		}
	}
}

func (r *trial) story() {
	r.deliver("INBOX", "one\r\n")
	r.deliver("INBOX", "two\r\n", `\Seen`)
	r.deliver("Sent", "three\r\n", "$Work", `\Seen`)
	if v, err := selectMailbox(r.fixture, r.inbox); err == nil {
		r.deliver("INBOX", "four\r\n")
		v.Close()
	}
	r.setFlags("one\r\n", `\Flagged`)
	r.setFlags("one\r\n", "$New")
	r.move("two\r\n", "Archive")
	r.move("one\r\n", "Sent")
	r.copyOne("three\r\n", "Junk")
	r.expunge("four\r\n")
	r.home.Create("Lists/Go", "")
	r.home.Subscribe("Lists/Go", true)
	r.home.Rename("Lists", "Other")
	r.home.Delete("Other/Go")
	r.deliver("INBOX", "five\r\n")
}

// verify opens the store anew on a disk that works.
func (r *trial) verify(what string) {
	r.Helper()
	r.works.Store(true)
	for _, h := range r.store.homes.All() {
		if err := h.Check(); err != nil {
			r.Errorf("%s: %v", what, err)
		}
	}
	r.store.Close()
	found, doubled := observe(r.T, r.dir)
	// A message may be doubled only by a copy whose undoing failed.
	for _, d := range doubled {
		if !strings.Contains(d, `"three`) {
			r.Errorf("%s: there twice: %s", what, d)
		}
	}
	for text, may := range r.may {
		p := found[text]
		ok := slices.ContainsFunc(may, func(want spot) bool {
			return want == p || want.uid == 0 && want.folder == p.folder && want.flags == p.flags
		})
		if !ok && !strings.HasPrefix(text, "three") {
			r.Errorf("%s: %q is %v, may be %v", what, text, p, may)
		}
		if p == (spot{}) && len(may) == 1 && may[0] != (spot{}) {
			r.Errorf("%s: %q is lost", what, text)
		}
	}
	r.open()
}

// Each operation on the disk fails once: the error is told, and nothing that
// was acknowledged is lost.
func TestFaults(t *testing.T) {
	whole := newTrial(t)
	begin := whole.faulty.Ops()
	whole.story()
	whole.verify("without a fault")
	count := whole.faulty.Ops() - begin
	if whole.failed != 0 || count < 40 {
		t.Fatal(whole.failed, count)
	}
	for _, dead := range []bool{false, true} {
		for n := 0; n < count; n++ {
			if testing.Short() && n%5 != 0 {
				continue
			}
			t.Run(fmt.Sprintf("dead=%v/%d", dead, n), func(t *testing.T) {
				r := newTrial(t)
				var failed atomic.Pointer[safefile.Op]
				seen := -1
				r.faulty.Fail = func(op safefile.Op) error {
					if seen++; !r.works.Load() && (seen == n || dead && seen > n) {
						failed.Store(&op)
						return &os.PathError{Op: op.Kind, Path: op.Path, Err: errBroken}
					}
					return nil
				}
				r.story()
				r.works.Store(true)
				r.verify(fmt.Sprint(failed.Load()))
			})
		}
	}
}
