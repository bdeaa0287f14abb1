package pop3d

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// fakeBackend has the mail of two people. Some names stand for a fault.
type fakeBackend struct {
	mu      sync.Mutex
	inboxes map[string]*inbox // by address
	revoked map[auth.Credential]bool
	open    int // maildrops and contents that were not closed
	// during, when set, is called in Login.
	during func(ctx context.Context)
}

// inbox is messages by UID.
type inbox struct {
	messages map[uint32]string
	broken   string // what fails: "open", "read" or "remove"
}

// crlf makes the line ends of mail.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func newBackend() *fakeBackend {
	return &fakeBackend{inboxes: map[string]*inbox{
		"mrose@example.org": {messages: map[uint32]string{
			7: crlf(fmt.Sprintf("Subject: one\n\n%s\n", strings.Repeat("x", 120-len("Subject: one\n\n\n")-3))), // 120 octets
			9: crlf(fmt.Sprintf("Subject: two\n\n%s\n", strings.Repeat("y", 200-len("Subject: two\n\n\n")-3))), // 200 octets
		}},
		"alice@example.org": {messages: map[uint32]string{
			1: crlf("Subject: dots\nFrom: a@b\n\n.\n..\nline three\n.four\n"),
			3: crlf(".odd: header\n\n"),
			4: crlf("Subject: no body\n"),
			8: crlf("Subject: no end of line\n\nlast"),
		}},
		"empty@example.org":  {},
		"broken@example.org": {messages: map[uint32]string{1: "Subject: x\r\n\r\n"}, broken: "open"},
		"torn@example.org":   {messages: map[uint32]string{1: "Subject: x\r\n\r\n"}, broken: "read"},
		"stuck@example.org":  {messages: map[uint32]string{1: "Subject: x\r\n\r\n"}, broken: "remove"},
	}}
}

func (b *fakeBackend) Login(ctx context.Context, sess envelope.Session, name, password string) (auth.Credential, error) {
	if b.during != nil {
		b.during(ctx)
	}
	switch {
	case name == "busy":
		return auth.Credential{}, errors.New("secret detail")
	case name == "throttled":
		return auth.Credential{}, fault.Reply(fault.TryLater, 454, "4.7.0", "Too many failed logins, try again later")
	case !strings.Contains(name, "@"):
		name += "@example.org"
	}
	a, err := address.Parse(name)
	if err != nil || b.inboxes[name] == nil && name != "gone@example.org" || password != "secret" && password != "my secret " {
		return auth.Credential{}, fault.New(fault.AuthFailed, "")
	}
	return auth.Credential{Account: a}, nil
}

func (b *fakeBackend) Valid(c auth.Credential) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.revoked[c]
}

func (b *fakeBackend) revoke(account string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = map[auth.Credential]bool{{Account: address.MustParse(account)}: true}
}

func (b *fakeBackend) Maildrop(account address.Address) (Maildrop, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.inboxes[account.String()]
	if in == nil {
		return nil, errors.New("secret detail")
	}
	d := &fakeMaildrop{b: b, in: in}
	for uid, text := range in.messages {
		d.list = append(d.list, Message{uid, int64(len(text))})
	}
	slices.SortFunc(d.list, func(a, b Message) int { return int(a.UID) - int(b.UID) })
	b.open++
	return d, nil
}

// expunge removes a message as IMAP would.
func (b *fakeBackend) expunge(account string, uid uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.inboxes[account].messages, uid)
}

// uids returns those of an account's messages.
func (b *fakeBackend) uids(account string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var uids []uint32
	for uid := range b.inboxes[account].messages {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return fmt.Sprint(uids)
}

// atRest fails the test when something was not closed.
func (b *fakeBackend) atRest(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open != 0 {
		t.Errorf("%d maildrops and messages are still open", b.open)
	}
}

type fakeMaildrop struct {
	b    *fakeBackend
	in   *inbox
	list []Message
}

func (d *fakeMaildrop) Validity() uint32 { return 36*36 + 1 }
func (d *fakeMaildrop) Len() int         { return len(d.list) }
func (d *fakeMaildrop) At(i int) Message { return d.list[i] }

func (d *fakeMaildrop) Open(uid uint32) (Content, error) {
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	text, ok := d.in.messages[uid]
	switch {
	case d.in.broken == "open":
		return nil, errors.New("secret detail")
	case !ok:
		return nil, fault.New(fault.NotFound, "")
	}
	d.b.open++
	return &fakeContent{envelope.Bytes(text), d.b, d.in.broken == "read"}, nil
}

func (d *fakeMaildrop) Remove(uids []uint32) error {
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	if d.in.broken == "remove" {
		return errors.New("secret detail")
	}
	for _, uid := range uids {
		delete(d.in.messages, uid)
	}
	return nil
}

func (d *fakeMaildrop) Close() {
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	d.b.open--
}

type fakeContent struct {
	envelope.Bytes
	b    *fakeBackend
	torn bool
}

func (c *fakeContent) ReadAt(p []byte, off int64) (int, error) {
	if c.torn {
		return copy(p, "Subj"), errors.New("input/output error")
	}
	return c.Bytes.ReadAt(p, off)
}

func (c *fakeContent) Close() error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.open--
	return nil
}
