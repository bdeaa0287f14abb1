package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/envelope"
	"facteur/server/safefile"
)

// story is what the tests below break at each step: bob@ is sent at once, carol@ at
// the second attempt, dave@ fails for good. It counts what is sent.
type story struct {
	*world
	mu   sync.Mutex
	sent map[string]int
}

func newStory(t *testing.T) *story {
	s := &story{world: newWorld(t), sent: make(map[string]int)}
	s.setAnswer(func(it Item) []Result {
		res := make([]Result, len(it.Recipients))
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, r := range it.Recipients {
			name := r.ForwardPath.Local
			switch s.sent[name+" tried"]++; {
			case name == "dave":
				res[i] = Result{Fault: nobody, Remote: "mx.example.com"}
			case name == "carol" && s.sent["carol tried"] == 1:
				res[i] = Result{Fault: busy, Remote: "mx.example.net"}
			default:
				s.sent[name]++
			}
		}
		return res
	})
	return s
}

func (s *story) addDraft(d *safefile.Draft) (*Pending, error) {
	return s.Add(context.Background(), entry("m1", "bob@example.net", "carol@example.net", "dave@example.com"), d)
}

// TestDiskErrors lets each operation on the disk fail, alone or with all that follow
// for two hours. As long as the process lives nobody gets anything twice.
func TestDiskErrors(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		for n := 0; ; n++ {
			var total int
			t.Run(fmt.Sprintf("lasting %v, operation %d", lasting, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { total = diskError(t, n, lasting) })
			})
			if n >= total || t.Failed() {
				break
			}
		}
	}
}

func diskError(t *testing.T, n int, lasting bool) (total int) {
	s := newStory(t)
	faulty := &safefile.Faulty{FS: safefile.OS}
	s.opts.FS = faulty
	s.start()
	d := s.draft()
	defer d.Discard()
	var mu sync.Mutex
	healed := false
	faulty.Fail = func(op safefile.Op) error {
		mu.Lock()
		defer mu.Unlock()
		at := total
		total++
		if at == n || lasting && at > n && !healed {
			return errors.New("injected: " + op.String())
		}
		return nil
	}
	p, err := s.addDraft(d)
	if err == nil {
		p.Release()
	}
	time.Sleep(2 * time.Hour)
	mu.Lock()
	healed = true
	mu.Unlock()
	time.Sleep(24 * time.Hour)
	synctest.Wait()
	s.Close(context.Background())

	want := 1
	if err != nil {
		want = 0
	}
	s.mu.Lock()
	for _, name := range []string{"bob", "carol", "dave tried"} {
		if s.sent[name] != want {
			t.Errorf("%s: %d, want %d (Add: %v)", name, s.sent[name], want, err)
		}
	}
	s.mu.Unlock()
	if got := len(s.reported()); got != want {
		t.Errorf("%d reports, want %d", got, want)
	}
	faulty.Fail = nil
	if err != nil && lasting {
		return total // what could not be removed is there again after a restart
	}
	s.start() // sweeps
	synctest.Wait()
	if s.Len() != 0 {
		t.Errorf("%d entries are left", s.Len())
	}
	s.stop()
	same(t, "on disk", s.queued())
	return total
}

// TestPowerCut replays each prefix of the operations with what was not synced lost, or
// with all of it written, as after a kill: what was added is there, what is done stays
// done, and nothing is damaged.
func TestPowerCut(t *testing.T) {
	var recorder *safefile.Recorder
	var added, firstDone, finished int
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		recorder = safefile.NewRecorder(s.dir)
		s.opts.FS = recorder
		s.start()
		d := s.draft()
		defer d.Discard()
		p, err := s.addDraft(d)
		if err != nil {
			t.Fatal(err)
		}
		added = recorder.Len()
		p.Release()
		synctest.Wait()
		firstDone = recorder.Len()
		time.Sleep(time.Hour)
		synctest.Wait()
		finished = recorder.Len()
		s.stop()
	})
	if added == 0 || firstDone <= added || finished <= firstDone {
		t.Fatal(added, firstDone, finished)
	}
	all := func(string) bool { return true }
	for n := range finished + 1 {
		for name, written := range map[string]func(string) bool{"power cut": nil, "kill": all} {
			dir := t.TempDir()
			if err := recorder.Replay(dir, n, written); err != nil {
				t.Fatal(err)
			}
			checkAfterCut(t, dir, fmt.Sprintf("%s after %d of %d, %d and %d", name, n, added, firstDone, finished), func(list []Summary) error {
				switch {
				case n >= finished && len(list) != 0:
					return errors.New("it is there again")
				case n < added || n >= finished:
					return nil
				case len(list) != 1 && n < finished-2: // the last steps remove it
					return fmt.Errorf("it is lost: %d entries", len(list))
				case n >= firstDone && len(list) == 1 && !list[0].Recipients[0].Done:
					return errors.New("bob@ would get it again")
				}
				return nil
			})
		}
	}
}

// checkAfterCut opens what is left and looks at it before anything is tried.
func checkAfterCut(t *testing.T, dir, when string, check func([]Summary) error) {
	t.Helper()
	block := make(chan struct{})
	s, err := Open(Options{
		Dir: dir, FS: safefile.OS, Log: slog.New(slog.DiscardHandler), Attempt: blocked(block),
		Inject: func(ctx context.Context, _ envelope.Envelope, _ envelope.Body) error { <-ctx.Done(); return ctx.Err() },
	})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := check(s.List()); err != nil {
		t.Errorf("%s: %v", when, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	close(block)
	s.Close(ctx)
	checkFiles(t, dir)
	if bad, err := filepath.Glob(filepath.Join(dir, "queue", "*"+badFile)); len(bad) > 0 || err != nil {
		t.Errorf("%s: damaged: %v", when, bad)
	}
}

// blocked is an Attempter that does nothing.
type blocked chan struct{}

func (b blocked) Attempt(ctx context.Context, it Item) []Result {
	<-ctx.Done()
	res := make([]Result, len(it.Recipients))
	for i := range res {
		res[i].Fault = busy
	}
	return res
}

func TestScanReadsNoMessage(t *testing.T) {
	w := newWorld(t)
	w.start()
	for i := range 100 {
		w.add(entry(fmt.Sprintf("m%d", i), "bob@example.net"))
	}
	w.stop()
	st := store{dir: filepath.Join(w.dir, "queue"), fs: safefile.OS, log: slog.New(slog.DiscardHandler)}
	n := 0
	var mu sync.Mutex
	if err := st.scan(func(id string, r *record) {
		mu.Lock()
		defer mu.Unlock()
		n++
		if r.Size != int64(len(content)) || !strings.HasPrefix(id, "m") {
			t.Error(id, r.Size)
		}
	}); err != nil || n != 100 {
		t.Error(n, err)
	}
}
