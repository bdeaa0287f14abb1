// Package httpd is the web side of the server: it takes connections of HTTP/1.1
// (RFC 9112) and HTTP/2 (RFC 9113), has people log in (Basic, RFC 7617), leads DAV
// clients to their way (RFC 6764 5), and answers the programs that look for the
// settings of an account before anybody has logged in.
//
//	/dav/                            DAV, after login
//	/ics/                            calendars that are published under a secret, without login
//	/                                DAV's methods after login; GET: a page for people
//	/.well-known/caldav, carddav     301 to /dav/, for any method
//	/.well-known/mta-sts.txt         at mta-sts.DOMAIN (RFC 8461 3.2)
//	/.well-known/autoconfig/, /mail/ settings for Thunderbird and others
//	/autodiscover/                   settings for Outlook
//	/apple.mobileconfig              settings for iPhone and Mac
//
// The service "http" leads to https; only clients that may log in without TLS are
// served by it, and autoconfiguration, which has no secrets.
//
// net/http speaks the protocol. Who may connect, and how often, is decided as for
// mail (connection.Table): a connection is a session there. Its limits in time are
// set for each part of a body and of an answer (pace.go), so nothing is cut off
// that moves on.
//
// A login is looked at with each request, and must stand in the newest mail.toml;
// one that was accepted is remembered for a while (login.go). What is below /dav/
// belongs to package davd, which gets the Credential; an account has some requests at
// once, and more wait for their turn (turns.go).
//
// A trusted proxy at the other end (listen.Forwards) says in headers whose a request is: origin.go.
// All that asks for the client, its TLS and the host that it asked for gets what it has said;
// of nobody else these headers are read.
//
// Server.mu guards the count of requests, memory.mu the logins, turns.mu how many requests
// each account has, crowd.mu how many each client has behind a proxy; none is held during I/O.
package httpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// The services.
const (
	HTTP  = "http"
	HTTPS = "https" // TLS from the first octet
)

// Authenticator says who may log in.
type Authenticator interface {
	Login(ctx context.Context, a auth.Attempt) (auth.Credential, error)
	// Valid tells whether a login would still succeed. It must be quick.
	Valid(auth.Credential) bool
}

// DAV answers a request of somebody who is logged in.
type DAV func(w http.ResponseWriter, r *http.Request, who auth.Credential)

// Options are the settings of a Server. The functions are called from many goroutines.
type Options struct {
	Auth Authenticator
	DAV  DAV          // nil: there is nothing below /dav/
	Log  *slog.Logger // nil: none
	// Published answers what is below /ics/, without a login; nil: there is nothing.
	Published http.HandlerFunc

	Hostname string      // of the server, for people and for redirects
	TLS      *tls.Config // nil: no service "https"
	// PlaintextLogin allows logins without TLS from loopback.
	PlaintextLogin bool
	// SecurePort returns the port of https, 0 when there is none. nil: none.
	SecurePort func() int
	// Certified tells whether the certificate is good for a name. nil: for all.
	Certified func(name string) bool
	// Directory returns the newest one. It knows whose settings may be asked for.
	Directory func() *directory.Directory
	// Services are what programs can connect to; here is for one on this machine. nil: none.
	Services func(here bool) []Service
	// Policy returns the policy of MTA-STS of a domain, "" when it has none. nil: none has.
	Policy func(address.Domain) string

	connection.Limits // of clients; 0: 2,000 connections, 100 of one client

	Header time.Duration // for TLS, and for the head of a request, 0: 30 s
	Idle   time.Duration // between two requests, 0: 3 min
	Part   time.Duration // for the next part of a body or answer to be taken, 0: 1 min
	// Body is the size of the largest body, in octets, 0: 1 GiB. What is kept may have
	// smaller bounds.
	Body int64
}

func (o Options) withDefaults() *Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SecurePort == nil {
		o.SecurePort = func() int { return 0 }
	}
	if o.Certified == nil {
		o.Certified = func(string) bool { return true }
	}
	if o.Directory == nil {
		empty := directory.New(directory.Options{})
		o.Directory = func() *directory.Directory { return empty }
	}
	if o.Services == nil {
		o.Services = func(bool) []Service { return nil }
	}
	if o.Policy == nil {
		o.Policy = func(address.Domain) string { return "" }
	}
	o.Connections = cmp.Or(o.Connections, 2000)
	o.PerClient = cmp.Or(o.PerClient, 100)
	o.Header = cmp.Or(o.Header, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, 3*time.Minute)
	o.Part = cmp.Or(o.Part, time.Minute)
	o.Body = cmp.Or(o.Body, 1<<30)
	return &o
}

// Server is a web server.
type Server struct {
	opt      atomic.Pointer[Options]
	sessions *connection.Table
	logins   *memory
	crowd    *crowd
	turns    *turns
	web      *http.Server
	begin    sync.Once
	plain    *queue
	secure   *queue

	mu       sync.Mutex
	closed   bool
	requests sync.WaitGroup // nobody is added once closed
}

// New returns a Server; Serve starts it.
func New(opt Options) *Server {
	s := &Server{sessions: connection.NewTable(), logins: newMemory(), crowd: newCrowd(), turns: newTurns(), plain: newQueue(), secure: newQueue()}
	o := opt.withDefaults()
	s.opt.Store(o)
	s.web = s.newWeb(o)
	return s
}

// These bound a request and a connection, beside Options.
const (
	maxHeader     = 64 << 10
	maxStreams    = 100 // of a connection of HTTP/2
	pingAfter     = 30 * time.Second
	pingPatience  = 30 * time.Second
	receiveWindow = 1 << 20
)

// newWeb makes the engine.
func (s *Server) newWeb(o *Options) *http.Server {
	web := &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		ReadHeaderTimeout: o.Header,
		IdleTimeout:       o.Idle,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingPatience, WriteByteTimeout: o.Part,
			MaxReceiveBufferPerConnection: receiveWindow, MaxReceiveBufferPerStream: receiveWindow / 4,
		},
		BaseContext: func(net.Listener) context.Context { return s.sessions.Context() },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, connOf(c))
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateActive {
				connOf(c).used.Store(true)
			}
		},
		ErrorLog:                     slog.NewLogLogger(complaints{o.Log.Handler()}, slog.LevelInfo),
		DisableGeneralOptionsHandler: true, // OPTIONS * is for handle
	}
	if o.TLS != nil {
		web.TLSConfig = o.TLS.Clone()
		web.TLSConfig.NextProtos = []string{"h2", "http/1.1"} // RFC 9113 3.2
	}
	return web
}

// Apply changes the settings, except Auth, DAV, Log, TLS and the times of a connection.
func (s *Server) Apply(opt Options) {
	old := s.opt.Load()
	opt.Auth, opt.DAV, opt.Log, opt.TLS = old.Auth, old.DAV, old.Log, old.TLS
	s.opt.Store(opt.withDefaults())
}

// Serve serves the connections of a listener until it is closed; they go on after that.
func (s *Server) Serve(ln net.Listener, service string) error {
	q, withTLS := s.plain, s.opt.Load().TLS != nil
	switch {
	case service == HTTPS && withTLS:
		q = s.secure
	case service != HTTP:
		return fault.Newf(fault.NotPossible, "httpd has no service %q", service)
	}
	s.begin.Do(func() {
		go s.run(s.plain, s.web.Serve)
		if withTLS {
			go s.run(s.secure, func(l net.Listener) error { return s.web.ServeTLS(l, "", "") })
		}
	})
	return connection.Accept(ln, func(c net.Conn) { s.start(c, service, q) })
}

// run has the engine serve what is admitted, until Shutdown.
func (s *Server) run(q *queue, serve func(net.Listener) error) {
	if err := serve(q); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		s.opt.Load().Log.Error("httpd.failed", "error", err)
	}
}

// Shutdown takes no more requests, and waits for those that are under way. When ctx ends
// first the rest is cut off, and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.web.Shutdown(ctx) // what it waits for in vain, the table cuts
	}()
	err := s.sessions.Shutdown(ctx)
	s.plain.Close()
	s.secure.Close()
	<-done
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.requests.Wait()
	return err
}

// enter counts a request, unless the server has ended.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.requests.Add(1)
	}
	return !s.closed
}
