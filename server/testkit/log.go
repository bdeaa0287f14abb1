package testkit

import (
	"strings"
	"sync"
	"testing"
)

// Log is what many goroutines log. It may be read meanwhile.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write is that of io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Trace is a Log of one session.
type Trace struct{ Log }

// Check looks for what must and what must not be in the trace of one session,
// and that each line has the session's id.
func (s *Trace) Check(t testing.TB, want, secrets []string) {
	t.Helper()
	trace := s.String()
	for _, w := range want {
		if !strings.Contains(trace, w) {
			t.Errorf("no %q in the trace", w)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(trace, secret) {
			t.Errorf("%q is in the trace:\n%s", secret, trace)
		}
	}
	_, id, _ := strings.Cut(trace, "id=")
	id, _, _ = strings.Cut(strings.TrimSpace(id), " ")
	for line := range strings.Lines(trace) {
		if id == "" || !strings.Contains(line, "id="+strings.TrimSpace(id)) {
			t.Errorf("a line without the id of the connection: %s", line)
		}
	}
}
