package relay

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/testkit"
)

func TestConvert(t *testing.T) {
	const multi = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npré\n--b\n"
	for _, c := range []struct{ name, in, want string }{
		{"text", "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\ncafé = 1 \n.\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nX: y\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 =3D 1=20\n.\n"},
		{"no MIME", "Subject: x\n\ncafé\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9\n"},
		{"no MIME, no UTF-8", "Subject: x\n\ncaf\xe9\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9\n"},
		{"folded fields", "Content-Type: text/plain;\n charset=utf-8\nContent-Transfer-Encoding:\n 8bit\n\né\n",
			"Content-Type: text/plain;\n charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9\n"},
		{"other content", "MIME-Version: 1.0\nContent-Type: image/png\nContent-Transfer-Encoding: binary\n\n\xff\xfe",
			"MIME-Version: 1.0\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n//4="},
		{"one part of two", multi + "\nplain\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n<p>é</p>\n--b--\nend\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??\n--b\n\nplain\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>=C3=A9</p>\n--b--\nend\n"},
		{"a message within", multi + "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: y\n\né\n--b--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: y\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9\n--b--\n"},
		{"signed beside", multi + "Content-Type: multipart/signed; boundary=s\n\n--s\n\nplain\n--s--\n--b\nContent-Type: text/plain; charset=utf-8\n\né\n--b--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??\n--b\nContent-Type: multipart/signed; boundary=s\n\n--s\n\nplain\n--s--\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9\n--b--\n"},
		{"signed", "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s\n\n--s\n\né\n--s--\n", ""},
		{"encrypted", "MIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary=s\n\n--s\n\né\n--s--\n", ""},
		{"wrong encoding", "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\né\n", ""},
		{"a part of a message", "MIME-Version: 1.0\nContent-Type: message/partial; id=x; number=1\n\né\n", ""},
		{"no parts", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\né\n", ""},
	} {
		got, err := convert(envelope.Bytes(testkit.CRLF(c.in)))
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: converted", c.name)
			}
			continue
		}
		if err != nil || string(got.(envelope.Bytes)) != testkit.CRLF(c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

// TestEightBit: what a server without 8BITMIME gets, and what it does not.
func TestEightBit(t *testing.T) {
	eight := testkit.CRLF("Subject: x\n\ncafé\n")
	for _, c := range []struct {
		name, body string
		extensions []string
		want       string
		data       string // what arrives
		from       string
	}{
		{"offered", eight, []string{"8BITMIME"}, "ok", eight, "FROM:<alice@example.org> BODY=8BITMIME"},
		{"converted", eight, []string{"SIZE 1000"}, "ok",
			testkit.CRLF("Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9\n"),
			"FROM:<alice@example.org> SIZE=130"},
		{"too large once converted", eight, []string{"SIZE 100"}, "552 5.3.4", "", ""},
		{"nothing to convert", content, []string{}, "ok", content, "FROM:<alice@example.org>"},
		{"signed", testkit.CRLF("MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s\n\n--s\n\né\n--s--\n"), []string{}, "554 5.6.3", "", ""},
	} {
		p := testkit.NewPeer(t, testkit.PeerOptions{Extensions: c.extensions})
		w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
		m := mail("one.example", "a")
		m.Body = envelope.Bytes(c.body)
		if got := brief(w.relay.Attempt(t.Context(), m)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		messages := p.Messages()
		if (len(messages) == 1) != (c.want == "ok") {
			t.Errorf("%s: %d messages", c.name, len(messages))
		} else if len(messages) == 1 && (messages[0].Data != c.data || messages[0].From != c.from) {
			t.Errorf("%s: %q %q", c.name, messages[0].From, messages[0].Data)
		}
	}
}

// leaves are the decoded contents of the parts that hold any.
func leaves(t *testing.T, raw []byte, p *message.Part) []string {
	if len(p.Children) > 0 {
		var all []string
		for _, c := range p.Children {
			all = append(all, leaves(t, raw, c)...)
		}
		return all
	}
	r, ok := p.Decoded(bytes.NewReader(raw))
	if !ok {
		return []string{string(raw[p.Body:p.End])}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return []string{strings.TrimRight(string(b), "\r\n")}
}

// FuzzConvert: what is converted has no 8-bit content, and its parts say the same.
func FuzzConvert(f *testing.F) {
	f.Add([]byte("Subject: x\r\n\r\ncaf\xc3\xa9 \r\n"))
	f.Add([]byte("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: message/rfc822\r\n\r\nContent-Type: text/plain\r\n\r\n\xe9=\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before, err := message.ReadParts(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		made, err := convert(envelope.Bytes(raw))
		if err != nil {
			return
		}
		out := []byte(made.(envelope.Bytes))
		after, err := message.ReadParts(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatal(err)
		}
		if before.Type == "multipart" || before.Type == "message" {
			return // a header within may hold 8-bit text, or a body look like a boundary
		}
		if !isASCII(out[after.Body:]) {
			t.Errorf("%q: 8-bit content in %q", raw, out)
		}
		a, b := leaves(t, raw, before), leaves(t, out, after)
		strict := !strings.ContainsAny(strings.ReplaceAll(string(raw), "\r\n", ""), "\r\n")
		if strict && strings.Join(a, "|") != strings.Join(b, "|") {
			t.Errorf("%q, then %q", a, b)
		}
	})
}
