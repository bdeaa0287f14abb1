package relay

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"facteur/server/fault"
)

// The limits of a reply. RFC 5321 4.5.3.1.5 asks for 512 octets a line.
const (
	maxLine  = 2048
	maxLines = 200
)

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
