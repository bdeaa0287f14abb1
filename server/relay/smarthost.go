package relay

import (
	"context"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"facteur/server/fault"
)

// Smarthost is a server that sends our mail on (RFC 5598 2.1: an MSA or relay of
// somebody else).
type Smarthost struct {
	Host string // a name, or an IP address
	Port int
	// Login and Password are ours there; "" is none. They are only said when the
	// session is encrypted.
	Login, Password string
	TLS             SmarthostTLS
}

// SmarthostTLS is what a smarthost must show.
type SmarthostTLS uint8

// The values of SmarthostTLS. On port 465 TLS begins with the connection (RFC 8314
// 3.3), elsewhere with STARTTLS.
const (
	TLSVerified  SmarthostTLS = iota // encryption, with a certificate for its name
	TLSEncrypted                     // encryption, with any certificate
	TLSOptional                      // what there is; without a login
)

const implicitTLSPort = 465

// smartHops yields the addresses of a smarthost.
func (a *attempt) smartHops(ctx context.Context, s *Smarthost, yield func(hop, *fault.Fault) bool) {
	need, f := a.smartNeed(s)
	if f == nil && s.Login != "" {
		f = a.login.refused(a.opts.Now())
	}
	if f != nil {
		yield(hop{}, f)
		return
	}
	addrs := []netip.Addr{}
	if ip, err := netip.ParseAddr(s.Host); err == nil {
		addrs = append(addrs, ip)
	} else {
		answer, f := a.addrs(ctx, s.Host)
		if f != nil {
			// A mistake of ours or theirs, not of the recipients'.
			yield(hop{}, f.AsTemporary())
			return
		}
		addrs = alternate(answer.Records)
	}
	for _, ip := range addrs {
		if !yield(hop{host: s.Host, at: netip.AddrPortFrom(ip, uint16(s.Port)), need: need, smart: s}, nil) {
			return
		}
	}
}

// smartNeed is what a message needs of the smarthost.
func (a *attempt) smartNeed(s *Smarthost) (tlsNeed, *fault.Fault) {
	n := tlsNeed{names: []string{s.Host}, implicit: s.Port == implicitTLSPort}
	switch s.TLS {
	case TLSVerified:
		n.level = mustVerify
	case TLSEncrypted:
		n.level = mustEncrypt
	case TLSOptional:
		if n.implicit { // there is nothing else on that port
			n.level = mustEncrypt
		}
	}
	if a.t.msg.Sender.RequireTLS {
		n.require = true
		if s.TLS != TLSVerified {
			return n, fault.Reply(fault.EncryptionNeeded, 550, "5.7.10", "The sender asks for encryption all the way (REQUIRETLS), and the server that sends our mail on is not verified")
		}
	}
	return n, nil
}

// logIn says who we are (RFC 4954): PLAIN (RFC 4616), or LOGIN where there is only
// that.
func (a *attempt) logIn(c *client, s *Smarthost) error {
	if s.Login == "" {
		return nil
	}
	f := a.authenticate(c, s)
	if f == nil {
		a.login.clear()
		return nil
	}
	c.broken = c.broken || f.Kind == fault.AuthFailed
	a.login.note(f, a.opts.Now())
	a.opts.Log.Error("relay.login_failed", "host", s.Host, "login", s.Login, "reason", f.Text, "result", "mail waits in the queue")
	return &hostError{Result{Fault: f, TLS: c.tls, Reached: true}}
}

// authenticate returns why the login failed, for the moment whatever the server says:
// the mail is not at fault.
func (a *attempt) authenticate(c *client, s *Smarthost) *fault.Fault {
	if c.tls == "" {
		return loginFault(s, "the session is not encrypted, so the password was not sent")
	}
	mechanisms := strings.Fields(strings.ToUpper(c.ext["AUTH"]))
	var r reply
	var err error
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		word := base64.StdEncoding.EncodeToString([]byte("\x00" + s.Login + "\x00" + s.Password))
		if r, err = c.command(c.timeouts.Command, "AUTH PLAIN"); err == nil && r.code == 334 {
			r, err = c.command(c.timeouts.Command, word)
		}
	case slices.Contains(mechanisms, "LOGIN"):
		r, err = c.command(c.timeouts.Command, "AUTH LOGIN")
		for _, word := range []string{s.Login, s.Password} {
			if err == nil && r.code == 334 {
				r, err = c.command(c.timeouts.Command, base64.StdEncoding.EncodeToString([]byte(word)))
			}
		}
	default:
		return loginFault(s, "it offers neither AUTH PLAIN nor AUTH LOGIN")
	}
	if err != nil {
		return c.lost(err)
	}
	if r.code == 235 {
		return nil
	}
	return loginFault(s, "it answered "+r.String())
}

func loginFault(s *Smarthost, why string) *fault.Fault {
	return fault.Reply(fault.AuthFailed, 451, "4.7.8", "Logging in at "+s.Host+" failed: "+why)
}

// loginTrouble remembers that the login was refused, so that not each message tries
// it: some servers lock accounts for that.
type loginTrouble struct {
	mu sync.Mutex
	silent
}

func (l *loginTrouble) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = silent{}
}

func (l *loginTrouble) note(f *fault.Fault, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = silent{f, now.Add(silentFor)}
}

// refused returns why no login is tried now, or nil.
func (l *loginTrouble) refused(now time.Time) *fault.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.until) {
		return l.fault
	}
	return nil
}

// Trouble tells why nothing leaves through the smarthost, "" when all is well: for
// status.
func (r *Relay) Trouble() string {
	r.login.mu.Lock()
	defer r.login.mu.Unlock()
	if r.login.fault == nil {
		return ""
	}
	return r.login.fault.Text
}
