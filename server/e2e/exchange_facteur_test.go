package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// facteur is a facteur of the exchange, with all its lives.
type facteur struct {
	dir string
	*site

	mu      sync.Mutex
	server  *server
	log     *events       // of this life
	before  []string      // the logs of those before
	address string        // of submission
	more    chan struct{} // closed and replaced when address changes
	kills   []time.Time
}

const exchangeConfig = `
hostname   = "mail.%[1]s"
postmaster = "sender@%[1]s"
[listen]
smtp       = "127.0.0.1:0"
submission = "127.0.0.1:0"
[limits.sending]
account = {}
client  = {}
[dns]
servers = ["%[2]s"]
[domains."%[1]s"]
`

func newFacteur(t *testing.T, s *site, dns string) *facteur {
	f := &facteur{dir: t.TempDir(), site: s, more: make(chan struct{})}
	config := fmt.Sprintf(exchangeConfig, s.domain, dns)
	for _, box := range append([]string{"sender"}, boxes[:]...) {
		config += fmt.Sprintf("[accounts.%q]\npassword = %q\n", box+"@"+s.domain, demoHash)
	}
	writeAll(t, map[string]string{filepath.Join(f.dir, "mail.toml"): config})
	t.Cleanup(func() {
		if f.server != nil {
			f.server.kill()
		}
		if t.Failed() && f.log != nil {
			t.Logf("the log of %s:\n%s", s.name, strings.Join(append(f.before, f.log.text()), "\n-- killed\n"))
		}
	})
	return f
}

// start begins a life.
func (f *facteur) start() error {
	if f.log != nil {
		f.before = append(f.before, f.log.text())
	}
	f.log = newEvents()
	s, err := launch(f.dir, os.Environ(), f.log)
	if err != nil {
		return err
	}
	f.server = s
	if _, ok := f.log.wait(ready, s.gone); !ok {
		return fmt.Errorf("%s did not start:\n%s", f.name, f.log.text())
	}
	st, err := askStatus(f.dir)
	if err != nil {
		return err
	}
	at := addresses(st.Listeners)
	f.reachable(at["submission"], at["smtp"])
	return nil
}

// reachable tells where the server is now, "" for nowhere.
func (f *facteur) reachable(submission, smtp string) {
	for _, p := range f.proxies {
		p.Receiver(smtp)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address = submission
	close(f.more)
	f.more = make(chan struct{})
}

// live runs the server so many times until it is killed: mostly within a life,
// now and then while it starts.
func (f *facteur) live(lives int, length time.Duration, random *rand.Rand) error {
	for range lives {
		if random.IntN(10) == 0 {
			if err := f.stillborn(time.Duration(random.Int64N(int64(100 * time.Millisecond)))); err != nil {
				return err
			}
		}
		if err := f.start(); err != nil {
			return err
		}
		s := f.server
		end := time.AfterFunc(length/2+time.Duration(random.Int64N(int64(length))), func() { f.kill(s) })
		<-s.gone
		if end.Stop() {
			return fmt.Errorf("%s ended by itself: %v\n%s", f.name, s.err, f.log.text())
		}
		f.reachable("", "")
		if err := f.hurry(); err != nil {
			return err
		}
	}
	return nil
}

func (f *facteur) stillborn(after time.Duration) error {
	s, err := launch(f.dir, os.Environ(), newEvents())
	if err != nil {
		return err
	}
	time.AfterFunc(after, func() { f.kill(s) })
	<-s.gone
	return nil
}

func (f *facteur) kill(s *server) {
	f.mu.Lock()
	f.kills = append(f.kills, time.Now())
	f.mu.Unlock()
	_ = s.cmd.Process.Kill() // its end is waited for
}

// hurry makes all that waits due now, also while the server does not run.
func (f *facteur) hurry() error {
	cmd := exec.Command("facteur", "queue", "retry", "--all", "-c", "mail.toml")
	cmd.Dir = f.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: facteur queue retry: %w: %s", f.name, err, out)
	}
	return nil
}

func (f *facteur) entrance() (string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.address, f.more
}

func (f *facteur) login() string { return "sender@" + f.domain + " demo" }

func (f *facteur) waiting() (int, error) {
	st, err := askStatus(f.dir)
	return st.Queue, err
}

func (f *facteur) mail() (map[string][]string, error) {
	mail := make(map[string][]string)
	for _, box := range append([]string{"sender"}, boxes[:]...) {
		account := box + "@" + f.domain
		paths, err := messages(mailDir(filepath.Join(f.dir, "data"), account, "INBOX"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			mail[account] = append(mail[account], string(text))
		}
	}
	return mail, nil
}

// noteTime is how long a sender may take to make an answer durable.
const noteTime = 500 * time.Millisecond

func (f *facteur) killed(from, to time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.kills, func(k time.Time) bool { return k.After(from) && k.Before(to.Add(slack(noteTime))) })
}
