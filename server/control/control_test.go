package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type fake struct{ reloads int }

func (f *fake) Status() Status { return Status{PID: 7, Accounts: 2} }
func (f *fake) Reload() Reload {
	f.reloads++
	return Reload{At: time.Unix(1, 0), Problems: []Problem{{File: "mail.toml", Line: 1, Col: 1, Text: "no"}}}
}
func (f *fake) Queue() []Queued { return []Queued{{ID: "q1", Sender: "a@example.org"}} }

func (f *fake) Upkeep(_ context.Context, r UpkeepRequest, say func(string)) error {
	say(r.Verb + " " + strings.Join(r.Accounts, " "))
	if r.Verb != "verify" {
		return errors.New("no such work")
	}
	return nil
}

func TestControl(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // more than a socket address holds
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // left by a server that was killed
		t.Fatal(err)
	}
	f := &fake{}
	s, err := Listen(path, f)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	c := NewClient(path)
	var lines []string
	say := func(line string) { lines = append(lines, line) }
	if err := c.Upkeep(t.Context(), UpkeepRequest{Verb: "verify", Accounts: []string{"a@example.org"}}, say); err != nil || len(lines) != 1 || lines[0] != "verify a@example.org" {
		t.Errorf("%q %v", lines, err)
	}
	if err := c.Upkeep(t.Context(), UpkeepRequest{Verb: "paint"}, say); err == nil || err.Error() != "no such work" || errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
	if err := NewClient(path+".none").Upkeep(t.Context(), UpkeepRequest{}, say); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
	if st, err := c.Status(); err != nil || st.PID != 7 || st.Accounts != 2 {
		t.Errorf("%+v %v", st, err)
	}
	if r, err := c.Reload(); err != nil || f.reloads != 1 || len(r.Problems) != 1 || r.Problems[0].String() != "mail.toml:1:1: no" {
		t.Errorf("%+v %v", r, err)
	}
	if q, err := c.Queue(); err != nil || len(q) != 1 || q[0].ID != "q1" {
		t.Errorf("%+v %v", q, err)
	}
	s.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Status(); err == nil || !strings.Contains(err.Error(), "facteur serve") {
		t.Errorf("%v", err)
	}
}
