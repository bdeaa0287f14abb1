package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// The limits of a reply. RFC 5321 4.5.3.1.5 asks for 512 octets a line.
const (
	maxLine  = 2048
	maxLines = 200
)

// client is a connection to a server, which has been greeted.
type client struct {
	conn     net.Conn
	r        *bufio.Reader
	timeouts Timeouts
	stop     func() bool // ends the watch over the context
	host     string
	ext      map[string]string // keyword in upper case to its parameters (RFC 5321 4.1.1.1)
	tls      string
	broken   bool // no further command makes sense
}

// hostError is the failure of a server as a whole.
type hostError struct{ Result }

func (e *hostError) Error() string { return e.Fault.Error() }

// errTLS is returned by connect when STARTTLS was offered and failed.
var errTLS = errors.New("TLS could not be negotiated")

// connect opens a session: greeting, EHLO, and STARTTLS where it is offered and
// wanted. The error is a *hostError or errTLS.
func (r *Relay) connect(ctx context.Context, h hop, wantTLS bool) (*client, error) {
	dialCtx, cancel := context.WithTimeout(ctx, r.opts.Timeouts.Connect)
	defer cancel()
	to := netip.AddrPortFrom(h.addr, uint16(r.opts.Port)).String()
	conn, err := r.opts.Dial(dialCtx, "tcp", to)
	if err != nil {
		f := fault.Reply(fault.Undeliverable, 451, "4.4.1", "Could not connect to "+h.host+" ["+h.addr.String()+"]")
		f.Cause = err
		return nil, &hostError{Result{Fault: f}}
	}
	c := &client{
		conn: conn, r: bufio.NewReaderSize(conn, maxLine), timeouts: r.opts.Timeouts, host: h.host,
		stop: context.AfterFunc(ctx, func() { conn.Close() }),
	}
	err = c.open(r.opts.Hostname)
	if _, offered := c.ext["STARTTLS"]; err == nil && offered && wantTLS {
		err = c.startTLS(r.opts.Hostname)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open reads the greeting and says EHLO.
func (c *client) open(hostname string) error {
	greeting, err := c.reply(c.timeouts.Command)
	if res := c.result(greeting, err); res.Fault != nil {
		return &hostError{res}
	}
	if name, _, _ := strings.Cut(greeting.text(), " "); strings.EqualFold(name, hostname) {
		return &hostError{Result{Fault: fault.New(fault.Loop, c.host+" is this server itself: mail would go round in a circle")}}
	}
	return c.hello(hostname)
}

// hello says EHLO, or HELO to a server that does not know it (RFC 5321 3.2).
func (c *client) hello(hostname string) error {
	r, err := c.command(c.timeouts.Command, "EHLO "+hostname)
	if err == nil && r.code/100 == 5 {
		r, err = c.command(c.timeouts.Command, "HELO "+hostname)
		r.lines = r.lines[:min(len(r.lines), 1)]
	}
	if res := c.result(r, err); res.Fault != nil {
		return &hostError{res}
	}
	c.ext = make(map[string]string)
	for _, line := range r.lines[1:] {
		keyword, params, _ := strings.Cut(line, " ")
		c.ext[strings.ToUpper(keyword)] = params
	}
	return nil
}

// startTLS encrypts the connection. Any certificate will do: who may listen could
// as well take STARTTLS away (RFC 7435).
func (c *client) startTLS(hostname string) error {
	r, err := c.command(c.timeouts.Command, "STARTTLS")
	if err != nil || c.broken {
		return errTLS
	}
	if r.code != 220 {
		return nil // offered and refused: go on without (RFC 3207 4)
	}
	if c.r.Buffered() > 0 {
		return c.noTLS() // sent before the handshake: not the server's words
	}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: c.host, MinVersion: tls.VersionTLS12}
	conn := tls.Client(c.conn, config)
	c.deadline(c.timeouts.Command)
	if conn.Handshake() != nil {
		return c.noTLS()
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, maxLine)
	c.tls = strings.ReplaceAll(tls.VersionName(conn.ConnectionState().Version), " ", "")
	c.ext = nil // RFC 3207 4.2
	if c.hello(hostname) != nil {
		return c.noTLS()
	}
	return nil
}

// noTLS gives the connection up: what was said on it can't be trusted.
func (c *client) noTLS() error {
	c.broken = true
	return errTLS
}

// result turns an exchange into what it means for a recipient.
func (c *client) result(r reply, err error) Result {
	switch {
	case err != nil:
		return Result{Fault: c.lost(err), TLS: c.tls}
	case r.code/100 != 2:
		return Result{Fault: r.fault(), Remote: c.host, TLS: c.tls}
	}
	_, dsn := c.ext["DSN"]
	return Result{Remote: c.host, Reply: r.String(), DSN: dsn, TLS: c.tls}
}

// close says QUIT, when there is anybody to hear it, and closes the connection.
func (c *client) close() {
	if !c.broken {
		c.command(c.timeouts.Quit, "QUIT") // the answer changes nothing
	}
	c.stop()
	c.conn.Close()
}

func (c *client) deadline(d time.Duration) { c.conn.SetDeadline(time.Now().Add(d)) }

// lost tells of a connection that broke.
func (c *client) lost(err error) *fault.Fault {
	c.broken = true
	why := " closed the connection"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		why = " did not answer in time"
	} else if errors.Is(err, errProtocol) {
		why = " does not speak SMTP"
	}
	f := fault.Wrap(fault.Undeliverable, c.host+why, err).AsTemporary()
	f.Status = "4.2" // RFC 3463: bad connection
	return f
}

// command sends a line and reads the reply. The caller has made sure that the line
// holds no line end.
func (c *client) command(timeout time.Duration, line string) (reply, error) {
	c.deadline(timeout)
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		c.broken = true
		return reply{}, err
	}
	return c.reply(timeout)
}

// reply is a reply of the server.
type reply struct {
	code  int
	lines []string // without the code
}

var errProtocol = errors.New("not a reply of SMTP")

// reply reads a reply (RFC 5321 4.2.1).
func (c *client) reply(timeout time.Duration) (reply, error) {
	c.deadline(timeout)
	r, err := readReply(c.r)
	if err != nil || r.code == 421 { // RFC 5321 3.8: the server closes
		c.broken = true
	}
	return r, err
}

func readReply(br *bufio.Reader) (reply, error) {
	var r reply
	for {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return r, fmt.Errorf("%w: a line of more than %d octets", errProtocol, maxLine)
		}
		if err != nil {
			return r, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if len(text) == 3 {
			text += " "
		}
		if len(text) < 4 || text[3] != ' ' && text[3] != '-' {
			return r, errProtocol
		}
		code, err := strconv.ParseUint(text[:3], 10, 16)
		if err != nil || code < 200 || code > 599 || r.code != 0 && r.code != int(code) {
			return r, errProtocol
		}
		r.code = int(code)
		r.lines = append(r.lines, text[4:])
		if text[3] == ' ' {
			return r, nil
		}
		if len(r.lines) == maxLines {
			return r, fmt.Errorf("%w: a reply of more than %d lines", errProtocol, maxLines)
		}
	}
}

// enhanced returns the enhanced code (RFC 2034), "" when there is none.
func (r reply) enhanced() string {
	if len(r.lines) == 0 {
		return ""
	}
	code, _, _ := strings.Cut(r.lines[0], " ")
	class, rest, ok := strings.Cut(code, ".")
	subject, detail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || class != strconv.Itoa(r.code/100) || !isNumber(subject) || !isNumber(detail) {
		return ""
	}
	return code
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// text returns the lines as one, without enhanced codes.
func (r reply) text() string {
	code := r.enhanced()
	var b strings.Builder
	for _, l := range r.lines {
		if code != "" {
			l = strings.TrimPrefix(l, code)
		}
		if l = strings.TrimSpace(l); l != "" && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(l)
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// String is the reply as one line.
func (r reply) String() string {
	return strings.Join(strings.Fields(strconv.Itoa(r.code)+" "+r.enhanced()+" "+r.text()), " ")
}

// fault returns a refusal as a Fault. A code that makes no sense here counts as a
// refusal for the moment.
func (r reply) fault() *fault.Fault {
	code, enhanced := r.code, r.enhanced()
	if code < 400 {
		code = 451
	}
	if enhanced == "" {
		enhanced = strconv.Itoa(code/100) + ".0.0"
	}
	return fault.Reply(fault.Undeliverable, code, enhanced, r.text())
}

// content sends a message with dot-stuffing and the line that ends it. sent tells
// whether the end may have reached the server; an error of reading b is a
// fault.Fault.
func (c *client) content(b envelope.Body) (sent bool, err error) {
	w := &dotWriter{w: deadlineWriter{c}}
	r := envelope.NewReader(b)
	block := make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r, block)
		if _, err := w.Write(block[:n]); err != nil {
			return false, err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return false, fault.Wrap(fault.Internal, "The message could not be read", err)
		}
	}
	if r, size := w.read, b.Size(); r != size {
		return false, fault.Wrap(fault.Internal, "The message could not be read", io.ErrUnexpectedEOF)
	}
	return true, w.close()
}

// deadlineWriter gives each write its own time.
type deadlineWriter struct{ c *client }

func (w deadlineWriter) Write(p []byte) (int, error) {
	w.c.deadline(w.c.timeouts.Block)
	return w.c.conn.Write(p)
}
