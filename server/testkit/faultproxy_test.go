package testkit

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"
)

// proxyTo puts a proxy before a peer.
func proxyTo(t *testing.T, p *Peer, seed uint64, rate float64) *FaultProxy {
	t.Helper()
	f := NewFaultProxy(t, FaultProxyOptions{
		Seed: seed, Rate: rate, ID: regexp.MustCompile(`(?m)^X-Number: (\d+)\r$`),
		TLS: &tls.Config{Certificates: []tls.Certificate{Certificate(t, "proxy.example")}},
	})
	f.Receiver(p.Addr())
	return f
}

// sendThrough sends a message with go-smtp; encrypted says whether with STARTTLS.
func sendThrough(f *FaultProxy, number int, encrypted bool) error {
	dial := smtp.Dial
	if encrypted {
		dial = func(addr string) (*smtp.Client, error) {
			return smtp.DialStartTLS(addr, &tls.Config{InsecureSkipVerify: true})
		}
	}
	c, err := dial(f.Addr())
	for errors.Is(err, syscall.ECONNREFUSED) { // for a moment
		c, err = dial(f.Addr())
	}
	if err != nil {
		return err
	}
	defer c.Close()
	text := fmt.Sprintf("X-Number: %d\r\n\r\n.dot\r\n", number)
	if err := c.SendMail("a@a.example", []string{"B@b.example"}, strings.NewReader(text)); err != nil {
		return err
	}
	c.Quit() // the message is over
	return nil
}

// TestFaultProxyPasses sends through a proxy in good weather.
func TestFaultProxyPasses(t *testing.T) {
	p := NewPeer(t, PeerOptions{})
	f := proxyTo(t, p, 1, 0)
	for i, encrypted := range []bool{false, true} {
		if err := sendThrough(f, i, encrypted); err != nil {
			t.Fatal(err)
		}
	}
	got := p.Messages()
	if len(got) != 2 || got[1].Data != "X-Number: 1\r\n\r\n.dot\r\n" {
		t.Fatalf("the peer has %+v", got)
	}
	list := f.Handovers()
	if len(list) != 2 || len(f.Faults()) != 0 {
		t.Fatalf("handovers %v, faults %v", list, f.Faults())
	}
	h := list[1]
	if h.ID != "1" || h.From != "a@a.example" || h.To != "b@b.example" || h.Answered.IsZero() || !strings.HasPrefix(h.Reply, "250 ") {
		t.Errorf("handover %+v", h)
	}
}

// TestFaultProxyKnows compares in bad weather what the proxy has noted with what
// the peer has and the sender was told.
func TestFaultProxyKnows(t *testing.T) {
	p := NewPeer(t, PeerOptions{})
	f := proxyTo(t, p, 7, 0.1)
	sent := make(map[string]bool)
	const tries = 150
	var mu sync.Mutex
	var all sync.WaitGroup
	for worker := range 10 {
		all.Go(func() {
			for i := worker; i < tries; i += 10 {
				err := sendThrough(f, i, i%2 == 0)
				mu.Lock()
				sent[fmt.Sprint(i)] = err == nil
				mu.Unlock()
			}
		})
	}
	all.Wait()
	has := make(map[string]bool)
	for _, m := range p.Messages() {
		id, _, _ := strings.Cut(strings.TrimPrefix(m.Data, "X-Number: "), "\r\n")
		has[id] = true
	}
	handed := make(map[string]bool)
	for _, h := range f.Handovers() {
		handed[h.ID] = true
		if has[h.ID] != (h.Reply != "") {
			t.Errorf("message %s: the peer has it: %v; its reply: %q", h.ID, has[h.ID], h.Reply)
		}
		if !h.Answered.IsZero() && !sent[h.ID] {
			t.Errorf("message %s: the proxy knows of a reply, the sender does not", h.ID)
		}
	}
	for id := range has {
		if !handed[id] {
			t.Errorf("message %s: the peer has it, the proxy does not know", id)
		}
	}
	well := 0
	for id, ok := range sent {
		if !ok {
			continue
		}
		well++
		if !has[id] {
			t.Errorf("message %s: the sender was told that it is there", id)
		}
	}
	if well == 0 || well == tries || len(f.Faults()) < 10 {
		t.Errorf("%d of %d were sent, faults %v", well, tries, f.Faults())
	}
	f.Calm()
	err := sendThrough(f, tries, true)
	for again := 0; again < 3 && errors.Is(err, syscall.ECONNRESET); again++ { // the last of the bad weather
		err = sendThrough(f, tries, true)
	}
	if err != nil {
		t.Errorf("in calm weather: %v", err)
	}
}
