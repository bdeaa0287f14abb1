package e2e

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
)

// events is the log of the servers of a case, with waiting. A line answers one
// wait only, so that two waits for the same event need two of them; different
// events may come in any order.
type events struct {
	mu      sync.Mutex
	partial []byte
	lines   []string
	used    []bool
	more    chan struct{} // closed and replaced when a line comes
}

func newEvents() *events { return &events{more: make(chan struct{})} }

// Write takes what a server writes.
func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.partial = append(e.partial, p...)
	for {
		i := bytes.IndexByte(e.partial, '\n')
		if i < 0 {
			return len(p), nil
		}
		e.lines = append(e.lines, string(e.partial[:i]))
		e.used = append(e.used, false)
		e.partial = e.partial[i+1:]
		close(e.more)
		e.more = make(chan struct{})
	}
}

// take uses up the first line that matches. With none it returns the channel
// that is closed when there is more to look at.
func (e *events) take(re *regexp.Regexp) (line string, ok bool, more <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, l := range e.lines {
		if !e.used[i] && re.MatchString(l) {
			e.used[i] = true
			return l, true, nil
		}
	}
	return "", false, e.more
}

// wait waits for a line that matches and uses it up; gone ends it early.
func (e *events) wait(re *regexp.Regexp, gone <-chan struct{}) (string, bool) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		line, ok, more := e.take(re)
		if ok {
			return line, true
		}
		select {
		case <-more:
		case <-gone:
			line, ok, _ = e.take(re) // written just before the end
			return line, ok
		case <-timeout.C:
			return "", false
		}
	}
}

// forget uses up all lines that match.
func (e *events) forget(re *regexp.Regexp) {
	for ok := true; ok; {
		_, ok, _ = e.take(re)
	}
}

// any returns a line that matches, used or not.
func (e *events) any(re *regexp.Regexp) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.lines {
		if re.MatchString(l) {
			return l, true
		}
	}
	return "", false
}

func (e *events) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, "\n") + "\n" + string(e.partial)
}

// waitlog waits for a log line and prints it.
func (w *world) waitlog(neg bool, args []string) {
	if neg || len(args) != 1 {
		w.ts.Fatalf("usage: waitlog REGEXP")
	}
	line, ok := w.log.wait(regexp.MustCompile(args[0]), nil)
	if !ok {
		w.ts.Fatalf("no line of the log matches %q", args[0])
	}
	w.print(line)
}

// nolog fails when a line of the log matches.
func (w *world) nolog(neg bool, args []string) {
	if neg || len(args) != 1 {
		w.ts.Fatalf("usage: nolog REGEXP")
	}
	if line, ok := w.log.any(regexp.MustCompile(args[0])); ok {
		w.ts.Fatalf("a line of the log matches %q: %s", args[0], line)
	}
}
