package spool

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/safefile"
)

const content = "From: alice@example.org\r\nTo: bob@example.net\r\nSubject: Lunch\r\nMessage-ID: <1@example.org>\r\n\r\nAt noon?\r\n"

// world is a Spool with a fake Attempter, whose DSNs are kept.
type world struct {
	t    *testing.T
	dir  string
	opts Options
	*Spool

	mu       sync.Mutex
	attempts []string // "+5m0s example.net: bob@example.net carol@example.net"
	began    time.Time
	answer   func(Item) []Result
	reports  []report
	inject   error
}

type report struct {
	env  envelope.Envelope
	text string
}

// newWorld makes a world; Open is called by start.
func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), began: time.Now()}
	w.opts = Options{
		Dir: w.dir, FS: safefile.OS, Log: slog.New(slog.DiscardHandler), Attempt: w, Inject: w.keepReport, Hostname: "mail.test",
		Schedule: Schedule{Jitter: -1},
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := Open(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Spool = s
}

// stop closes the Spool and checks what is on disk.
func (w *world) stop() {
	w.t.Helper()
	w.Close(context.Background())
	checkFiles(w.t, w.dir)
}

// checkFiles: every record can be read and has its message, and nothing else is there.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(filepath.Join(dir, "queue"))
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, n := range names {
		there[n.Name()] = true
	}
	st := store{dir: filepath.Join(dir, "queue")}
	for name := range there {
		id := entryID(name)
		switch filepath.Ext(name) {
		case envFile, oneFile:
			if there[id+badFile] {
				continue // its message
			}
			r, err := st.read(id)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if b, err := st.open(id, r); err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				b.Close()
			}
		case badFile:
		default:
			t.Errorf("%s is left over", name)
		}
	}
}

// queued returns the ids of the entries on disk.
func (w *world) queued() []string {
	found, err := filepath.Glob(filepath.Join(w.dir, "queue", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for i, f := range found {
		found[i] = entryID(filepath.Base(f))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (w *world) Attempt(ctx context.Context, it Item) []Result {
	w.mu.Lock()
	line := fmt.Sprintf("+%s %s:", time.Since(w.began).Round(time.Second), it.Domain)
	if it.Local {
		line = fmt.Sprintf("+%s local:", time.Since(w.began).Round(time.Second))
	}
	for _, r := range it.Recipients {
		line += " " + r.ForwardPath.String()
	}
	w.attempts = append(w.attempts, line)
	answer := w.answer
	w.mu.Unlock()
	raw, err := io.ReadAll(envelope.NewReader(it.Body))
	if string(raw) != content || err != nil || len(it.Envelope.Recipients) != len(it.Recipients) {
		w.t.Errorf("attempt with %q, %v", raw, err)
	}
	if answer == nil {
		return make([]Result, len(it.Recipients))
	}
	return answer(it)
}

func (w *world) keepReport(_ context.Context, env envelope.Envelope, b envelope.Body) error {
	raw, err := io.ReadAll(envelope.NewReader(b))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inject == nil {
		w.reports = append(w.reports, report{env, string(raw)})
	}
	return w.inject
}

// tried returns the attempts since the last call.
func (w *world) tried() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.attempts
	w.attempts = nil
	return a
}

func (w *world) reported() []report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reports
	w.reports = nil
	return r
}

// setAnswer sets what attempts come to; nil: all is well.
func (w *world) setAnswer(f func(Item) []Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func (w *world) setInject(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inject = err
}

func (w *world) failWith(f *fault.Fault, remote string) {
	w.setAnswer(func(it Item) []Result {
		res := make([]Result, len(it.Recipients))
		for i := range res {
			res[i] = Result{Fault: f, Remote: remote}
		}
		return res
	})
}

func (w *world) draft() *safefile.Draft {
	w.t.Helper()
	d, err := safefile.NewDraft(w.opts.FS, filepath.Join(w.dir, "tmp"))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(d, content); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// entry makes an Entry from alice@example.org; "local:" begins local recipients.
func entry(id string, to ...string) Entry {
	e := Entry{Envelope: envelope.Envelope{ID: id, Sender: envelope.Sender{ReversePath: address.MustParse("alice@example.org")}}}
	for _, s := range to {
		addr, local := strings.CutPrefix(s, "local:")
		r := Recipient{Local: local}
		r.ForwardPath = address.MustParse(addr)
		e.Recipients = append(e.Recipients, r)
	}
	return e
}

func (w *world) add(e Entry) *Pending {
	w.t.Helper()
	d := w.draft()
	defer d.Discard()
	p, err := w.Add(context.Background(), e, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

var (
	busy   = fault.Reply(fault.Undeliverable, 450, "4.2.1", "Busy")
	nobody = fault.Reply(fault.Undeliverable, 550, "5.1.1", "No such user")
)

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
