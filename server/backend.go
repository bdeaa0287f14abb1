package server

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"facteur/server/auth"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/intake"
	"facteur/server/limit"
	"facteur/server/smtpd"
)

// backend is the Server as smtpd sees it.
type backend Server

// Login is that of smtpd.Backend.
func (b *backend) Login(ctx context.Context, sess envelope.Session, name, password string) (auth.Credential, error) {
	return b.auth.Login(ctx, auth.Attempt{Name: name, Password: password, Remote: sess.Remote.Addr(), Protocol: sess.Listener, Session: sess})
}

// Valid is that of smtpd.Backend.
func (b *backend) Valid(c auth.Credential) bool { return b.auth.Valid(c) }

// Begin is that of smtpd.Backend.
func (b *backend) Begin(sess envelope.Session, cred auth.Credential) smtpd.Transaction {
	if sess.Listener == smtpd.SMTP && sess.RDNS == "" {
		sess.RDNS = verifiedName(b.resolver, sess.Remote.Addr().Unmap(), reverseTimeout)
	}
	t := transaction{Transaction: b.intake.Begin(sess, cred), client: sess.Remote.Addr()}
	if sess.Listener == smtpd.SMTP && !(*Server)(b).trusts(t.client) {
		t.inbound = b.inbound
	}
	return t
}

// These bound the look-up of a client's name: mail goes on without it. Before the greeting
// it is looked up only where a script may ask for it.
const (
	reverseTimeout  = 3 * time.Second
	greetingTimeout = time.Second
)

// connect is that of smtpd.Options.
func (b *backend) connect(ctx context.Context, sess envelope.Session) smtpd.Greeting {
	sess.RDNS = verifiedName(b.resolver, sess.Remote.Addr().Unmap(), greetingTimeout)
	g := b.intake.Connect(ctx, sess)
	return smtpd.Greeting{RDNS: sess.RDNS, Delay: g.Delay, Refusal: g.Refusal}
}

// admit is that of auth.Options.
func (b *backend) admit(ctx context.Context, try auth.Attempt, c auth.Credential) error {
	return b.intake.Auth(ctx, try.Session, hook.Login{Account: c.Account, Device: c.Device, Mechanism: try.Session.Mechanism})
}

// verifiedName returns the name of a client that leads back to its address
// (RFC 8601 3, iprev), "" when there is none. The resolver remembers answers.
func verifiedName(r *dns.Resolver, ip netip.Addr, patience time.Duration) string {
	if !ip.IsValid() || ip.IsLoopback() {
		return "" // it has none in the DNS
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	names, err := r.PTR(ctx, ip)
	if err != nil {
		return ""
	}
	for _, name := range names[:min(len(names), 3)] {
		if addrs, err := r.Addrs(ctx, name); err == nil && slices.Contains(addrs, ip) {
			return name
		}
	}
	return ""
}

type transaction struct {
	*intake.Transaction
	inbound *limit.Inbound // nil: the client has no limit
	client  netip.Addr
}

func (t transaction) Data(ctx context.Context, body envelope.Body) (smtpd.Receipt, error) {
	r, err := t.Transaction.Data(ctx, body)
	return smtpd.Receipt(r), err
}
