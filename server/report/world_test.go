package report

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/statedb"
)

func bodyOf(b []byte) envelope.Body { return envelope.Bytes(b) }

// world is a Store with a clock of its own, a DNS of texts, and an intake that keeps
// what it takes.
type world struct {
	*testing.T
	path  string
	db    *statedb.DB
	store *Store
	daily *Daily

	mu      sync.Mutex
	now     time.Time // zero: the real time
	txt     map[string][]string
	broken  map[string]bool
	sent    []sent
	refuse  error
	changed chan struct{} // gets a value for each message that was sent, when it has room
}

type sent struct {
	env  envelope.Envelope
	body []byte
	at   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, path: filepath.Join(t.TempDir(), "state.db"), txt: make(map[string][]string), broken: make(map[string]bool)}
	w.changed = make(chan struct{}, 100)
	w.open()
	t.Cleanup(func() { w.db.Close() })
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

func (w *world) set(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func (w *world) open() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.Output(), nil))
	var err error
	if w.db, err = statedb.Open(w.path, log); err != nil {
		w.Fatal(err)
	}
	if w.store, err = Open(Options{DB: w.db, Log: log, Now: w.clock}); err != nil {
		w.Fatal(err)
	}
	w.daily = NewDaily(DailyOptions{Store: w.store, Inject: w.inject, Log: log, Now: w.clock}, DailySettings{Identity: us, Resolver: w})
}

// reopen closes the database, which writes all that waits, and opens it again.
func (w *world) reopen() {
	w.Helper()
	if err := w.db.Close(); err != nil {
		w.Fatal(err)
	}
	w.open()
}

// TXT is that of Resolver.
func (w *world) TXT(_ context.Context, name string) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken[name] {
		return nil, errors.New("SERVFAIL")
	}
	if list, ok := w.txt[name]; ok {
		return list, nil
	}
	return nil, &dns.Error{Name: name, Type: "TXT", Err: dns.ErrNoName}
}

func (w *world) inject(_ context.Context, env envelope.Envelope, b envelope.Body) error {
	text, err := io.ReadAll(envelope.NewReader(b))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return w.refuse
	}
	w.sent = append(w.sent, sent{env, text, w.now})
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return nil
}

// take returns what was sent since the last take.
func (w *world) take() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.sent
	w.sent = nil
	return list
}

func ours(d address.Domain) bool { return d == "example.org" || d == "example.com" }
