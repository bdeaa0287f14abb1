package httpd

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"facteur/server/auth"
	"facteur/server/connection"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/listen"
)

// mayLogIn tells whether a password may be sent over the connection of a request.
func (o *Options) mayLogIn(r *http.Request, from *origin) bool {
	return !from.nameless && (r.TLS != nil || o.PlaintextLogin && listen.Trusted(nil, from.remote()))
}

// login returns who asks, or answers that nobody does.
func (s *Server) login(w http.ResponseWriter, r *http.Request, from *origin) (auth.Credential, bool) {
	opt := s.opt.Load()
	name, password, ok := r.BasicAuth()
	if !ok {
		unauthorized(w)
		return auth.Credential{}, false
	}
	id := s.logins.id(r.Header.Get("Authorization"), from)
	if cred, ok := s.logins.find(id, time.Now()); ok && opt.Auth.Valid(cred) {
		return cred, true
	}
	cred, err := opt.Auth.Login(r.Context(), auth.Attempt{
		Name: utf8Text(name), Password: utf8Text(password), Remote: from.remote(), Protocol: from.service, Session: facts(r, from),
	})
	if err != nil {
		refuseLogin(w, err)
		return auth.Credential{}, false
	}
	s.logins.add(id, cred, time.Now())
	return cred, true
}

// facts are what scripts are told of a client that logs in.
func facts(r *http.Request, from *origin) envelope.Session {
	f := envelope.Session{
		ID: from.id, Listener: from.service, Remote: from.client, Local: listen.AddrPort(from.LocalAddr()), Mechanism: "BASIC",
	}
	if r.TLS != nil {
		f.TLSVersion = connection.TLSVersion(r.TLS.Version)
	}
	if r.TLS != nil && r.TLS.CipherSuite != 0 { // unknown, where a proxy has it
		f.TLSCipher = tls.CipherSuiteName(r.TLS.CipherSuite)
	}
	return f
}

// utf8Text returns what a client sent in UTF-8, or in ISO 8859-1 as old ones do (RFC 7617
// 2.1 and B.3).
func utf8Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

// unauthorized asks for a login (RFC 7617 2).
func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="facteur", charset="UTF-8"`)
	http.Error(w, "Log in with your address and password.", http.StatusUnauthorized)
}

// throttled is how long who guessed too often is told to wait, in seconds.
const throttled = 60

// refuseLogin answers a failed login.
func refuseLogin(w http.ResponseWriter, err error) {
	f := fault.As(err)
	switch f.Kind {
	case fault.AuthFailed:
		unauthorized(w)
		return
	case fault.TryLater: // not 401: a client would ask for another password
		w.Header().Set("Retry-After", strconv.Itoa(throttled))
		http.Error(w, "Too many failed logins, try again later.", http.StatusTooManyRequests)
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(throttled))
	http.Error(w, "Logins can't be checked now, try again later.", http.StatusServiceUnavailable)
}

// memory is the logins that were accepted a short while ago: without it each request would
// ask the scripts about the login anew, and be told to the operator. It is bound to the
// client's address, about which they were asked.
type memory struct {
	key [32]byte // of this process

	mu   sync.Mutex
	seen map[mark]accepted
}

type mark [sha256.Size]byte

type accepted struct {
	cred  auth.Credential
	until time.Time
}

const (
	maxLogins = 4096
	loginAge  = 5 * time.Minute
)

func newMemory() *memory {
	m := &memory{seen: make(map[mark]accepted)}
	rand.Read(m.key[:]) // never fails (crypto/rand)
	return m
}

// id is under what a login is remembered.
func (m *memory) id(header string, from *origin) mark {
	text := append(m.key[:], from.service+"\x00"+from.remote().String()+"\x00"+header...)
	return sha256.Sum256(text)
}

func (m *memory) find(id mark, now time.Time) (auth.Credential, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.seen[id]
	return a.cred, ok && now.Before(a.until)
}

// add remembers a login, and forgets others when there are too many.
func (m *memory) add(id mark, cred auth.Credential, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) >= maxLogins {
		for other, a := range m.seen {
			if now.After(a.until) || len(m.seen) >= maxLogins {
				delete(m.seen, other)
			}
		}
	}
	m.seen[id] = accepted{cred, now.Add(loginAge)}
}
