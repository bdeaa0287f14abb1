package control

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/report"
)

type fake struct{ reloads int }

func (f *fake) Status() Status { return Status{PID: 7, Accounts: 2} }
func (f *fake) Reload() Reload {
	f.reloads++
	return Reload{At: time.Unix(1, 0), Problems: []Problem{{File: "mail.toml", Line: 1, Col: 1, Text: "no"}}}
}

func (f *fake) Queue(filter QueueFilter, each func(Queued) error) error {
	if filter.To == "?" {
		return errors.New("not an address")
	}
	for _, id := range []string{"q1", "q2"} {
		if err := each(Queued{ID: id, Sender: filter.From}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) QueueShow(id string) (QueuedDetail, error) {
	if id != "q1" {
		return QueuedDetail{}, errors.New("no such message")
	}
	return QueuedDetail{Queued: Queued{ID: id}, Subject: "Lunch"}, nil
}

func (f *fake) QueueWork(_ context.Context, r QueueRequest, say func(string)) error {
	say(r.Verb + " " + strings.Join(r.IDs, " ") + " " + r.To + " " + r.Reason)
	return nil
}

func (f *fake) Upkeep(_ context.Context, r UpkeepRequest, say func(string)) error {
	say(r.Verb + " " + strings.Join(r.Accounts, " "))
	if r.Verb != "verify" {
		return errors.New("no such work")
	}
	return nil
}

func (f *fake) Reopen(_ context.Context, n Name, say func(string)) error {
	say("reopen " + n.Name)
	return nil
}

func (f *fake) Unblock(_ context.Context, n Name, say func(string)) error {
	return errors.New("no failures of " + n.Name)
}

func (f *fake) Report(_ context.Context, days int) (*report.Digest, error) {
	if days == 99 {
		return nil, errors.New("no such report")
	}
	return &report.Digest{Sent: days}, nil
}

func (f *fake) Domain(_ context.Context, name string, rotate bool) (DomainFacts, error) {
	if name != "example.org" {
		return DomainFacts{}, errors.New("not ours")
	}
	state := "active"
	if rotate {
		state = "new"
	}
	return DomainFacts{Keys: []DomainKey{{State: state}}}, nil
}

func (f *fake) Transfer(_ context.Context, r TransferRequest) (a TransferAnswer, err error) {
	if r.Verb != "put" {
		return a, errors.New("no such step")
	}
	for _, o := range r.Objects {
		a.Outcomes = append(a.Outcomes, Outcome{Result: ResultNew, Reason: string(o.Data)})
	}
	return a, nil
}

func TestTransfer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	s, err := Listen(path, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	defer s.Close()
	c := NewClient(path)
	data := bytes.Repeat([]byte("x"), 16<<20) // the largest object
	a, err := c.Transfer(t.Context(), TransferRequest{Verb: "put", Objects: []Object{{Data: data}}})
	if err != nil || len(a.Outcomes) != 1 || len(a.Outcomes[0].Reason) != len(data) {
		t.Fatalf("%v, %d outcomes", err, len(a.Outcomes))
	}
	if _, err := c.Transfer(t.Context(), TransferRequest{Verb: "get"}); err == nil || err.Error() != "no such step" {
		t.Errorf("the error is %v", err)
	}
	if _, err := NewClient(path+"2").Transfer(t.Context(), TransferRequest{}); !errors.Is(err, ErrNoServer) {
		t.Errorf("without a server the error is %v", err)
	}
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
	err = NewClient(path+".none").Upkeep(t.Context(), UpkeepRequest{}, say)
	if want := "no server answers at " + path + ".none: is `facteur serve` running with this mail.toml?"; !errors.Is(err, ErrNoServer) || err.Error() != want {
		t.Error(err)
	}
	lines = nil
	if err := c.Reopen(t.Context(), "a@example.org", say); err != nil || len(lines) != 1 || lines[0] != "reopen a@example.org" {
		t.Errorf("%q %v", lines, err)
	}
	if err := c.Unblock(t.Context(), "192.0.2.1", say); err == nil || err.Error() != "no failures of 192.0.2.1" {
		t.Error(err)
	}
	if st, err := c.Status(); err != nil || st.PID != 7 || st.Accounts != 2 {
		t.Errorf("%+v %v", st, err)
	}
	if r, err := c.Reload(); err != nil || f.reloads != 1 || len(r.Problems) != 1 || r.Problems[0].String() != "mail.toml:1:1: no" {
		t.Errorf("%+v %v", r, err)
	}
	testQueue(t, c)
	if d, err := c.Report(7); err != nil || d.Sent != 7 {
		t.Errorf("%+v %v", d, err)
	}
	for _, days := range []int{0, 99, 101} {
		if _, err := c.Report(days); err == nil {
			t.Errorf("%d days", days)
		}
	}
	for _, rotate := range []bool{false, true} {
		if facts, err := c.Domain("example.org", rotate); err != nil || len(facts.Keys) != 1 || (facts.Keys[0].State == "new") != rotate {
			t.Errorf("%+v %v", facts, err)
		}
	}
	if _, err := c.Domain("example.net", false); err == nil || err.Error() != "not ours" {
		t.Error("a domain of others")
	}
	s.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Status(); err == nil || !strings.Contains(err.Error(), "facteur serve") {
		t.Errorf("%v", err)
	}
}

func testQueue(t *testing.T, c *Client) {
	t.Helper()
	var got []string
	each := func(q Queued) error {
		got = append(got, q.ID+" "+q.Sender)
		return nil
	}
	if err := c.Queue(QueueFilter{From: "a@example.org"}, each); err != nil || strings.Join(got, ", ") != "q1 a@example.org, q2 a@example.org" {
		t.Errorf("%q %v", got, err)
	}
	if err := c.Queue(QueueFilter{To: "?"}, each); err == nil || err.Error() != "not an address" {
		t.Error(err)
	}
	enough := errors.New("enough")
	if err := c.Queue(QueueFilter{}, func(Queued) error { return enough }); err != enough {
		t.Error(err)
	}
	if d, err := c.QueueShow("q1"); err != nil || d.ID != "q1" || d.Subject != "Lunch" {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := c.QueueShow("../x"); err == nil || err.Error() != "no such message" {
		t.Error(err)
	}
	var line string
	r := QueueRequest{Verb: "hold", IDs: []string{"q1"}, Reason: "why", QueueFilter: QueueFilter{To: "example.net"}}
	if err := c.QueueWork(t.Context(), r, func(l string) { line = l }); err != nil || line != "hold q1 example.net why" {
		t.Errorf("%q %v", line, err)
	}
	if err := NewClient(c.path+".none").Queue(QueueFilter{}, each); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
}
