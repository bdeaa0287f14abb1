// Package relay hands a message to the mail servers of one domain: one attempt, no
// memory. It chooses the servers by MX (RFC 5321 5.1, null MX RFC 7505), speaks
// SMTP to them (RFC 5321) over IPv6 and IPv4, with opportunistic STARTTLS (RFC
// 3207, RFC 7435), 8BITMIME (RFC 6152), SIZE (RFC 1870), SMTPUTF8 (RFC 6531) and
// DSN (RFC 3461) where they are offered, and tells the fate of each recipient.
//
// A recipient is done when a server has taken or refused it for good; the next
// server is only asked for those that failed for the moment. Once the end of the
// content has been sent and no answer came, no other server is asked: the message
// may have been taken.
//
// A Relay holds no lock and may be used by several at once; its goroutines end
// with the attempt. It does not verify certificates, reuse connections, pipeline, or
// convert a message: 8-bit content is sent as it is also to a server without
// 8BITMIME, for all but museum pieces take it.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/fault"
)

// Resolver is what relay asks of the DNS. Its errors are those of package dns.
type Resolver interface {
	MX(ctx context.Context, domain string) ([]dns.MX, error)
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

// Timeouts are those of RFC 5321 4.5.3.2. Zero values stand for the defaults.
type Timeouts struct {
	Connect time.Duration // 30 s
	Command time.Duration // of the greeting and each reply, 5 min
	Block   time.Duration // to send a block of the content, 3 min
	Final   time.Duration // of the reply to the end of the content, 10 min
	Quit    time.Duration // 5 s
}

func (t *Timeouts) fill() {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&t.Connect, 30 * time.Second}, {&t.Command, 5 * time.Minute}, {&t.Block, 3 * time.Minute},
		{&t.Final, 10 * time.Minute}, {&t.Quit, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
}

// Options are the settings of a Relay.
type Options struct {
	Resolver Resolver
	Hostname string // ours: in EHLO, and in MX records it means us
	Port     int    // 0 is 25
	// Dial opens a connection; nil is that of net.Dialer.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Timeouts Timeouts
	Log      *slog.Logger // nil: nothing is logged
}

// Relay delivers to other servers.
type Relay struct{ opts Options }

// New returns a Relay.
func New(o Options) *Relay {
	if o.Port == 0 {
		o.Port = 25
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Timeouts.fill()
	return &Relay{o}
}

// Message is what to deliver: to recipients whose domain is Domain.
type Message struct {
	ID         string
	Domain     address.Domain
	Sender     envelope.Sender
	Recipients []envelope.Recipient
	Body       envelope.Body // CRLF line ends
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
}

// The limits of one attempt.
const (
	maxHops     = 10 // addresses that are tried
	maxSessions = 2  // that got as far as MAIL
)

// Attempt delivers a message to all its recipients and returns their fates, in
// their order. When ctx ends, what is not done yet has failed for the moment.
func (r *Relay) Attempt(ctx context.Context, m Message) []Result {
	t := newTransaction(m)
	hops, sessions := 0, 0
	for h, f := range r.hops(ctx, m.Domain) {
		if f != nil {
			t.hostFailed(Result{Fault: f})
			continue
		}
		if hops++; hops > maxHops {
			break
		}
		if r.visit(ctx, h, t) {
			sessions++
		}
		if len(t.open) == 0 || sessions == maxSessions || ctx.Err() != nil {
			break
		}
	}
	return t.finish()
}

// visit tries one address; it tells whether there was a session.
func (r *Relay) visit(ctx context.Context, h hop, t *transaction) bool {
	c, err := r.connect(ctx, h, true)
	if err == errTLS {
		// RFC 7435: better in the clear than not at all. What has failed has spoiled
		// the connection.
		r.opts.Log.Info("relay.plaintext", "id", t.msg.ID, "host", h.host, "address", h.addr.String())
		c, err = r.connect(ctx, h, false)
	}
	var failed *hostError
	if errors.As(err, &failed) {
		t.hostFailed(failed.Result)
		return false
	}
	defer c.close()
	t.run(c)
	return true
}
