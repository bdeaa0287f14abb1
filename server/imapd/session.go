package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/listen"
	"facteur/server/mailbox"
)

// state is where a session stands (RFC 9051 3). The values are bits, for
// commands that are allowed in several.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	inMailbox // the selected state

	loggedIn = authenticated | inMailbox
	anyState = notAuthenticated | loggedIn
)

// What a client may do without a valid command in between.
const (
	maxMistakes        = 50
	maxMistakesPreAuth = 20
)

// The bounds of commands before and after the login, in octets.
const (
	preAuthLine    = 8 << 10
	preAuthLiteral = 8 << 10
	preAuthSkip    = 64 << 10
	maxLine        = 64 << 10
	maxLiteral     = 256 << 10
)

// session is one connection.
type session struct {
	srv    *Server
	id     string
	log    *slog.Logger
	link   *link
	remote netip.Addr
	ctx    context.Context // ends when the session is to end
	cancel context.CancelFunc

	tlsFirst bool
	conn     *Options // settings of the time when the connection came
	tls      *tls.Conn
	zip      *compression // nil: none
	dec      *imapwire.Decoder
	enc      *imapwire.Encoder
	state    state

	cred    atomic.Pointer[auth.Credential] // nil: not logged in
	account address.Address
	home    *mailbox.Home
	shared  map[*mailbox.Home]address.Address // homes of others that were opened
	enabled extension

	selection           // what belongs to the selected mailbox
	observer  *observer // what goes on elsewhere, nil: of no interest

	mistakes int
	over     bool // all is said
	more     bool // the client may still be sending
	why      atomic.Pointer[fault.Fault]
}

func newSession(srv *Server, opt *Options, c net.Conn, tlsFirst bool) *session {
	s := &session{srv: srv, conn: opt, id: envelope.NewID(), link: newLink(c), tlsFirst: tlsFirst, state: notAuthenticated}
	s.remote = listen.AddrPort(c.RemoteAddr()).Addr()
	s.log = opt.Log.With("id", s.id, "remote", s.remote.String())
	s.ctx, s.cancel = context.WithCancel(srv.sessions.Context())
	return s
}

// options are the newest settings.
func (s *session) options() *Options { return s.srv.opt.Load() }

// End is that of connection.Session: the session ends with a BYE that says why if
// the client reads.
func (s *session) End(why *fault.Fault) {
	if !s.why.CompareAndSwap(nil, why) {
		return
	}
	s.cancel()
	s.link.wake()
	time.AfterFunc(byeTimeout, s.Cut)
}

// Cut is that of connection.Session.
func (s *session) Cut() { s.link.Close() }

// Credential is that of connection.Session.
func (s *session) Credential() auth.Credential {
	if cred := s.cred.Load(); cred != nil {
		return *cred
	}
	return auth.Credential{}
}

// Serve is that of connection.Session.
func (s *session) Serve() {
	defer s.close()
	s.link.setLimit(time.Now().Add(s.conn.PreAuthTimeout))
	s.enc = imapwire.NewEncoder(s.link, s.srv.buffers)
	s.dec = imapwire.NewDecoder(s.link, imapwire.Options{
		Continue: s.goOn, MaxLine: preAuthLine, MaxLiteral: preAuthLiteral, MaxSkip: preAuthSkip, Buffers: s.srv.buffers,
	})
	if s.tlsFirst && !s.startTLS() {
		return
	}
	s.enc.Raw("* OK [CAPABILITY").Append(s.appendCapabilities).Raw("] facteur is ready\r\n")
	for !s.over && s.why.Load() == nil { // also with commands in the buffer
		if !s.dec.Buffered() && !s.await() {
			break
		}
		s.command()
	}
	s.farewell()
}

// close ends what the session has.
func (s *session) close() {
	if p := recover(); p != nil {
		s.log.Error("imapd.panic", "panic", p, "stack", string(debug.Stack()))
	}
	s.cancel()
	s.unselect()
	s.unobserve()
	if s.enc != nil {
		_ = s.flush() // of a connection that ends
	}
	if s.more || s.dec != nil && s.dec.Buffered() {
		s.link.linger()
	}
	if s.tls != nil {
		_ = s.tls.Close()
	}
	s.link.Close()
	s.log.Debug("imapd.closed")
}

// await waits for the next command, without any buffer. false: the session is to
// end.
func (s *session) await() bool {
	s.settle()
	s.tellUnasked()
	if s.flush() != nil || s.over { // the selected mailbox may be gone
		return false
	}
	defer s.wakeUnasked()()
	s.link.waitUntil(time.Now().Add(s.options().IdleTimeout))
	defer s.link.waitUntil(time.Time{})
	for {
		err := s.dec.Wait()
		if err == nil {
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		woken := s.link.heard()
		if s.why.Load() != nil {
			return false
		}
		if woken {
			if s.tellUnasked(); s.over || s.flush() != nil {
				return false
			}
			continue
		}
		s.timeout()
		return false
	}
}

// timeout says why a silent client is left.
func (s *session) timeout() {
	if s.state == notAuthenticated {
		s.bye("", "Login took too long")
		return
	}
	s.bye("", "Disconnected for inactivity")
}

// flush writes what is buffered, and gives the buffers back.
func (s *session) flush() error {
	err := s.enc.Release()
	if s.zip != nil {
		err = errors.Join(err, s.zip.rest())
	}
	return err
}

// farewell says BYE when the server ends the session.
func (s *session) farewell() {
	if why := s.why.Load(); why != nil {
		s.bye("", why.Text)
	}
}

// bye says why the session ends, once.
func (s *session) bye(code, text string) {
	if s.over {
		return
	}
	s.over = true
	s.enc.Raw("* BYE ")
	s.reason(code, text)
	_ = s.flush() // best effort
}

// broken ends the session after an error of the connection.
func (s *session) broken(err error) {
	switch {
	case s.why.Load() != nil: // farewell has a better word
		return
	case errors.Is(err, imapwire.ErrEndless):
		s.bye("TOOBIG", "The command is too long")
		s.more = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.bye("", "The command took too long")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
	default:
		s.log.Debug("imapd.broken", "error", err)
	}
	s.over = true
}

// goOn writes a command continuation request (RFC 9051 7.6).
func (s *session) goOn(text string) error {
	s.enc.Raw("+ ").Raw(text).CRLF()
	return s.flush()
}

// reason writes what stands behind OK, NO, BAD and BYE (RFC 9051 7.1).
func (s *session) reason(code, text string) {
	if code != "" {
		s.enc.Raw("[").Raw(code).Raw("] ")
	}
	s.enc.Raw(sayable(text, s.enc.UTF8())).CRLF()
}

// sayable returns a text as it may stand in a line for people: without controls,
// and in ASCII before ENABLE IMAP4rev2 or UTF8=ACCEPT (RFC 9051 9, text).
func sayable(text string, utf8OK bool) string {
	odd := func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= utf8.RuneSelf && (!utf8OK || r == utf8.RuneError)
	}
	if !strings.ContainsFunc(text, odd) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return '?'
		}
		return r
	}, text)
}
