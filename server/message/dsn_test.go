package message

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gomessage "github.com/emersion/go-message"

	"facteur/server/address"
	"facteur/server/envelope"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 10, 6, 12, 0, 0, 0, time.FixedZone("", 7200))

const original = "Received: from x by y; Thu, 01 Oct 2026 12:00:00 +0200\r\nFrom: alice@example.org\r\nTo: bob@example.net\r\n" +
	"Subject: =?utf-8?q?Caf=C3=A9?= at noon\r\nMessage-ID: <1@example.org>\r\n\r\nSee you there.\r\n.\r\n"

func failure() Report {
	return Report{
		ID: "abcdefgh", Hostname: "mail.example.org", Date: noon, To: address.MustParse("alice@example.org"),
		Arrival: noon.AddDate(0, 0, -5), Message: envelope.Bytes(original),
		Recipients: []ReportRecipient{{
			Address: address.MustParse("bob@example.net"), Action: Failed, Status: "5.1.1",
			Remote: "mx.example.net", Reply: "550 5.1.1 No such user here", Attempted: noon,
		}},
	}
}

func TestDSN(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(*Report)
		utf8      bool
		eightBits bool
		third     string // media type of the third part
	}{
		{"failed", func(r *Report) {}, false, false, "text/rfc822-headers"},
		{"failed-full", func(r *Report) { r.Full, r.EnvID = true, "QQ314159" }, false, false, "message/rfc822"},
		{"failed-several", func(r *Report) {
			r.Recipients[0].ORcpt = "rfc822;Bob@example.net"
			r.Recipients = append(r.Recipients, ReportRecipient{
				Address: address.MustParse("carol@nowhere.example"), Action: Failed, Status: "5.4.4", Reply: "The domain nowhere.example does not exist", Attempted: noon,
			}, ReportRecipient{
				Address: address.MustParse("dave@example.com"), Action: Failed, Status: "4.4.1", GaveUp: true,
				Reply: "No server of example.com could be reached (last tried: mx2.example.com)", Attempted: noon,
			})
		}, false, false, "text/rfc822-headers"},
		{"failed-utf8", func(r *Report) {
			r.UTF8 = true
			r.To = address.MustParse("jörg@example.org")
			r.Recipients[0] = ReportRecipient{Address: address.MustParse("пётр@example.net"), Action: Failed, Status: "5.6.7", Reply: "mx.example.net does not take such addresses", Attempted: noon}
		}, true, true, "message/global-headers"},
		{"failed-utf8-recipient", func(r *Report) {
			r.Recipients[0] = ReportRecipient{Address: address.MustParse("пётр@example.net"), ORcpt: `utf-8;пётр\x{2B}x@example.net`, Action: Failed, Status: "5.6.7", Reply: "mx.example.net does not take such addresses", Attempted: noon}
		}, false, false, "text/rfc822-headers"},
		{"failed-8bit", func(r *Report) {
			r.Full = true
			r.Message = envelope.Bytes(original + "caf\xe9\r\n")
		}, false, true, "message/rfc822"},
		{"failed-hostile", func(r *Report) {
			r.EnvID, r.Hostname = "a\r\nb", "mail.example.org\r\nX: y"
			r.Recipients[0].ORcpt = "rfc822;x\r\nStatus: 2.0.0"
			r.Recipients[0].Reply = "550 \r\n.\r\nno " + strings.Repeat("x", 3000) + " ü"
			r.Recipients[0].Remote = "mx\r\n"
			r.Message = envelope.Bytes("Subject: a\rb\x00c " + strings.Repeat("s", 2000) + "\r\nMessage-ID: <" + strings.Repeat("m", 2000) + ">\r\n\r\n")
		}, false, false, "text/rfc822-headers"},
		{"delayed", func(r *Report) {
			r.Full = true
			r.Arrival = noon.Add(-28 * time.Hour)
			r.HoldUntil = noon.Add(-4 * time.Hour)
			r.Recipients[0] = ReportRecipient{
				Address: address.MustParse("bob@example.net"), Action: Delayed, Status: "4.2.1", Remote: "mx.example.net",
				Reply: "450 4.2.1 Busy", Attempted: noon, RetryUntil: noon.AddDate(0, 0, 5),
			}
		}, false, false, "text/rfc822-headers"},
		{"delivered", func(r *Report) {
			r.Recipients[0] = ReportRecipient{Address: address.MustParse("bob@example.org"), Action: Delivered, Status: "2.0.0", Attempted: noon}
		}, false, false, "text/rfc822-headers"},
		{"relayed", func(r *Report) {
			r.Recipients[0] = ReportRecipient{
				Address: address.MustParse("bob@example.net"), Action: Relayed, Status: "2.0.0", Remote: "mx.example.net", Reply: "250 2.0.0 Ok", Attempted: noon,
			}
		}, false, false, "text/rfc822-headers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := failure()
			c.change(&r)
			d, err := FormatDSN(r)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(envelope.NewReader(d))
			if err != nil || int64(len(raw)) != d.Size() {
				t.Fatalf("%d octets of %d, %v", len(raw), d.Size(), err)
			}
			golden(t, "dsn-"+c.name, raw)
			checkDSN(t, raw, c.third)
			if d.SMTPUTF8 != c.utf8 || d.EightBits != c.eightBits {
				t.Errorf("SMTPUTF8 %v, 8BITMIME %v", d.SMTPUTF8, d.EightBits)
			}
			if d.EightBits == ascii(raw) {
				t.Error("8BITMIME does not agree with the octets")
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".eml")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update and look at the change): %v\n%s", path, err, got)
	}
}

// checkDSN reads a report with another implementation.
func checkDSN(t *testing.T, raw []byte, third string) {
	t.Helper()
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > hardLine && !bytes.HasPrefix(line, []byte("Message-ID: <mmm")) && !bytes.HasPrefix(line, []byte("Subject: a")) || bytes.ContainsRune(line, '\n') {
			t.Errorf("bad line %q", line)
		}
	}
	e, err := gomessage.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := e.Header.ContentType()
	if kind != "multipart/report" || params["report-type"] != "delivery-status" || err != nil {
		t.Error(kind, params, err)
	}
	parts := e.MultipartReader()
	for i := range 3 {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		kind, _, _ := p.Header.ContentType()
		if i == 2 && kind != third {
			t.Errorf("the third part is %s, not %s", kind, third)
		}
		if _, err := io.Copy(io.Discard, p.Body); err != nil {
			t.Errorf("part %d: %v", i, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Error("more than three parts:", err)
	}
}

func TestDSNErrors(t *testing.T) {
	r := failure()
	r.Recipients = nil
	if _, err := FormatDSN(r); err == nil {
		t.Error("a report on nobody")
	}
	r = failure()
	r.Full, r.Message = true, failing{envelope.Bytes(original)}
	if _, err := FormatDSN(r); err == nil {
		t.Error("the message can't be read, and yet a report with it")
	}
	// Without its header the message can be told of all the same.
	r = failure()
	r.Message = envelope.Bytes(strings.Repeat("x", MaxHeader+10))
	d, err := FormatDSN(r)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(envelope.NewReader(d))
	if !bytes.Contains(raw, []byte("Final-Recipient: rfc822; bob@example.net")) || bytes.Contains(raw, []byte("xxxx")) {
		t.Errorf("%s", raw)
	}
}

func TestJoined(t *testing.T) {
	j := joined{envelope.Bytes("ab"), envelope.Bytes(""), envelope.Bytes("cde"), envelope.Bytes("f")}
	if err := iotest.TestReader(envelope.NewReader(j), []byte("abcdef")); err != nil {
		t.Error(err)
	}
	if n, err := j.ReadAt(make([]byte, 3), 6); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	j = append(j, short{envelope.Bytes("g")})
	if _, err := j.ReadAt(make([]byte, 10), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestAdvice(t *testing.T) {
	for status, want := range map[string]string{
		"5.1.1": checkAddress, "5.1.99": checkAddress, "5.1.2": checkDomain, "4.2.2": fullMailbox, "5.7.26": refused, "4.4.7": tryAgain, "5.6.7": needASCII,
		"5.6.3": noEightBit, "4.7.5": notSecret, "5.7.10": requiresTLS, "5.7.30": requiresTLS, "5.7.1": refused,
	} {
		if got := advice(status); got != want {
			t.Errorf("%s: %s", status, got)
		}
	}
	for status, want := range map[string]string{
		"5.1.1": tellForwarder, "5.1.2": tellForwarder, "5.1.10": tellForwarder, "5.2.2": fullMailbox, "5.7.1": refused,
	} {
		if got := (&ReportRecipient{Status: status, Forwarded: true}).advice(); got != want {
			t.Errorf("forwarded, %s: %s", status, got)
		}
	}
	for _, odd := range []string{"", "5", "5.0.0", "x.y.z"} {
		if advice(odd) == "" {
			t.Errorf("no advice for %q", odd)
		}
	}
}
