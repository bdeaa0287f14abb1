package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/relay"
	"facteur/server/safefile"
	"facteur/server/spool"
	"facteur/server/testkit"
)

// remote is the Attempter for other servers.
type remote struct{ *relay.Relay }

func (r remote) Attempt(ctx context.Context, it spool.Item) []spool.Result {
	results := make([]spool.Result, 0, len(it.Recipients))
	for _, res := range r.Relay.Attempt(ctx, relay.Message{
		ID: it.ID, Domain: it.Domain, Sender: it.Envelope.Sender, Recipients: it.Envelope.Recipients, Body: it.Body,
	}) {
		results = append(results, spool.Result(res))
	}
	return results
}

// mishaps is a peer's bad luck: at each stage, now and then, a refusal for the moment
// or a lost connection.
type mishaps struct {
	rate float64
}

func (m *mishaps) answer(s testkit.Stage, _ string) string {
	switch x := rand.Float64(); {
	case x > m.rate || s == testkit.Ehlo:
		return ""
	case x > m.rate/2:
		return "451 4.3.0 Try again"
	}
	return testkit.Drop
}

// TestThroughRelay sends messages to a server that fails in every way, while the
// spool is closed in the midst of it and opened again: every message arrives, and once,
// for this peer never takes what it has not confirmed.
func TestThroughRelay(t *testing.T) {
	bad := &mishaps{rate: 0.15}
	peer := testkit.NewPeer(t, testkit.PeerOptions{Answer: bad.answer})
	var network testkit.Network
	network.Host("192.0.2.1:25", peer.Addr())
	zone := testkit.NewDNS(t, "example.net. MX 10 mx.example.net.\nmx.example.net. A 192.0.2.1\nexample.com. MX 10 mx.example.net.\n")
	resolver, err := dns.New(dns.Options{Servers: []string{zone.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	delays := []time.Duration{5 * time.Millisecond}
	opts := spool.Options{
		Dir: dir, FS: safefile.OS, Log: log, Hostname: "mail.test", Schedule: spool.Schedule{Remote: delays, Local: delays},
		Attempt: remote{relay.New(relay.Options{Resolver: resolver, Dial: network.DialContext, Log: log}, relay.Settings{Hostname: "mail.test"})},
		Inject: func(context.Context, envelope.Envelope, envelope.Body) error {
			return errors.New("nothing fails for good here")
		},
	}
	const messages = 60
	queue, err := spool.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		send(t, dir, queue, fmt.Sprintf("m%d", i))
		if i%20 == 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			queue.Close(ctx)
			cancel()
			if queue, err = spool.Open(opts); err != nil {
				t.Fatal(err)
			}
		}
	}
	for begin := time.Now(); queue.Len() > 0; queue.RetryAll() {
		if time.Since(begin) > time.Minute {
			t.Fatal("not done in a minute: ", queue.Len())
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	queue.Close(t.Context())

	got := make(map[string]int)
	for _, m := range peer.Messages() {
		_, after, _ := strings.Cut(m.Data, "Message-ID: ")
		id, _, _ := strings.Cut(after, "\r\n")
		for _, to := range m.To {
			got[id+" "+to]++
		}
	}
	for i := range messages {
		for _, to := range []string{"TO:<bob@example.net>", "TO:<carol@example.net>", "TO:<dave@example.com>"} {
			// Closing may break off between the peer's 250 and our reading it.
			if n := got[fmt.Sprintf("<m%d@test.example> %s", i, to)]; n < 1 || n > 2 {
				t.Errorf("m%d %s arrived %d times", i, to, n)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "queue", "*")); len(left) > 0 || err != nil {
		t.Error(left, err)
	}
}

func send(t *testing.T, dir string, queue *spool.Spool, id string) {
	t.Helper()
	d, err := safefile.NewDraft(safefile.OS, filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	if _, err := io.WriteString(d, testkit.Message("alice@example.org", "bob@example.net", id, "Hello.\n")); err != nil {
		t.Fatal(err)
	}
	e := spool.Entry{Envelope: envelope.Envelope{ID: id, Sender: envelope.Sender{ReversePath: address.MustParse("alice@example.org")}}}
	for _, to := range []string{"bob@example.net", "carol@example.net", "dave@example.com"} {
		e.Recipients = append(e.Recipients, spool.Recipient{Recipient: envelope.Recipient{ForwardPath: address.MustParse(to)}})
	}
	p, err := queue.Add(t.Context(), e, d)
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
}

// TestForGood: what the server refuses for good comes back as a report about it.
func TestForGood(t *testing.T) {
	peer := testkit.NewPeer(t, testkit.PeerOptions{Answer: func(s testkit.Stage, line string) string {
		if s == testkit.Rcpt && strings.Contains(line, "carol") {
			return "550 5.1.1 <carol@example.net> is not here"
		}
		return ""
	}})
	var network testkit.Network
	network.Host("192.0.2.1:25", peer.Addr())
	zone := testkit.NewDNS(t, "example.net. MX 10 mx.example.net.\nmx.example.net. A 192.0.2.1\n")
	resolver, err := dns.New(dns.Options{Servers: []string{zone.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	reports := make(chan string, 10)
	queue, err := spool.Open(spool.Options{
		Dir: dir, FS: safefile.OS, Log: log, Hostname: "mail.test",
		Attempt: remote{relay.New(relay.Options{Resolver: resolver, Dial: network.DialContext, Log: log}, relay.Settings{Hostname: "mail.test"})},
		Inject: func(_ context.Context, env envelope.Envelope, b envelope.Body) error {
			raw, err := io.ReadAll(envelope.NewReader(b))
			reports <- env.Recipients[0].ForwardPath.String() + "\n" + string(raw)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, dir, queue, "m1") // dave@example.com has no domain
	got := <-reports + <-reports
	for _, want := range []string{
		"Diagnostic-Code: smtp; 550 5.1.1 <carol@example.net> is not here\r\n", "Remote-MTA: dns; mx.example.net\r\n", "Status: 5.1.2\r\n",
		"example.com does not exist or has no mail server",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Count(got, "alice@example.org\n") != 2 || len(peer.Messages()) != 1 {
		t.Error(got, peer.Messages())
	}
	queue.Close(t.Context())
	if _, err := queue.Show("m1"); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}
