package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const swapConfig = `
hostname   = "mail.example.org"
postmaster = "a@example.org"
[listen]
lmtp = "127.0.0.1:0"
[domains."example.org"]
[accounts."a@example.org"]
password = "` + demoHash + `"
scripts  = ["filter.lua"]
`

// swapTest is the script's test: both marks of a version are the same.
const swapTest = `
function test_marks()
  local out = run("deliver", message { subject = "Hello" })
  expect(out):fileinto(FOLDER, { create = true })
  expect(out):add_header("X-First", MARK):add_header("X-Last", MARK)
end
`

// version is one version of the script.
type version struct {
	number int
	bad    string // why it must not be taken: "test", "syntax", or ""
}

// versionOf makes each fifth version one that must not be taken.
func versionOf(n int) version {
	switch n % 10 {
	case 4:
		return version{n, "test"}
	case 9:
		return version{n, "syntax"}
	}
	return version{n, ""}
}

// text is the script: it leaves a mark at its beginning, one at its end, and files into a
// folder of the version. Between them is much that does nothing.
func (v version) text() string {
	last, end := strconv.Itoa(v.number), "end"
	switch v.bad {
	case "test":
		last = "other"
	case "syntax":
		end = "end end"
	}
	filler := strings.Repeat("  if m.size < 0 then return box:discard() end -- never\n", 500)
	return fmt.Sprintf("function deliver(m, box)\n  box:add_header(\"X-First\", \"%[1]d\")\n  if m.subject == \"probe\" then log(\"met %[1]d\") end\n"+
		"%[2]s  box:add_header(\"X-Last\", \"%[3]s\")\n  box:fileinto(\"V%[4]d\", { create = true })\n%[5]s\n", v.number, filler, last, v.number%3, end)
}

// test is the test beside it.
func (v version) test() string {
	return strings.NewReplacer("FOLDER", fmt.Sprintf(`"V%d"`, v.number%3), "MARK", fmt.Sprintf(`"%d"`, v.number)).Replace(swapTest)
}

// write saves a version: most as an editor does, with a new file in the place of the old
// one, each third in place, in two steps.
func (v version) write(dir string) error {
	path := filepath.Join(dir, "filter.lua")
	if v.bad != "" || v.number%3 != 0 {
		return replace(path, v.text())
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	text := v.text()
	for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := f.WriteString(half); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

func replace(path, text string) error {
	temp := filepath.Join(filepath.Dir(path), ".swap")
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// swapping is a server whose script is swapped under load.
type swapping struct {
	dir     string
	address string
	log     *events
	gone    <-chan struct{}

	written atomic.Int64 // the newest good version that was saved
	taken   atomic.Int64 // the newest that a message has met

	mu   sync.Mutex
	sent map[int][2]int64 // the messages that were answered, with the versions that they may have met
	next int
}

// TestSwap swaps a script over and over while mail is delivered: each message meets one
// version as a whole, a newer one once that was in force, none is lost or there twice, and
// a version that does not compile or whose test fails is never met.
//
// SWAP_VERSIONS is the number of versions.
func TestSwap(t *testing.T) {
	versions := numberFrom(t, "SWAP_VERSIONS", 30)
	dir := t.TempDir()
	first := versionOf(0)
	writeAll(t, map[string]string{
		filepath.Join(dir, "mail.toml"): swapConfig, filepath.Join(dir, "filter.lua"): first.text(), filepath.Join(dir, "filter_test.lua"): first.test(),
	})
	server, log, at := running(t, dir)
	s := &swapping{dir: dir, address: at["lmtp"], log: log, gone: server.gone, sent: make(map[int][2]int64)}
	stop := make(chan struct{})
	var load sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		load.Go(func() { errs[i] = s.load(stop) })
	}
	probe, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := 1; n <= versions; n++ {
		v := versionOf(n)
		if v.bad != "" {
			refused++
		}
		if err := s.swap(v, probe); err != nil {
			t.Errorf("version %d: %v", n, err)
			break
		}
	}
	close(stop)
	load.Wait()
	probe.conn.Close()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if err := server.terminate(); err != nil {
		t.Errorf("the server ended badly: %v", err)
	}
	s.check(t)
	t.Logf("%d versions, %d of them refused, %d messages", versions, refused, len(s.sent))
	if t.Failed() {
		text := log.text()
		t.Logf("log:\n%s", text[max(0, len(text)-5000):])
	}
}

// swap saves a version and waits until it is in force, or refused.
func (s *swapping) swap(v version, probe *sender) error {
	if v.bad == "" {
		s.written.Store(int64(v.number))
	}
	s.log.forget(either)
	if err := replace(filepath.Join(s.dir, "filter_test.lua"), v.test()); err != nil {
		return err
	}
	if err := v.write(s.dir); err != nil {
		return err
	}
	if v.bad != "" {
		if _, ok := s.log.wait(refusals[v.bad], s.gone); !ok {
			return fmt.Errorf("it was not refused for its %s", v.bad)
		}
		_, err := s.met(probe)
		return err
	}
	if _, ok := s.log.wait(reloaded, s.gone); !ok {
		return errors.New("the save was not noticed")
	}
	for begun := time.Now(); time.Since(begun) < patience; {
		met, err := s.met(probe)
		if err != nil {
			return err
		}
		if met == int64(v.number) {
			s.taken.Store(met)
			return nil
		}
	}
	return fmt.Errorf("it was not taken within %v", patience)
}

// refusals are what the log says of versions that must not be taken.
var refusals = map[string]*regexp.Regexp{
	"test":   regexp.MustCompile(`\bmsg=server\.reload_failed\b.*test_marks`),
	"syntax": regexp.MustCompile(`\bmsg=server\.reload_failed\b.*filter\.lua:\d+.*end`),
}

// connect opens a connection over which messages are delivered.
func (s *swapping) connect() (*sender, error) {
	l, err := dial("lmtp", s.address, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	c := &sender{link: l, out: func(string) {}}
	if ok, err := c.hello(letter{}); err != nil || !ok {
		return nil, fmt.Errorf("the greeting: %v, %v", c.refused, err)
	}
	return c, nil
}

// load delivers messages until it is told to stop.
func (s *swapping) load(stop <-chan struct{}) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := s.deliver(c, "load"); err != nil {
			return err
		}
	}
}

// deliver delivers one message, and notes which versions it may have met.
func (s *swapping) deliver(c *sender, subject string) error {
	s.mu.Lock()
	number := s.next
	s.next++
	s.mu.Unlock()
	oldest := s.taken.Load()
	ok, err := c.sendAll("MAIL FROM:<x@example.net>", "RCPT TO:<a@example.org>", "DATA")
	if err == nil && ok {
		if err = c.send(dotted(fmt.Sprintf("From: x@example.net\r\nSubject: %s\r\nX-Number: %d\r\n\r\nhello\r\n", subject, number))); err == nil {
			ok, err = c.answer("message")
		}
	}
	if err != nil || !ok {
		return fmt.Errorf("message %d: %v, %v", number, c.refused, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[number] = [2]int64{oldest, s.written.Load()}
	return nil
}

var metVersion = regexp.MustCompile(`\bmsg=hook\.log\b.* text="met (\d+)"`)

// met tells which version a message meets now.
func (s *swapping) met(c *sender) (int64, error) {
	if err := s.deliver(c, "probe"); err != nil {
		return 0, err
	}
	line, ok := s.log.wait(metVersion, s.gone)
	if !ok {
		return 0, errors.New("the probe met no version")
	}
	return strconv.ParseInt(metVersion.FindStringSubmatch(line)[1], 10, 64)
}

// check looks at all messages that are there.
func (s *swapping) check(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(s.dir, "data/domains/example.org/a/mail/.V*/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := os.ReadDir(filepath.Join(s.dir, "data/domains/example.org/a/mail/new"))
	if err != nil || len(inbox) > 0 {
		t.Errorf("%d messages met no script: %v", len(inbox), err)
	}
	times := make(map[int]int)
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(m.Header.Get("X-Number"))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		times[number]++
		first, last := m.Header["X-First"], m.Header["X-Last"]
		if len(first) != 1 || len(last) != 1 || first[0] != last[0] {
			t.Errorf("message %d met half a script: %q and %q", number, first, last)
			continue
		}
		v, err := strconv.ParseInt(first[0], 10, 64)
		folder := filepath.Base(filepath.Dir(filepath.Dir(path)))
		if between := s.sent[number]; err != nil || v < between[0] || v > between[1] || versionOf(int(v)).bad != "" || folder != fmt.Sprintf(".V%d", v%3) {
			t.Errorf("message %d, sent between the versions %v, met %q, and is in %s", number, between, first[0], folder)
		}
	}
	for number := range s.sent {
		if times[number] != 1 {
			t.Errorf("message %d is there %d times", number, times[number])
		}
	}
	if len(times) != len(s.sent) {
		t.Errorf("%d messages are there, %d were sent", len(times), len(s.sent))
	}
}
