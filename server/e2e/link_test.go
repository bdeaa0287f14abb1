package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// link is a raw connection to a service, with the few rules that tell where a
// reply of SMTP, LMTP, IMAP or POP3 ends.
type link struct {
	service string
	conn    net.Conn
	in      *bufio.Reader
	log     func(format string, args ...any)
}

// dial connects to a service; "smtps" and the like speak TLS from the start.
func dial(service, address string, log func(string, ...any)) (*link, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return nil, err
	}
	l := &link{service: service, log: log}
	l.use(conn)
	if service == "submissions" || service == "imaps" || service == "pop3s" {
		return l, l.startTLS()
	}
	return l, nil
}

func (l *link) use(conn net.Conn) { l.conn, l.in = conn, bufio.NewReader(conn) }

// startTLS makes the TLS handshake. What came before it in the clear must not
// be taken for what comes under TLS, so an unread rest is an error.
func (l *link) startTLS() error {
	if n := l.in.Buffered(); n > 0 {
		return fmt.Errorf("%d octets are unread before the TLS handshake", n)
	}
	conn := tls.Client(l.conn, &tls.Config{InsecureSkipVerify: true}) // the tests' certificates are self-signed
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	l.use(conn)
	return nil
}

func (l *link) imap() bool { return strings.HasPrefix(l.service, "imap") }

func (l *link) pop3() bool { return strings.HasPrefix(l.service, "pop3") }

// send writes raw octets.
func (l *link) send(p []byte) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := l.conn.Write(p)
	return err
}

var literal = regexp.MustCompile(`\{(\d+)\}$`)

// reply reads a line without its end, and with the literals that stand in it.
func (l *link) reply() (string, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			if line != "" {
				err = fmt.Errorf("%w after %q", err, line)
			}
			return "", err
		}
		line, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return "", fmt.Errorf("the line %q does not end in CRLF", line)
		}
		b.WriteString(line)
		m := literal.FindStringSubmatch(line)
		if m == nil || !l.imap() {
			break
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return "", err
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(l.in, text); err != nil {
			return "", err
		}
		b.WriteString("\r\n")
		b.Write(text)
	}
	l.log("S: %s", b.String())
	return b.String(), nil
}

// passing tells whether a line is one that may come before the awaited one: a
// continued reply of SMTP, an untagged one of IMAP. In POP3 there is none.
func (l *link) passing(line string) bool {
	switch {
	case l.imap():
		return strings.HasPrefix(line, "* ")
	case l.pop3():
		return false
	}
	return len(line) > 3 && line[3] == '-'
}

// expect reads until a line matches the pattern, in which * and ?
// are wildcards. Passing lines may come before; none may match one of never.
func (l *link) expect(pattern string, never []string) error {
	re, err := wildcard(pattern)
	if err != nil {
		return err
	}
	for {
		line, err := l.reply()
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", pattern, err)
		}
		if err := spared(line, never); err != nil {
			return err
		}
		if re.MatchString(line) {
			return nil
		}
		if !l.passing(line) {
			return fmt.Errorf("the server said %q instead of %q", line, pattern)
		}
	}
}

// expectWhole reads to the end of a reply and wants all its lines together to
// match the pattern, and none to match one of never.
func (l *link) expectWhole(pattern string, never []string) error {
	re, err := wildcard(pattern)
	if err != nil {
		return err
	}
	lines, err := l.whole()
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", pattern, err)
	}
	for _, line := range lines {
		if err := spared(line, never); err != nil {
			return err
		}
	}
	if whole := strings.Join(lines, "\n"); !re.MatchString(whole) {
		return fmt.Errorf("the server said %q instead of %q", whole, pattern)
	}
	return nil
}

// whole reads a reply to its last line, the first that is not passing.
func (l *link) whole() ([]string, error) {
	var lines []string
	for {
		line, err := l.reply()
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
		if !l.passing(line) {
			return lines, nil
		}
	}
}

// spared fails when a line is one that must not come.
func spared(line string, never []string) error {
	for _, n := range never {
		if bad, err := wildcard(n); err != nil || bad.MatchString(line) {
			return fmt.Errorf("the server said %q, and never should (%v)", line, err)
		}
	}
	return nil
}

// closed reads to the end of the connection; only passing lines may come.
func (l *link) closed() error {
	for {
		line, err := l.reply()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for the end: %w", err)
		}
		if !l.passing(line) {
			return fmt.Errorf("the server said %q instead of closing the connection", line)
		}
	}
}

// wildcard compiles a pattern in which * stands for any text, also over lines,
// and ? for any character.
func wildcard(pattern string) (*regexp.Regexp, error) {
	quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.Compile(`(?s)^` + quoted + `$`)
}
