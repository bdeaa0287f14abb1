package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

// client is a session with a server, which has been greeted.
type client struct {
	conn     net.Conn
	raw      net.Conn // below TLS
	r        *bufio.Reader
	timeouts Timeouts
	stop     func() bool // ends the watch over the context
	host     string
	ext      map[string]string // keyword in upper case to its parameters (RFC 5321 4.1.1.1)
	tls      string
	block    []byte // to read content into
	out      []byte // to write it from
	broken   bool   // no further command makes sense
	dirty    bool   // a transaction was begun and not ended

	made  time.Time
	uses  int       // transactions so far
	quiet chan bool // of a session in the pool: gets whether the server was silent
}

// hostError is the failure of a server as a whole.
type hostError struct{ Result }

func (e *hostError) Error() string { return e.Fault.Error() }

// connect opens a session that meets the need of a hop.
func (a *attempt) connect(ctx context.Context, h hop) (*client, *Result) {
	c, err := a.open(ctx, h, true)
	var noTLS *tlsError
	if errors.As(err, &noTLS) {
		if h.need.strict() {
			return nil, &Result{Fault: h.tlsFault(noTLS)}
		}
		// RFC 7435: better in the clear than not at all. What has failed has spoiled
		// the connection.
		a.opts.Log.Info("relay.plaintext", "id", a.t.msg.ID, "host", h.host, "address", h.at.String(), "reason", noTLS.text)
		c, err = a.open(ctx, h, false)
	}
	var failed *hostError
	switch {
	case errors.As(err, &failed):
		return nil, &failed.Result
	case err != nil:
		return nil, &Result{Fault: fault.As(err)}
	}
	return c, nil
}

// open dials, is greeted, says EHLO, and encrypts where that is offered and wanted,
// and logs in at a smarthost. The error is a *hostError or a *tlsError.
func (a *attempt) open(ctx context.Context, h hop, wantTLS bool) (*client, error) {
	begun := a.opts.Now()
	c, err := a.dial(ctx, h)
	if err == nil {
		err = a.greet(c, &h, wantTLS)
	}
	if err == nil && h.smart != nil {
		err = a.logIn(c, h.smart)
	}
	if err == nil {
		a.silence.forget(h.at)
		return c, nil
	}
	var failed *hostError
	if errors.As(err, &failed) && ctx.Err() == nil && (c == nil || timedOut(failed.Fault)) {
		a.silence.note(h.at, failed.Fault, a.opts.Now().Sub(begun), a.opts.Now())
	}
	if c != nil {
		c.unwatch()
		c.close()
	}
	return nil, err
}

// dial opens the connection.
func (a *attempt) dial(ctx context.Context, h hop) (*client, error) {
	dialCtx, cancel := context.WithTimeout(ctx, a.opts.Timeouts.Connect)
	defer cancel()
	conn, err := a.opts.Dial(dialCtx, "tcp", h.at.String())
	if err != nil {
		f := fault.Reply(fault.Undeliverable, 451, "4.4.1", "Could not connect to "+h.host+" ["+h.at.Addr().String()+"]"+unreachable(err))
		f.Cause = err
		return nil, &hostError{Result{Fault: f}}
	}
	c := &client{conn: conn, raw: conn, r: bufio.NewReaderSize(conn, maxLine), timeouts: a.opts.Timeouts, host: h.host, made: time.Now()}
	c.watch(ctx)
	return c, nil
}

// greet reads the greeting and says EHLO, before and after STARTTLS.
func (a *attempt) greet(c *client, h *hop, wantTLS bool) error {
	own := a.live.Hostname
	if h.need.implicit {
		if err := a.handshake(c, h); err != nil {
			return err
		}
	}
	greeting, err := c.reply(c.timeouts.Command)
	if res := c.result(greeting, err); res.Fault != nil {
		return &hostError{res}
	}
	if name, _, _ := strings.Cut(greeting.text(), " "); strings.EqualFold(name, own) {
		return &hostError{Result{Fault: fault.New(fault.Loop, c.host+" is this server itself: mail would go round in a circle")}}
	}
	if err := c.hello(own); err != nil {
		return err
	}
	if wantTLS && !h.need.implicit {
		if err := a.startTLS(c, h); err != nil {
			return err
		}
	}
	if _, ok := c.ext["REQUIRETLS"]; h.need.require && !ok { // RFC 8689 4.2.1
		return &hostError{Result{
			Fault: fault.Reply(fault.EncryptionNeeded, 550, "5.7.30", c.host+" does not support REQUIRETLS, which the sender of this message asks for"),
			TLS:   c.tls, Reached: true,
		}}
	}
	return nil
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

func (c *client) offers(extension string) bool {
	_, ok := c.ext[extension]
	return ok
}

// watch makes the end of ctx end the session.
func (c *client) watch(ctx context.Context) {
	c.stop = context.AfterFunc(ctx, func() { c.raw.Close() })
}

// unwatch ends the watch; it tells whether ctx had not ended yet.
func (c *client) unwatch() bool { return c.stop() }

// result turns an exchange into what it means for a recipient.
func (c *client) result(r reply, err error) Result {
	switch {
	case err != nil:
		return Result{Fault: c.lost(err), TLS: c.tls}
	case r.code/100 != 2:
		return Result{Fault: r.fault(), Remote: c.host, TLS: c.tls}
	}
	return Result{Remote: c.host, Reply: r.String(), DSN: c.offers("DSN"), TLS: c.tls}
}

// close says QUIT, when there is anybody to hear it, and closes the connection.
func (c *client) close() {
	if !c.broken {
		c.command(c.timeouts.Quit, "QUIT") // the answer changes nothing
	}
	c.conn.Close()
}

func (c *client) deadline(d time.Duration) { c.conn.SetDeadline(time.Now().Add(d)) }

// lost tells of a connection that broke.
func (c *client) lost(err error) *fault.Fault {
	c.broken = true
	why := " closed the connection"
	if timedOut(err) {
		why = " did not answer in time"
	} else if errors.Is(err, errProtocol) {
		why = " does not speak SMTP"
	}
	f := fault.Wrap(fault.Undeliverable, c.host+why, err).AsTemporary()
	f.Status = "4.2" // RFC 3463: bad connection
	return f
}

// unreachable says in plain words why a connection could not be made, where that is known.
func unreachable(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ": nothing listens there"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return ": there is no way to it"
	case timedOut(err):
		return ": it did not answer in time"
	}
	return ""
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// command sends a line and reads the reply. The caller has made sure that the line
// holds no line end.
func (c *client) command(timeout time.Duration, line string) (reply, error) {
	if err := c.write(timeout, line+"\r\n"); err != nil {
		c.broken = true
		return reply{}, err
	}
	return c.reply(timeout)
}

func (c *client) write(timeout time.Duration, lines string) error {
	if c.r.Buffered() > 0 { // a reply to nothing: which is for what could not be told any more
		return fmt.Errorf("%w: it spoke out of turn", errProtocol)
	}
	c.deadline(timeout)
	_, err := io.WriteString(c.conn, lines)
	return err
}

// blockSize is how much of a message is read at once.
const blockSize = 64 << 10

// content sends a message with dot-stuffing and the line that ends it, a small one in
// one write. sent tells whether the end has been sent; an error of reading b is a
// fault.Fault.
func (c *client) content(b envelope.Body) (sent bool, err error) {
	if c.block == nil {
		c.block = make([]byte, min(blockSize, max(b.Size(), 4<<10)))
	} else if int64(len(c.block)) < min(blockSize, b.Size()) {
		c.block = make([]byte, blockSize)
	}
	w := &dotWriter{w: deadlineWriter{c}, buf: c.out[:0]}
	defer func() { c.out = w.buf }()
	size := b.Size()
	for at := int64(0); at < size; {
		n, err := b.ReadAt(c.block[:min(int64(len(c.block)), size-at)], at)
		if at += int64(n); err != nil && !(err == io.EOF && at == size) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return false, fault.Wrap(fault.Internal, "The message could not be read", err)
		}
		w.add(c.block[:n])
		if at < size {
			if err := w.flush(); err != nil {
				return false, err
			}
		}
	}
	w.end()
	if err := w.flush(); err != nil {
		return false, err // the last octets were not sent
	}
	return true, nil
}

// deadlineWriter gives each write its own time.
type deadlineWriter struct{ c *client }

func (w deadlineWriter) Write(p []byte) (int, error) {
	w.c.deadline(w.c.timeouts.Block)
	return w.c.conn.Write(p)
}
