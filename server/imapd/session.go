package imapd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/mailbox"
)

// session is one connection. imapserver calls its methods from one goroutine,
// and Idle from another that may outlive the command for a moment.
type session struct {
	srv    *Server
	opt    *Options // of the time when the connection came
	id     string
	log    *slog.Logger
	link   *link
	remote netip.Addr
	client netip.Prefix
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	ended  chan struct{} // closed when imapserver is done with the session
	conn   atomic.Pointer[imapserver.Conn]
	cred   atomic.Pointer[auth.Credential]

	mu       sync.Mutex
	account  address.Address
	home     *mailbox.Home
	selected *selected
	saved    []mailbox.UID // what "$" stands for (RFC 5182)
}

var (
	_ imapserver.SessionIMAP4rev2   = (*session)(nil)
	_ imapserver.SessionSASL        = (*session)(nil)
	_ imapserver.SessionAppendLimit = (*session)(nil)
)

func newSession(srv *Server, opt *Options, c net.Conn) *session {
	s := &session{srv: srv, opt: opt, id: envelope.NewID(), link: newLink(c), ended: make(chan struct{})}
	s.remote, s.client = remoteOf(c)
	s.log = opt.Log.With("id", s.id, "remote", s.remote.String())
	s.ctx, s.cancel = context.WithCancel(srv.ctx)
	return s
}

func capabilities() imap.CapSet {
	return imap.CapSet{
		imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {},
		imap.CapESearch: {}, imap.CapSearchRes: {}, imap.CapListExtended: {}, imap.CapListStatus: {},
		imap.CapMove: {}, imap.CapStatusSize: {}, imap.CapBinary: {}, imap.CapChildren: {},
		imap.CapSpecialUse: {}, imap.CapCreateSpecialUse: {},
	}
}

// run serves the connection to its end.
func (s *session) run(service string) {
	defer s.cancel()
	defer s.link.Close()
	var c net.Conn = s.link
	options := &imapserver.Options{
		NewSession:   s.begin,
		Caps:         capabilities(),
		Logger:       libraryLog{s.log},
		InsecureAuth: s.opt.PlaintextLogin && s.remote.IsLoopback(),
	}
	if service == "imaps" {
		if s.opt.TLS == nil {
			return
		}
		tlsConn, err := s.link.startTLS(s.ctx, s.opt.TLS, s.opt.PreAuthTimeout)
		if err != nil {
			s.log.Info("imapd.handshake", "error", err)
			return
		}
		c = tlsConn
	} else {
		options.TLSConfig = s.opt.TLS
	}
	expire := time.AfterFunc(s.opt.PreAuthTimeout, func() {
		if s.cred.Load() == nil {
			s.bye("Login took too long")
		}
	})
	defer expire.Stop()
	if err := imapserver.New(options).Serve(&once{Conn: c}); err != nil { // returns at once
		return
	}
	<-s.ended
	<-s.link.closed
}

// begin is called by imapserver before the greeting.
func (s *session) begin(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	s.conn.Store(c)
	return s, nil, nil
}

// libraryLog takes what imapserver has to say: mostly clients that went away.
type libraryLog struct{ log *slog.Logger }

// Printf is that of imapserver.Logger.
func (l libraryLog) Printf(format string, args ...any) {
	l.log.Debug("imapd.wire", "text", fmt.Sprintf(format, args...))
}

// bye says why the connection is closed, if the client reads, and closes it.
func (s *session) bye(text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		if c := s.conn.Load(); c != nil {
			_ = c.Bye(text) // the connection is closed in any case
		}
	}()
	select {
	case <-said:
	case <-time.After(byeTimeout):
	}
	s.link.Close()
}

// Close ends the session: the connection is gone.
func (s *session) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	close(s.ended)
	return nil
}

// lock begins a command. Its octets were valid, so the next may have as many.
func (s *session) lock() {
	s.mu.Lock()
	s.link.allowance.Store(commandAllowance)
}

// Login is LOGIN (RFC 9051 6.2.3), and the end of AUTHENTICATE.
func (s *session) Login(name, password string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cred, err := s.opt.Auth.Login(s.ctx, auth.Attempt{Name: name, Password: password, Remote: s.remote, Protocol: "imap"})
	if err != nil {
		return s.failure("login", err)
	}
	home, err := s.opt.Store.Home(cred.Account)
	if err != nil {
		return s.failure("login", err)
	}
	s.cred.Store(&cred)
	// A reload may have come between the two; Recheck sees it from here on.
	if !s.opt.Auth.Valid(cred) {
		s.cred.Store(nil)
		return imapserver.ErrAuthFailed
	}
	s.account, s.home = cred.Account, home
	s.log = s.log.With("account", cred.Account.String())
	s.log.Debug("imapd.login") // auth tells the operator
	s.link.allowance.Store(commandAllowance)
	return nil
}

// AuthenticateMechanisms is for AUTHENTICATE (RFC 9051 6.2.2).
func (s *session) AuthenticateMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Authenticate is AUTHENTICATE.
func (s *session) Authenticate(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return &plainServer{login: s.Login}, nil
	case sasl.Login:
		return &loginServer{login: s.Login}, nil
	}
	return nil, no(imap.ResponseCodeCannot, "This mechanism is not supported")
}

// AppendLimit is the size of the largest message that APPEND takes (RFC 7889).
func (s *session) AppendLimit() uint32 { return uint32(s.srv.opt.Load().AppendLimit) }

// Namespace is NAMESPACE (RFC 2342): all folders are one's own.
func (s *session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: separator}}}, nil
}

// Poll writes what changed in the selected mailbox; it ends each command.
func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	s.lock()
	defer s.mu.Unlock()
	if s.selected == nil {
		return nil
	}
	s.selected.box.Poll()
	return s.selected.flush(w, allowExpunge)
}

// Idle writes changes as they come (RFC 2177).
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	for {
		wake, err := s.idleOnce(w, stop)
		if err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-s.ctx.Done():
			return nil
		case <-wake:
		}
	}
}

func (s *session) idleOnce(w *imapserver.UpdateWriter, stop <-chan struct{}) (wake <-chan struct{}, err error) {
	s.lock()
	defer s.mu.Unlock()
	select {
	case <-stop: // the next command may have begun
		return nil, nil
	default:
	}
	if s.selected == nil {
		return nil, nil
	}
	return s.selected.view.C, s.selected.flush(w, true)
}
