package e2e

import (
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/testkit"
)

// TestExchange has two facteurs and a Postfix send each other messages through
// proxies that fail at random in every way, and kills the facteurs over and over.
// At the end, in calm weather, each message that was taken is in the mailbox of
// each of its recipients, or its sender was told of a refusal; and it is there
// more than once only where nobody could know (RFC 5321 4.5.3.2.6): the receiver
// had it, but its answer did not reach the sender, or the sender was killed before it
// could note it.
//
// EXCHANGE_MESSAGES is the number of messages, EXCHANGE_LIVES how often each
// facteur is started, EXCHANGE_LIFE how many milliseconds each life has on
// average; EXCHANGE_SEED makes a run like an earlier one (as far as the machine
// does the same).
func TestExchange(t *testing.T) {
	x := &exchange{
		tb:       t,
		messages: numberFrom(t, "EXCHANGE_MESSAGES", 200),
		lives:    numberFrom(t, "EXCHANGE_LIVES", 5),
		life:     slack(time.Duration(numberFrom(t, "EXCHANGE_LIFE", 1500)) * time.Millisecond),
		seed:     uint64(numberFrom(t, "EXCHANGE_SEED", int(time.Now().UnixNano()&0xffffff))),
	}
	x.build(t)
	t.Logf("%d messages between %d servers, %d lives of %v, EXCHANGE_SEED=%d", x.messages, len(x.sites), x.lives, x.life, x.seed)
	x.storm()
	x.calm()
	x.account()
}

// exchange is a run of the test.
type exchange struct {
	tb              testing.TB
	messages, lives int
	life            time.Duration
	seed            uint64

	sites []*site
	posts []*parcel
}

// site is a mail server with its domain.
type site struct {
	name    string
	domain  string
	mx      []string // addresses at which the others reach it, through a proxy
	proxies []*testkit.FaultProxy
	host    host
	parcels []*parcel // that are sent from here
	sent    int       // of parcels; of the sender's goroutine
}

// host is the program of a site.
type host interface {
	// entrance is where mail of its users is handed in, "" while it does not run.
	// more is closed when that may have changed.
	entrance() (address string, more <-chan struct{})
	// login is the user and password of the entrance, "" for none.
	login() string
	// waiting is the number of recipients that it has yet to deliver.
	waiting() (int, error)
	// hurry makes it try them now.
	hurry() error
	// mail is what its mailboxes hold, by address.
	mail() (map[string][]string, error)
	// killed tells whether it was killed in a session, or before it could note the
	// answer.
	killed(from, to time.Time) bool
}

// boxes are the recipients at each site; sender@ gets the reports.
var boxes = [...]string{"u1", "u2", "u3"}

// parcel is a message of the exchange.
type parcel struct {
	number int
	from   string
	to     []string
	state  parcelState
}

type parcelState int

const (
	unsent parcelState = iota
	unsure             // there was no answer
	taken              // answered with 250
)

// build makes the sites and what they will send.
func (x *exchange) build(t *testing.T) {
	names := []string{"a", "b"}
	if havePostfix(t) {
		names = append(names, "c")
	}
	var zone strings.Builder
	for i, name := range names {
		s := &site{name: name, domain: name + ".example"}
		for j := range 2 {
			p := x.proxy(t, uint64(2*i+j))
			host, _, _ := net.SplitHostPort(p.Addr())
			s.proxies, s.mx = append(s.proxies, p), append(s.mx, host)
			fmt.Fprintf(&zone, "%s. MX %d mx%d.%s.\nmx%d.%s. A %s\n", s.domain, 10*j, j, s.domain, j, s.domain, host)
		}
		x.sites = append(x.sites, s)
	}
	dns := testkit.NewDNS(t, zone.String())
	for _, s := range x.sites {
		if s.name == "c" {
			s.host = newPostfix(t, s, x.sites)
			continue
		}
		s.host = newFacteur(t, s, dns.Addr())
	}
	random := rand.New(rand.NewPCG(x.seed, 1))
	for n := range x.messages {
		from := x.sites[n%len(x.sites)]
		to := x.sites[(n+1+random.IntN(len(x.sites)-1))%len(x.sites)]
		p := &parcel{number: n, from: "sender@" + from.domain}
		for _, i := range random.Perm(len(boxes))[:1+2*(n%4/3)] { // one in four has three recipients
			p.to = append(p.to, boxes[i]+"@"+to.domain)
		}
		x.posts = append(x.posts, p)
		from.parcels = append(from.parcels, p)
	}
}

// proxy starts a proxy on port 25 of a loopback address of its own.
func (x *exchange) proxy(t *testing.T, n uint64) *testkit.FaultProxy {
	host := loopback()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "25"))
	if err != nil && os.Getenv("E2E_REQUIRE") != "all" {
		t.Skipf("port 25 of a loopback address can't be had: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	return testkit.NewFaultProxy(t, testkit.FaultProxyOptions{
		Address: net.JoinHostPort(host, "25"), Seed: x.seed + n<<32, Rate: 0.1, ID: parcelNumber,
		TLS: &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t, "proxy.example")}},
	})
}

// loopback returns a loopback address that hardly anybody else uses.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

var parcelNumber = regexp.MustCompile(`(?m)^X-Number: (\d+)\r?$`)

// text is the message, with what is easily spoilt on the way.
func (p *parcel) text() string {
	random := rand.New(rand.NewPCG(uint64(p.number), 2))
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nDate: Thu, 01 Oct 2026 12:00:00 +0000\r\nMessage-ID: <%d.%s>\r\n", p.from, strings.Join(p.to, ", "), p.number, p.from)
	fmt.Fprintf(&b, "Subject: Number %d\r\nX-Number: %d\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", p.number, p.number)
	lines := 1 + random.IntN(30)
	if p.number%50 == 49 {
		lines = 5000
	}
	for range lines {
		b.WriteString([...]string{"\r\n", "\r\n.\r\n", "\r\n..", "\r\ncafé €"}[random.IntN(4)])
		fmt.Fprintf(&b, "%x", random.Uint64())
	}
	body := b.String()
	head, rest, _ := strings.Cut(body, "8bit\r\n")
	return head + "8bit\r\n\r\n" + rest + "\r\n"
}

// storm sends all messages in bad weather, with kills.
func (x *exchange) storm() {
	stop := make(chan struct{})
	var sending, living sync.WaitGroup
	errs := make([]error, 2*len(x.sites))
	for i, s := range x.sites {
		if f, ok := s.host.(*facteur); ok {
			living.Go(func() { errs[2*i] = f.live(x.lives, x.life, rand.New(rand.NewPCG(x.seed, uint64(10+i)))) })
		}
		sending.Go(func() { errs[2*i+1] = x.send(s, x.life*time.Duration(x.lives)*3/4, stop) })
	}
	living.Wait()
	close(stop)
	sending.Wait()
	for _, err := range errs {
		if err != nil {
			x.tb.Fatal(err)
		}
	}
}

// calm ends the bad weather and waits until all queues are empty.
func (x *exchange) calm() {
	for _, s := range x.sites {
		for _, p := range s.proxies {
			p.Calm()
		}
		if f, ok := s.host.(*facteur); ok {
			if err := f.start(); err != nil {
				x.tb.Fatal(err)
			}
		}
	}
	never := make(chan struct{})
	for _, s := range x.sites {
		if err := x.send(s, 0, never); err != nil {
			x.tb.Fatal(err)
		}
	}
	begun := time.Now()
	for tick := time.Tick(200 * time.Millisecond); ; <-tick {
		total := 0
		for _, s := range x.sites {
			n, err := s.host.waiting()
			if err != nil {
				x.tb.Fatal(err)
			}
			if total += n; n > 0 {
				if err := s.host.hurry(); err != nil {
					x.tb.Fatal(err)
				}
			}
		}
		if total == 0 {
			x.tb.Logf("all queues are empty %v after the storm", time.Since(begun).Round(time.Millisecond))
			return
		}
		if time.Since(begun) > patience+x.life*time.Duration(x.lives) {
			x.tb.Fatalf("%d recipients still wait %v after the storm", total, time.Since(begun))
		}
	}
}

// send hands in what a site has to send, evenly over three quarters of the storm,
// until stop is closed. After the storm pace is none.
func (x *exchange) send(s *site, pace time.Duration, stop <-chan struct{}) error {
	tick := time.NewTicker(max(pace/time.Duration(len(s.parcels)+1), time.Nanosecond))
	defer tick.Stop()
	for s.sent < len(s.parcels) {
		address, more := s.host.entrance()
		if address != "" {
			if err := s.sendAll(address, tick.C, stop); err != nil || s.sent == len(s.parcels) {
				return err
			}
		}
		select {
		case <-more:
		case <-stop:
			return nil
		}
	}
	return nil
}

// sendAll hands in messages until the connection breaks, which is no error.
func (s *site) sendAll(address string, tick <-chan time.Time, stop <-chan struct{}) error {
	service := "smtp"
	if s.host.login() != "" {
		service = "submission"
	}
	l, err := dial(service, address, func(string, ...any) {})
	if err != nil {
		return nil
	}
	defer l.conn.Close()
	c := &sender{link: l, out: func(string) {}}
	if _, err := c.answer("connect"); err != nil {
		return nil
	}
	if _, err := c.command("EHLO client.example"); err != nil {
		return nil
	}
	if login := s.host.login(); login != "" && c.login(login) != nil {
		return nil
	}
	for s.sent < len(s.parcels) {
		select {
		case <-tick:
		case <-stop:
			return nil
		}
		p := s.parcels[s.sent]
		err := p.send(c)
		if len(c.refused) > 0 {
			return fmt.Errorf("%s refused: %v", s.name, c.refused)
		}
		if p.state != unsent {
			s.sent++
		}
		if err != nil {
			return nil
		}
	}
	return nil
}

// send hands a message in.
func (p *parcel) send(c *sender) error {
	commands := []string{"MAIL FROM:<" + p.from + "> BODY=8BITMIME"}
	for _, to := range p.to {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	if ok, err := c.sendAll(append(commands, "DATA")...); err != nil || !ok {
		return err
	}
	p.state = unsure
	if err := c.link.send(dotted(p.text())); err != nil {
		return err
	}
	ok, err := c.answer("message")
	if ok {
		p.state = taken
	}
	return err
}

// weather tells what went wrong on the way, for the log.
func (x *exchange) weather() string {
	sum := make(map[string]int)
	total := 0
	for _, s := range x.sites {
		for _, p := range s.proxies {
			for f, n := range p.Faults() {
				sum[f] += n
				total += n
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults of %d kinds:", total, len(sum))
	for _, f := range slices.Sorted(maps.Keys(sum)) {
		fmt.Fprintf(&b, " %s %d,", f, sum[f])
	}
	return strings.TrimSuffix(b.String(), ",")
}
