package autoreply

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// FuzzReply: no message makes Judge panic, and none gets anything but its thread and its
// subject into the reply, whose lines every server takes.
func FuzzReply(f *testing.F) {
	f.Add("z@example.net", "To: alice@example.org\r\nSubject: Hello\r\nMessage-ID: <1@x>\r\nReferences: <0@x>\r\n\r\nText\r\n", "Away.", "")
	f.Add("z\xc3\xab@example.net", "To: alice@example.org\r\nSubject: =?utf-8?q?a=0D=0ABcc:_x?=\r\nIn-Reply-To: <a <b> c>\r\n\r\n", "--=_\nFrom x\r.\n", "<p>x")
	f.Add("z@example.net", "To: alice@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/calendar; method=\"reply\r\n\r\nx\r\n--b--\r\n", "x", "")
	f.Add("z@example.net", "To: alice@example.org\r\nContent-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\nTUVUSE9EOlJFUExZDQo=\r\n", "x", "")
	f.Fuzz(func(t *testing.T, from, raw, text, html string) {
		sender, err := address.Parse(from)
		if err != nil {
			return
		}
		body := envelope.Bytes(raw)
		h, err := message.ReadHeader(body)
		if err != nil {
			return
		}
		reply, why := Judge(Request{
			Kind: hook.Vacation, Options: hook.AutoReply{Text: text, HTML: html, Days: -1}, Now: time.Unix(1800000000, 0),
			Message: Message{ReversePath: sender, Header: h, Body: body, Submitted: true},
			Box:     Box{Address: addr("alice@example.org"), Own: own, MaySend: own},
		})
		if why != "" {
			return
		}
		env, written := reply.Write(stamp)
		checkWritten(t, env, written, sender)
	})
}

// checkWritten checks what holds for every message of this package.
func checkWritten(t *testing.T, env envelope.Envelope, written envelope.Bytes, to address.Address) {
	t.Helper()
	h, err := message.ReadHeader(written)
	if err != nil || h.Malformed() {
		t.Fatalf("a malformed header, %v:\n%q", err, written)
	}
	for _, name := range []string{"From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"} {
		if h.Count(name) != 1 {
			t.Errorf("%d times %s:\n%q", h.Count(name), name, written)
		}
	}
	for i := range h.Len() {
		switch name, _ := h.Field(i); name {
		case "From", "To", "Date", "Message-ID", "Subject", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
			"Content-Type", "Content-Transfer-Encoding":
		default:
			t.Errorf("a field %q:\n%q", name, written)
		}
	}
	if list, ok := h.Addresses("To"); !ok || len(list) != 1 || list[0].Key() != to.Key() {
		t.Errorf("To is %v:\n%q", list, written)
	}
	for line := range bytes.SplitSeq(written, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a line that servers do not take: %q", line)
		}
		if !env.Sender.SMTPUTF8 && strings.ContainsFunc(string(line), func(c rune) bool { return c >= 0x80 }) {
			t.Errorf("8-bit text without SMTPUTF8: %q", line)
		}
	}
	if _, err := message.ReadParts(written, written.Size()); err != nil {
		t.Error(err)
	}
}
