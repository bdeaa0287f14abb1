package testkit

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Stage is a point of an SMTP session at which a Peer may misbehave.
type Stage string

// The stages.
const (
	Greeting  Stage = "greeting"  // the connection is open
	Ehlo      Stage = "ehlo"      // EHLO
	Helo      Stage = "helo"      // HELO
	StartTLS  Stage = "starttls"  // STARTTLS
	Handshake Stage = "handshake" // after its 220; any answer is sent in place of a handshake
	Mail      Stage = "mail"      // MAIL FROM
	Rcpt      Stage = "rcpt"      // RCPT TO
	Data      Stage = "data"      // DATA
	Body      Stage = "body"      // the first line of the content
	Dot       Stage = "dot"       // the end of the content
	Rset      Stage = "rset"      // RSET
	Auth      Stage = "auth"      // AUTH, and each line that follows
	Quit      Stage = "quit"      // QUIT
)

// Answers that are no replies.
const (
	Drop = "\x00drop" // close the connection without a reply
	Hang = "\x00hang" // never reply
	// Reset tears the connection down: what is on its way to the client is lost.
	Reset = "\x00reset"
)

// PeerOptions say what a Peer is like.
type PeerOptions struct {
	Name string // in its greeting; "" is peer.example
	// Extensions are told in reply to EHLO; nil is a usual set. STARTTLS comes with TLS.
	Extensions []string
	TLS        *tls.Config
	Forgetful  bool              // keeps neither messages nor lines, for benchmarks
	Implicit   bool              // TLS from the start
	Logins     map[string]string // name to password; not nil: AUTH PLAIN and LOGIN are offered once there is TLS
	// Answer returns the reply at a stage to a line (of Rcpt "TO:<a@b>"): "" is the
	// usual one, several lines are separated by "\n". It is called by several
	// sessions at once.
	Answer func(s Stage, line string) string
}

// Received is a message that a Peer took with a 250.
type Received struct {
	Helo  string // "EHLO name"
	TLS   bool
	Login string   // "" without
	From  string   // the argument of MAIL: "FROM:<a@b> SIZE=1"
	To    []string // the arguments of RCPT that were taken
	Data  string   // the content, without dot-stuffing
}

// Peer is a remote mail server.
type Peer struct {
	opts PeerOptions
	ln   net.Listener
	end  chan struct{}

	mu       sync.Mutex
	conns    map[net.Conn]bool
	sessions int
	messages []Received
	lines    []string
}

// NewPeer starts a peer. It ends with the test.
func NewPeer(t testing.TB, o PeerOptions) *Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Name == "" {
		o.Name = "peer.example"
	}
	if o.Extensions == nil {
		o.Extensions = []string{"8BITMIME", "SIZE 10000000", "SMTPUTF8", "DSN", "PIPELINING", "ENHANCEDSTATUSCODES"}
	}
	if o.Answer == nil {
		o.Answer = func(Stage, string) string { return "" }
	}
	p := &Peer{opts: o, ln: ln, end: make(chan struct{}), conns: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	running.Go(func() { p.serve(&running) })
	t.Cleanup(func() {
		p.close()
		running.Wait()
	})
	return p
}

// Addr is the peer's address, "127.0.0.1:port".
func (p *Peer) Addr() string { return p.ln.Addr().String() }

// Messages returns what was taken so far.
func (p *Peer) Messages() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.messages)
}

// Lines returns the command lines of all sessions so far.
func (p *Peer) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// Sessions is the number of connections so far.
func (p *Peer) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions
}

func (p *Peer) close() {
	close(p.end)
	p.ln.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Peer) serve(running *sync.WaitGroup) {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		p.sessions++
		p.conns[c] = true
		p.mu.Unlock()
		running.Go(func() {
			s := peerSession{peer: p}
			s.use(c)
			s.run()
			c.Close()
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
		})
	}
}

// peerSession is one connection.
type peerSession struct {
	peer *Peer
	conn net.Conn
	r    *bufio.Reader
	now  Received
	mail bool // MAIL was taken
}

func (s *peerSession) use(c net.Conn) { s.conn, s.r = c, bufio.NewReader(c) }

// reply answers at a stage; ok is false when the session is over. good tells
// whether the answer was not a refusal.
func (s *peerSession) reply(stage Stage, line, usual string) (good, ok bool) {
	answer := s.peer.opts.Answer(stage, line)
	if answer == "" {
		answer = usual
	}
	return s.say(answer)
}

// say sends an answer.
func (s *peerSession) say(answer string) (good, ok bool) {
	switch answer {
	case Drop:
		return false, false
	case Hang:
		<-s.peer.end
		return false, false
	case Reset:
		conn := s.conn
		if c, ok := conn.(*tls.Conn); ok {
			conn = c.NetConn()
		}
		conn.(*net.TCPConn).SetLinger(0) // the close that follows is a reset
		conn.Close()
		return false, false
	}
	lines := strings.Split(answer, "\n")
	for i, l := range lines {
		if i < len(lines)-1 && len(l) > 3 && l[3] == ' ' {
			l = l[:3] + "-" + l[4:]
		}
		if _, err := fmt.Fprintf(s.conn, "%s\r\n", l); err != nil {
			return false, false
		}
	}
	return answer[0] < '4', true
}

func (s *peerSession) run() {
	if s.peer.opts.Implicit && !s.handshake() {
		return
	}
	if _, ok := s.reply(Greeting, "", "220 "+s.peer.opts.Name+" ESMTP"); !ok {
		return
	}
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.peer.mu.Lock()
		if !s.peer.opts.Forgetful {
			s.peer.lines = append(s.peer.lines, line)
		}
		s.peer.mu.Unlock()
		if !s.command(line) {
			return
		}
	}
}

func (s *peerSession) command(line string) (ok bool) {
	verb, arg, _ := strings.Cut(line, " ")
	good := true
	switch strings.ToUpper(verb) {
	case "EHLO":
		if good, ok = s.reply(Ehlo, arg, s.ehlo()); good {
			s.now = Received{Helo: line, TLS: s.now.TLS, Login: s.now.Login}
		}
	case "HELO":
		if good, ok = s.reply(Helo, arg, "250 "+s.peer.opts.Name); good {
			s.now = Received{Helo: line, TLS: s.now.TLS, Login: s.now.Login}
		}
	case "STARTTLS":
		ok = s.startTLS()
	case "MAIL":
		if good, ok = s.reply(Mail, arg, "250 2.1.0 Ok"); good {
			s.now.From, s.now.To = arg, nil
		}
		s.mail = good
	case "RCPT":
		if !s.mail {
			_, ok = s.say("503 5.5.1 MAIL first")
			break
		}
		if good, ok = s.reply(Rcpt, arg, "250 2.1.5 Ok"); good {
			s.now.To = append(s.now.To, arg)
		}
	case "DATA":
		usual := "354 Go on"
		if len(s.now.To) == 0 {
			usual = "503 5.5.1 RCPT first"
		}
		if good, ok = s.reply(Data, "", usual); good {
			ok = s.data()
		}
	case "AUTH":
		ok = s.auth(arg)
	case "RSET":
		s.now.From, s.now.To, s.mail = "", nil, false
		_, ok = s.reply(Rset, "", "250 2.0.0 Ok")
	case "QUIT":
		s.reply(Quit, "", "221 2.0.0 Bye")
	default:
		_, err := fmt.Fprint(s.conn, "500 5.5.1 What?\r\n")
		ok = err == nil
	}
	return ok
}

func (s *peerSession) ehlo() string {
	lines := []string{"250 " + s.peer.opts.Name}
	for _, e := range s.peer.opts.Extensions {
		lines = append(lines, "250 "+e)
	}
	if s.peer.opts.TLS != nil && !s.now.TLS {
		lines = append(lines, "250 STARTTLS")
	}
	if s.peer.opts.Logins != nil && s.now.TLS {
		lines = append(lines, "250 AUTH "+s.peer.mechanisms())
	}
	return strings.Join(lines, "\n")
}

func (s *peerSession) startTLS() bool {
	if s.peer.opts.TLS == nil {
		_, err := fmt.Fprint(s.conn, "502 5.5.1 No\r\n")
		return err == nil
	}
	good, ok := s.reply(StartTLS, "", "220 2.0.0 Go on")
	if !good {
		return ok
	}
	if a := s.peer.opts.Answer(Handshake, ""); a != "" {
		_, ok = s.say(a)
		return ok
	}
	return s.handshake()
}

func (s *peerSession) handshake() bool {
	c := tls.Server(s.conn, s.peer.opts.TLS)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if c.Handshake() != nil {
		return false
	}
	c.SetDeadline(time.Time{})
	s.use(c)
	s.now = Received{TLS: true}
	return true
}

// data reads the content (RFC 5321 4.5.2).
func (s *peerSession) data() bool {
	var content strings.Builder
	for first := true; ; first = false {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		if first {
			if a := s.peer.opts.Answer(Body, line); a != "" {
				s.say(a)
				return false
			}
		}
		content.WriteString(strings.TrimPrefix(line, "."))
	}
	s.now.Data = content.String()
	usual := "250 2.0.0 Ok: queued"
	if len(s.now.To) == 0 {
		usual = "554 5.5.1 No recipients"
	}
	ok := s.end(usual)
	s.now.From, s.now.To, s.mail = "", nil, false
	return ok
}

// end answers the end of the content. What is taken is in Messages before the client
// can go on, and only when it was told so.
func (s *peerSession) end(usual string) bool {
	answer := s.peer.opts.Answer(Dot, "")
	if answer == "" {
		answer = usual
	}
	if answer == Drop || answer == Hang || answer == Reset {
		_, ok := s.say(answer)
		return ok
	}
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	_, ok := s.say(answer)
	if ok && answer[0] == '2' && !s.peer.opts.Forgetful {
		s.peer.messages = append(s.peer.messages, s.now)
	}
	return ok
}
