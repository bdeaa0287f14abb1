package relay

import (
	"bytes"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"facteur/server/envelope"
	"facteur/server/testkit"
)

func TestDotWriter(t *testing.T) {
	for in, want := range map[string]string{
		"":                ".\r\n",
		"a\r\n":           "a\r\n.\r\n",
		"a":               "a\r\n.\r\n",
		"a\r":             "a\r\n.\r\n",
		".\r\n":           "..\r\n.\r\n",
		"a\r\n.\r\nb\r\n": "a\r\n..\r\nb\r\n.\r\n",
		"..a\r\n.b.\r\n":  "...a\r\n..b.\r\n.\r\n",
		// A message holds none of these; no server may take them for the end.
		"a\n.\nb":      "a\r\n..\r\nb\r\n.\r\n",
		"a\r.\rb":      "a\r\n..\r\nb\r\n.\r\n",
		"a\n.\r\nMAIL": "a\r\n..\r\nMAIL\r\n.\r\n",
		"a\r\n.\nb":    "a\r\n..\r\nb\r\n.\r\n",
		"a\r\r\n\n":    "a\r\n\r\n\r\n.\r\n",
		"a\r\n\r\n.":   "a\r\n\r\n..\r\n.\r\n",
	} {
		for size := 1; size <= len(in)+1; size++ { // however it is cut up
			var b bytes.Buffer
			w := dotWriter{w: &b}
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				w.add([]byte(rest[:n]))
				rest = rest[n:]
			}
			w.end()
			w.flush()
			if b.String() != want {
				t.Errorf("%q by %d: %q, want %q", in, size, b.String(), want)
			}
		}
	}
}

func FuzzDotWriter(f *testing.F) {
	f.Add([]byte("a\r\n.\r\nb"), 2)
	f.Add([]byte("\n.\n\r.\r"), 1)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var b bytes.Buffer
		w := dotWriter{w: &b}
		for rest := in; len(rest) > 0; {
			n := max(1, min(size, len(rest)))
			w.add(rest[:n])
			rest = rest[n:]
		}
		w.end()
		w.flush()
		out := b.String()
		body, ok := strings.CutSuffix(out, ".\r\n")
		if !ok || body != "" && !strings.HasSuffix(body, "\r\n") {
			t.Fatalf("%q is not ended", out)
		}
		var lines []string
		for line := range strings.SplitSeq(body, "\r\n") {
			if line == "." || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%q ends early", out)
			}
			lines = append(lines, strings.TrimPrefix(line, "."))
		}
		strict := !strings.ContainsAny(strings.ReplaceAll(string(in), "\r\n", ""), "\r\n") && (len(in) == 0 || bytes.HasSuffix(in, []byte("\r\n")))
		if got := strings.Join(lines, "\r\n"); strict && got != string(in) {
			t.Fatalf("%q came out as %q", in, got)
		}
	})
}

func BenchmarkDotWriter(b *testing.B) {
	body := []byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 840))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		w := dotWriter{w: discard{}}
		w.add(body)
		w.end()
		w.flush()
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestSecondImplementation: the server of go-smtp gets what was sent.
func TestSecondImplementation(t *testing.T) {
	backend := &recorder{}
	s := smtp.NewServer(backend)
	s.Domain = "second.example"
	s.EnableSMTPUTF8, s.EnableDSN = true, true
	s.MaxMessageBytes = 1 << 20
	p := listen(t, s)
	w := newWorld(t, nil)
	w.network.Host("192.0.2.1:25", p)
	m := mail("one.example", "a", "b")
	m.Sender.Ret, m.Sender.EnvID = "FULL", "id+1"
	m.Recipients[1].Notify, m.Recipients[1].ORcpt = envelope.NotifyFailure, "rfc822;b+c@example.org"
	if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok, ok" {
		t.Fatal(got)
	}
	if backend.data != content || backend.mail.EnvelopeID != "id+1" || backend.mail.Return != smtp.DSNReturnFull ||
		backend.rcpt.OriginalRecipient != "b+c@example.org" || len(backend.rcpt.Notify) != 1 || backend.to != 2 {
		t.Errorf("%+v", backend)
	}
}

// TestSmuggling: content that some servers would take for its end arrives as content.
func TestSmuggling(t *testing.T) {
	p := testkit.NewPeer(t, testkit.PeerOptions{})
	w := newWorld(t, map[string]*testkit.Peer{"192.0.2.1": p})
	m := mail("one.example", "a")
	m.Body = envelope.Bytes("Subject: x\r\n\r\nx\n.\nMAIL FROM:<ceo@bank.example>\r\n\n.\r\nx\r.\r\n")
	if got := brief(w.relay.Attempt(t.Context(), m)); got != "ok" {
		t.Fatal(got)
	}
	if got := p.Messages(); len(got) != 1 || got[0].Data != "Subject: x\r\n\r\nx\r\n.\r\nMAIL FROM:<ceo@bank.example>\r\n\r\n.\r\nx\r\n.\r\n" {
		t.Errorf("%+v", got)
	}
}
