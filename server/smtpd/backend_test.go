package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// fakeBackend takes everything, but for some local-parts that stand for a
// fault. It notes what it was asked.
type fakeBackend struct {
	mu      sync.Mutex
	calls   []string
	revoked map[auth.Credential]bool
	// during, when set, is called in Data.
	during func(ctx context.Context)
}

func (b *fakeBackend) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, fmt.Sprintf(format, args...))
}

// take returns the calls since the last take.
func (b *fakeBackend) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.calls
	b.calls = nil
	return out
}

func (b *fakeBackend) Login(_ context.Context, sess envelope.Session, name, password string) (auth.Credential, error) {
	b.note("login %s %s", name, password)
	switch {
	case name == "busy":
		return auth.Credential{}, errors.New("secret detail")
	case password != "secret":
		return auth.Credential{}, fault.New(fault.AuthFailed, "")
	}
	return auth.Credential{Account: address.MustParse("alice@example.org")}, nil
}

func (b *fakeBackend) Valid(c auth.Credential) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.revoked[c]
}

func (b *fakeBackend) revoke(c auth.Credential) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = map[auth.Credential]bool{c: true}
}

func (b *fakeBackend) Begin(sess envelope.Session, cred auth.Credential) Transaction {
	b.note("begin %s as %q by %q", sess.Protocol(false), sess.Helo, cred.Account.String())
	return &fakeTransaction{b: b}
}

type fakeTransaction struct {
	b     *fakeBackend
	rcpts []string
}

// faults are what the local-parts stand for.
var faults = map[string]error{
	"unknown": fault.New(fault.NoSuchAddress, ""),
	"full":    fault.New(fault.OverQuota, ""),
	"broken":  errors.New("secret detail"),
	"banned":  fault.New(fault.Policy, ""),
	"später":  fault.New(fault.TryLater, "Zu früh"),
}

// holdUntil is the date given, "later" for a time that depends on now.
func holdUntil(s envelope.Sender) string {
	switch {
	case s.HoldUntil.IsZero():
		return ""
	case s.HoldUntil.Location() == time.UTC:
		return s.HoldUntil.Format(time.RFC3339)
	}
	return "later"
}

func (t *fakeTransaction) Mail(_ context.Context, s envelope.Sender) error {
	text := "mail <" + s.ReversePath.String() + ">"
	for _, p := range []struct{ key, value string }{
		{"size", fmt.Sprint(s.Size)}, {"body", s.Body}, {"utf8", fmt.Sprint(s.SMTPUTF8)},
		{"ret", s.Ret}, {"envid", s.EnvID}, {"auth", s.Auth}, {"requiretls", fmt.Sprint(s.RequireTLS)}, {"hold", holdUntil(s)},
	} {
		if p.value != "" && p.value != "0" && p.value != "false" {
			text += " " + p.key + "=" + p.value
		}
	}
	t.b.note("%s", text)
	return faults[s.ReversePath.Local]
}

func (t *fakeTransaction) Rcpt(_ context.Context, r envelope.Recipient) error {
	text := "rcpt <" + r.ForwardPath.String() + ">"
	if r.Notify != 0 {
		text += fmt.Sprintf(" notify=%d", r.Notify)
	}
	if r.ORcpt != "" {
		text += " orcpt=" + r.ORcpt
	}
	t.b.note("%s", text)
	if err := faults[r.ForwardPath.Local]; err != nil {
		return err
	}
	t.rcpts = append(t.rcpts, r.ForwardPath.Local)
	return nil
}

func (t *fakeTransaction) Data(ctx context.Context, body envelope.Body) (Receipt, error) {
	text, err := io.ReadAll(envelope.NewReader(body))
	if err != nil {
		return Receipt{}, err
	}
	t.b.note("data %q", text)
	if t.b.during != nil {
		t.b.during(ctx)
	}
	if name, ok := strings.CutPrefix(string(text), "Fail: "); ok {
		return Receipt{}, faults[strings.TrimRight(name, "\r\n")]
	}
	if strings.HasPrefix(string(text), "Panic") {
		panic("as the message asks for")
	}
	receipt := Receipt{ID: "id1"}
	for _, local := range t.rcpts {
		receipt.PerRecipient = append(receipt.PerRecipient, map[string]error{"late": faults["full"]}[local])
	}
	return receipt, nil
}
