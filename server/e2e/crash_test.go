package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/control"
)

const crashConfig = `
hostname   = "mail.example.org"
postmaster = "a@example.org"
[listen]
smtp = "127.0.0.1:0"
lmtp = "127.0.0.1:0"
imap = "127.0.0.1:0"
[domains."example.org"]
[accounts."a@example.org"]
password = "` + demoHash + `"
[accounts."b@example.org"]
password = "` + demoHash + `"
[accounts."c@example.org"]
password = "` + demoHash + `"
[accounts."onward@example.org"]
password = "` + demoHash + `"
redirect = ["a@example.org"]
[accounts."sorter@example.org"]
password = "` + demoHash + `"
scripts  = ["sorter.lua"]
[aliases]
"list@example.org" = ["a@example.org", "b@example.org", "sorter@example.org"]
`

const sorterScript = `
function deliver(m, box)
  return box:fileinto("Sorted/" .. m:header("X-Shelf"), { create = true, flags = { "\\Flagged" } })
end
`

// TestCrash kills the server at random during a load of deliveries, starts it
// again on the same data, over and over. At the end each message answered with
// 250 is there exactly once in each mailbox it was for, with its bytes, as a
// file and over IMAP; one without an answer is there once at most.
//
// CRASH_KILLS is the number of kills, CRASH_SEED makes a run like an earlier one
// (as far as the machine does the same).
func TestCrash(t *testing.T) {
	kills := numberFrom(t, "CRASH_KILLS", 15)
	seed := numberFrom(t, "CRASH_SEED", int(time.Now().UnixNano()&0xffffff))
	t.Logf("%d kills, CRASH_SEED=%d", kills, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	dir := t.TempDir()
	writeAll(t, map[string]string{
		filepath.Join(dir, "mail.toml"):  crashConfig,
		filepath.Join(dir, "sorter.lua"): sorterScript,
	})
	posts := &postbox{flagged: make(map[string]bool)}
	for i := range kills {
		if err := oneLife(dir, posts, random); err != nil {
			t.Fatalf("life %d: %v", i+1, err)
		}
	}
	report(t, posts)
	verify(t, dir, posts)
}

func numberFrom(t testing.TB, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func writeAll(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// oneLife runs the server under load until it is killed: mostly at some moment
// of the first quarter second, sometimes while it starts.
func oneLife(dir string, posts *postbox, random *rand.Rand) error {
	log := newEvents()
	s, err := launch(dir, os.Environ(), log)
	if err != nil {
		return err
	}
	defer s.kill()
	life := time.Duration(random.Int64N(int64(250 * time.Millisecond)))
	if random.IntN(10) == 0 {
		time.AfterFunc(life/8, func() { _ = s.cmd.Process.Kill() }) // the Wait below sees it
		<-s.gone
		return nil
	}
	if _, ok := log.wait(ready, s.gone); !ok {
		return fmt.Errorf("the server did not start:\n%s", log.text())
	}
	st, err := askStatus(dir)
	if err != nil {
		return err
	}
	time.AfterFunc(slack(life), func() { _ = s.cmd.Process.Kill() })
	err = underLoad(addresses(st.Listeners), posts)
	<-s.gone
	if err != nil {
		return fmt.Errorf("%w\n%s", err, log.text())
	}
	return nil
}

func addresses(list []control.Listener) map[string]string {
	m := make(map[string]string)
	for _, l := range list {
		m[l.Service] = l.Address
	}
	return m
}

// underLoad sends and reads until the connections break. A refusal is an error:
// nothing here gives a reason for one.
func underLoad(at map[string]string, posts *postbox) error {
	workers := []func() error{
		func() error { return posts.sendAll("smtp", at["smtp"]) },
		func() error { return posts.sendAll("smtp", at["smtp"]) },
		func() error { return posts.sendAll("lmtp", at["lmtp"]) },
		func() error { return posts.sendAll("lmtp", at["lmtp"]) },
		func() error { return posts.flagAll(at["imap"]) },
	}
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, work := range workers {
		wg.Go(func() { errs[i] = work() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// place is a folder of an account.
type place struct{ account, folder string }

// post is a message of the load; its number makes its text.
type post struct {
	number int
	to     []string           // forward-paths
	leads  map[string][]place // where each of them leads
	taken  map[string]bool    // answered with 250
}

// postbox is all that was sent.
type postbox struct {
	mu      sync.Mutex
	posts   []*post
	flagged map[string]bool // UIDs in INBOX of a, whose STORE was answered with OK
}

// next makes a post: each kind of recipient in turn.
func (b *postbox) next() *post {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.posts)
	shelf := place{"sorter@example.org", "Sorted/" + strconv.Itoa(n%3)}
	a, c, onward := place{"a@example.org", "INBOX"}, place{"c@example.org", "INBOX"}, place{"onward@example.org", "INBOX"}
	other := place{"b@example.org", "INBOX"}
	leads := [...]map[string][]place{
		{"a@example.org": {a}},
		{"a@example.org": {a}, "b@example.org": {other}, "c@example.org": {c}},
		{"list@example.org": {a, other, shelf}},
		{"sorter@example.org": {shelf}},
		{"c@example.org": {c}, "sorter@example.org": {shelf}},
		{"onward@example.org": {onward, a}},
		{"c@example.org": {c}},
	}[n%7]
	p := &post{number: n, leads: leads, taken: make(map[string]bool)}
	for to := range leads {
		p.to = append(p.to, to)
	}
	b.posts = append(b.posts, p)
	return p
}

func (b *postbox) took(p *post, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.taken[to] = true
}

// text is the message: its number in the header, and a body of a size that goes
// with it: mostly small, one in sixteen large, one in 256 beyond what is held in
// memory while it arrives.
func (p *post) text() string {
	random := rand.New(rand.NewPCG(uint64(p.number), 1))
	lines := 1 + random.IntN(20)
	switch {
	case p.number%256 == 255:
		lines = 5000
	case p.number%16 == 15:
		lines = 1000
	}
	var b strings.Builder
	fmt.Fprintf(&b, "From: sender@remote.example\r\nTo: %s\r\nSubject: Number %d\r\nX-Shelf: %d\r\nX-Number: %d\r\n\r\n",
		strings.Join(p.to, ", "), p.number, p.number%3, p.number)
	for range lines {
		fmt.Fprintf(&b, "%016x%016x%016x%016x\r\n", random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64())
	}
	return b.String()
}

// sendAll sends posts over one connection until it breaks.
func (b *postbox) sendAll(service, address string) error {
	l, err := dial(service, address, func(string, ...any) {})
	if err != nil {
		return nil // killed before
	}
	defer l.conn.Close()
	s := &sender{link: l, out: func(string) {}}
	hello := "EHLO client.example"
	if service == "lmtp" {
		hello = "LHLO client.example"
	}
	if _, err := s.answer("connect"); err != nil {
		return nil
	}
	if _, err := s.command(hello); err != nil {
		return nil
	}
	for {
		if broken := b.sendOne(s, b.next()); broken || len(s.refused) > 0 {
			if len(s.refused) > 0 {
				return fmt.Errorf("refused: %v", s.refused)
			}
			return nil
		}
	}
}

// sendOne sends a post and notes what was answered; broken tells that the
// connection is no more.
func (b *postbox) sendOne(s *sender, p *post) (broken bool) {
	commands := []string{"MAIL FROM:<sender@remote.example>"}
	for _, to := range p.to {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	ok, err := s.sendAll(append(commands, "DATA")...)
	if err != nil || !ok || s.send(dotted(p.text())) != nil {
		return true
	}
	if s.service == "smtp" {
		if ok, err := s.answer("message"); err != nil || !ok {
			return true
		}
		for _, to := range p.to {
			b.took(p, to)
		}
		return false
	}
	for _, to := range p.to {
		if ok, err := s.answer("message"); err != nil || !ok {
			return true
		}
		b.took(p, to)
	}
	return false
}

// flagAll flags the newest message in the INBOX of a, over and over.
func (b *postbox) flagAll(address string) error {
	l, err := dial("imap", address, func(string, ...any) {})
	if err != nil {
		return nil
	}
	defer l.conn.Close()
	if l.expect("* OK*", nil) != nil || l.login("a@example.org demo") != nil {
		return nil
	}
	if l.send([]byte("a SELECT INBOX\r\n")) != nil || l.expect("a OK*", nil) != nil {
		return nil
	}
	for {
		if l.send([]byte("b UID STORE * +FLAGS (\\Flagged)\r\nc NOOP\r\n")) != nil {
			return nil
		}
		reply, err := l.whole()
		if err != nil || l.expect("c OK*", nil) != nil {
			return nil
		}
		for _, line := range reply {
			if m := flaggedUID.FindStringSubmatch(line); m != nil {
				b.flag(m[1])
			}
		}
	}
}

// flaggedUID matches the answer to a STORE; an empty folder has none.
var flaggedUID = regexp.MustCompile(`^\* \d+ FETCH \(UID (\d+) FLAGS \([^)]*\\Flagged`)

func (b *postbox) flag(uid string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flagged[uid] = true
}

func report(t *testing.T, b *postbox) {
	answered, places := 0, 0
	for _, p := range b.posts {
		for to := range p.taken {
			places += len(p.leads[to])
		}
		if len(p.taken) == len(p.to) {
			answered++
		}
	}
	t.Logf("%d messages begun, %d answered with 250 for all recipients, so %d copies must be there; %d flags", len(b.posts), answered, places, len(b.flagged))
	if answered == 0 {
		t.Fatal("the load came to nothing")
	}
}
