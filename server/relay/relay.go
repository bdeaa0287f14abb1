// Package relay hands a message to the mail servers of one domain: one attempt. It
// chooses the servers by MX (RFC 5321 5.1, null MX RFC 7505), speaks SMTP to them
// (RFC 5321) over IPv6 and IPv4, with PIPELINING (RFC 2920), SIZE (RFC 1870),
// 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461), STARTTLS (RFC 3207) and
// REQUIRETLS (RFC 8689) where they are offered, and tells the fate of each recipient.
// With a Smarthost all mail goes there instead, with its login (RFC 4954); one message
// alone may have another one (Message.Via).
//
// # Fates
//
// A recipient is done when a server has taken or refused it for good; the next
// server is only asked for those that failed for the moment. Once the end of the
// content has been sent and no answer came, no other server is asked: the message
// may have been taken.
//
// # Encryption
//
// TLS is used where it is offered, whatever the certificate (RFC 7435), and where it
// fails there the message goes in the clear. A domain can ask for more: with DANE
// (RFC 7672) when the DNS answers are authentic, else with MTA-STS (RFC 8461); then a
// server that fails gets nothing. The field "TLS-Required: No" of a message takes
// this back (RFC 8689 5); REQUIRETLS asks for more than both (see tlsneed.go). The
// outcome of each session is told to TLSResult, for reports (RFC 8460).
//
// # Sessions
//
// A session that ends well is kept for some seconds, for the next message with the
// same server, needs and settings (see pool.go). An address that let us wait in vain
// is left alone for some minutes (see silence.go).
//
// # Conversion
//
// 8-bit content for a server without 8BITMIME is converted to quoted-printable or
// base64 (RFC 6152 3). That breaks DKIM signatures, which then count as absent (RFC
// 6376 6.1): the mail still arrives. What is signed or encrypted within (RFC 1847)
// is never converted, and fails with 5.6.3. Addresses and headers that need SMTPUTF8
// are never converted and fail with 5.6.7 and 5.6.9 (RFC 6531 3.5); domains travel as
// A-labels and need nothing.
//
// A Relay may be used by several at once. Its locks are those of the pool and of the
// memory of silent addresses, held over map access only. The goroutines of idle
// sessions end with Close.
package relay

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/mtasts"
)

// Resolver is what relay asks of the DNS. Its errors are those of package dns.
type Resolver interface {
	SecureMX(ctx context.Context, domain string) (dns.Answer[dns.MX], error)
	SecureAddrs(ctx context.Context, host string) (dns.Answer[netip.Addr], error)
	TLSA(ctx context.Context, name string) (dns.Answer[dns.TLSA], error)
	Alias(ctx context.Context, name string) (dns.Answer[string], error)
}

// Policies knows what domains say of TLS: an mtasts.Store.
type Policies interface {
	Policy(ctx context.Context, domain string) (mtasts.Policy, error)
}

// Timeouts are those of RFC 5321 4.5.3.2. Zero values stand for the defaults.
type Timeouts struct {
	Connect time.Duration // 30 s
	Command time.Duration // of the greeting and each reply, 5 min
	Block   time.Duration // to send a block of the content, 3 min
	Final   time.Duration // of the reply to the end of the content, 10 min
	Quit    time.Duration // 5 s
	Idle    time.Duration // how long a session is kept for the next message, 5 s
}

func (t *Timeouts) fill() {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&t.Connect, 30 * time.Second}, {&t.Command, 5 * time.Minute}, {&t.Block, 3 * time.Minute},
		{&t.Final, 10 * time.Minute}, {&t.Quit, 5 * time.Second}, {&t.Idle, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
}

// Options are what a Relay has for its life.
type Options struct {
	Resolver Resolver
	STS      Policies // nil: MTA-STS is not looked at
	Port     int      // 0 is 25
	// Dial opens a connection; nil is that of net.Dialer.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Roots    *x509.CertPool // who is trusted to certify servers; nil: the system's
	Timeouts Timeouts
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
	// TLSResult is told how the encryption of each new session went. It must not
	// block. May be nil.
	TLSResult func(TLSResult)
}

// Settings are what Apply changes.
type Settings struct {
	Hostname  string     // ours: in EHLO, and in MX records it means us
	Smarthost *Smarthost // nil: mail goes to the servers of its domain
}

// Relay delivers to other servers.
type Relay struct {
	opts    Options
	pool    pool
	silence silence
	live    atomic.Pointer[live]
	login   loginTrouble

	applying sync.Mutex
}

// live is one version of the settings.
type live struct {
	Settings
	version int
}

// New returns a Relay.
func New(o Options, s Settings) *Relay {
	if o.Port == 0 {
		o.Port = 25
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.TLSResult == nil {
		o.TLSResult = func(TLSResult) {}
	}
	o.Timeouts.fill()
	r := &Relay{opts: o}
	r.pool.init(o.Timeouts)
	r.live.Store(&live{Settings: s})
	return r
}

// Apply changes the settings. Attempts that go on keep theirs; sessions of the old
// ones are not used again when something has changed.
func (r *Relay) Apply(s Settings) {
	r.applying.Lock()
	defer r.applying.Unlock()
	old := r.live.Load()
	if old.same(s) {
		return
	}
	r.live.Store(&live{s, old.version + 1})
	r.login.clear()
	r.pool.drain()
}

func (l *live) same(s Settings) bool {
	if l.Hostname != s.Hostname || (l.Smarthost == nil) != (s.Smarthost == nil) {
		return false
	}
	return s.Smarthost == nil || *l.Smarthost == *s.Smarthost
}

// Close ends the idle sessions. Attempts must have ended before.
func (r *Relay) Close() { r.pool.close() }

// Message is what to deliver: to recipients whose domain is Domain.
type Message struct {
	ID         string
	Domain     address.Domain
	Via        string // leaves through this server, see ParseVia; "": as the settings say
	Sender     envelope.Sender
	Recipients []envelope.Recipient
	Body       envelope.Body // CRLF line ends
	// Done is told of recipients that are done, by their places, while the attempt
	// goes on for others: that may take long, and who forgets them meanwhile would
	// send them the message twice. May be nil.
	Done func(map[int]Result)
}

// Result is the fate of one recipient.
type Result struct {
	// Fault is why it failed, for the moment or for good; nil when the remote
	// server has taken the message.
	Fault  *fault.Fault
	Remote string // the server that answered, "" when none did
	Reply  string // what it answered when it took the message: "250 2.0.0 Ok"
	DSN    bool   // it does DSN, so the sender is told of success by it
	TLS    string // "TLS1.3", "" without
	// Reached: there was a server, though what Fault says of it are our own words.
	Reached bool
}

// The limits of one attempt.
const (
	maxHosts    = 20 // names of servers that are looked up
	maxHops     = 10 // addresses that are tried
	maxSessions = 2  // that got as far as MAIL
)

// attempt is one attempt, with the settings of its time.
type attempt struct {
	*Relay
	live *live
	t    *transaction
}

// Attempt delivers a message to all its recipients and returns their fates, in
// their order. When ctx ends, what is not done yet has failed for the moment.
func (r *Relay) Attempt(ctx context.Context, m Message) []Result {
	a := &attempt{Relay: r, live: r.live.Load(), t: newTransaction(m)}
	hops, sessions := 0, 0
	for h, f := range a.hops(ctx) {
		if f != nil {
			a.t.hostFailed(Result{Fault: f})
			continue
		}
		if hops++; hops > maxHops {
			break
		}
		if a.visit(ctx, h) {
			sessions++
		}
		if len(a.t.open) == 0 || sessions == maxSessions || ctx.Err() != nil {
			break
		}
		a.t.tell()
	}
	return a.t.finish()
}

// visit tries one address; it tells whether there was a session.
func (a *attempt) visit(ctx context.Context, h hop) bool {
	key := h.key(a.live.version)
	for {
		c := a.pool.take(key)
		if c == nil {
			break
		}
		c.watch(ctx)
		again := a.t.run(c)
		a.done(key, c, again)
		if !again {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	if f := a.silence.of(h.at, a.opts.Now()); f != nil {
		a.t.hostFailed(Result{Fault: f})
		return false
	}
	c, failed := a.connect(ctx, h)
	if failed != nil {
		a.t.hostFailed(*failed)
		return false
	}
	a.t.run(c)
	a.done(key, c, false)
	return true
}

// done keeps a session for the next message, or ends it.
func (a *attempt) done(key poolKey, c *client, spent bool) {
	if c.unwatch() && !spent && !c.broken && a.live == a.Relay.live.Load() && a.pool.put(key, c) {
		return
	}
	a.pool.end(c)
}
