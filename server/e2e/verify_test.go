package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// verify starts the server once more and compares what is there with what was
// answered.
func verify(t *testing.T, dir string, posts *postbox) {
	s, log, at := running(t, dir)
	var err error
	served := make(map[place]map[imap.UID]string)
	for _, p := range places(posts) {
		if served[p], err = fetchAll(at["imap"], p); err != nil {
			t.Fatalf("%s of %s: %v", p.folder, p.account, err)
		}
	}
	if err := s.terminate(); err != nil {
		t.Errorf("the server ended badly: %v", err)
	}
	data := filepath.Join(dir, "data")
	for p, messages := range served {
		c := &checker{tb: t, place: p, posts: posts}
		c.files(mailDir(data, p.account, p.folder), messages)
		c.counts()
	}
	noStrays(t, data)
	if t.Failed() {
		t.Logf("log:\n%s", log.text())
	}
}

// running starts the server in dir, and returns it with its log and its
// addresses by service once it is ready.
func running(t *testing.T, dir string) (*server, *events, map[string]string) {
	t.Helper()
	log := newEvents()
	s, err := launch(dir, os.Environ(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	if _, ok := log.wait(ready, s.gone); !ok {
		t.Fatalf("the server did not start:\n%s", log.text())
	}
	st, err := askStatus(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, log, addresses(st.Listeners)
}

func places(posts *postbox) []place {
	var all []place
	seen := make(map[place]bool)
	for _, p := range posts.posts {
		for to := range p.taken {
			for _, at := range p.leads[to] {
				if !seen[at] {
					seen[at] = true
					all = append(all, at)
				}
			}
		}
	}
	return all
}

// fetchAll reads all messages of a folder over IMAP.
func fetchAll(address string, p place) (map[imap.UID]string, error) {
	c, err := imapLogin(address, p.account, "demo")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	selected, err := c.Select(p.folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, err
	}
	all := make(map[imap.UID]string)
	const batch = 200
	for first := uint32(1); first <= selected.NumMessages; first += batch {
		var set imap.SeqSet
		set.AddRange(first, min(first+batch-1, selected.NumMessages))
		if err := fetchBatch(c, set, all); err != nil {
			return nil, err
		}
	}
	if n := int(selected.NumMessages); n != len(all) {
		return nil, fmt.Errorf("%d messages exist, %d were fetched", n, len(all))
	}
	return all, nil
}

func fetchBatch(c *imapclient.Client, set imap.SeqSet, into map[imap.UID]string) error {
	body := &imap.FetchItemBodySection{Peek: true}
	list, err := c.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{body}}).Collect()
	if err != nil {
		return err
	}
	for _, m := range list {
		if _, twice := into[m.UID]; twice {
			return fmt.Errorf("UID %d is there twice", m.UID)
		}
		into[m.UID] = string(m.FindBodySection(body))
	}
	return nil
}

// checker compares one folder with what was sent to it.
type checker struct {
	tb    testing.TB
	place place
	posts *postbox
	found map[int]int // copies of each number
}

func (c *checker) errorf(format string, args ...any) {
	c.tb.Helper()
	c.tb.Errorf("%s of %s: %s", c.place.folder, c.place.account, fmt.Sprintf(format, args...))
}

var messageName = regexp.MustCompile(`^\d+\.[^,:/]+,S=(\d+)(?:,W=\d+)?,F=([0-9a-z]+)\.(\d+)(?::2,([A-Za-z]*))?$`)

// files checks the Maildir: names, sizes and texts, each the same over IMAP.
func (c *checker) files(dir string, served map[imap.UID]string) {
	c.found = make(map[int]int)
	paths, err := messages(dir)
	if err != nil {
		c.tb.Fatal(err)
	}
	validity := ""
	seen := make(map[imap.UID]bool)
	for _, path := range paths {
		m := messageName.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			c.errorf("%s is no name of a message of ours", path)
			continue
		}
		if validity == "" {
			validity = m[2]
		}
		uid, err := strconv.ParseUint(m[3], 10, 32)
		if err != nil || m[2] != validity || seen[imap.UID(uid)] {
			c.errorf("%s: UID %s is there twice, or its UIDVALIDITY is another", path, m[3])
			continue
		}
		seen[imap.UID(uid)] = true
		c.file(path, m[1], served[imap.UID(uid)])
		if c.place == (place{"a@example.org", "INBOX"}) && c.posts.flagged[m[3]] && !strings.Contains(m[4], "F") {
			c.errorf("%s: its flag is lost", path)
		}
	}
	if len(served) != len(paths) {
		c.errorf("%d messages over IMAP, %d files", len(served), len(paths))
	}
}

var number = regexp.MustCompile(`\r\nX-Number: (\d+)\r\n`)

func (c *checker) file(path, size, served string) {
	data, err := os.ReadFile(path)
	if err != nil {
		c.errorf("unreadable: %v", err)
		return
	}
	text := string(data)
	if strconv.Itoa(len(text)) != size {
		c.errorf("%s has %d octets", path, len(text))
	}
	if text != served {
		c.errorf("%s is another text over IMAP (%d and %d octets)", path, len(text), len(served))
	}
	m := number.FindStringSubmatch(text)
	if m == nil {
		c.errorf("%s is no message of the load", path)
		return
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n >= len(c.posts.posts) {
		c.errorf("%s has a number that was never sent", path)
		return
	}
	if !strings.HasSuffix(text, c.posts.posts[n].text()) {
		c.errorf("%s does not hold the octets that were sent", path)
	}
	c.found[n]++
}

// counts compares the number of copies of each message with the answers.
func (c *checker) counts() {
	lost, double := 0, 0
	for n, p := range c.posts.posts {
		least, most := 0, 0
		for to, places := range p.leads {
			for _, at := range places {
				if at != c.place {
					continue
				}
				most = 1
				if p.taken[to] {
					least = 1
				}
			}
		}
		switch found := c.found[n]; {
		case found < least:
			lost++
			c.errorf("number %d is lost", n)
		case found > most:
			double++
			c.errorf("number %d is there %d times", n, found)
		}
	}
	c.tb.Logf("%s of %s: %d messages, %d lost, %d too many", c.place.folder, c.place.account, len(c.found), lost, double)
}

// known matches what may lie below data/domains: Maildirs with their state, and
// caches.
var known = regexp.MustCompile(`^[^/]+/[^/]+/(mail/(\.[^/]+/)?((cur|new|tmp)/[^/]+|facteur-[^/]+|dovecot-keywords|maildirfolder|subscriptions)|index/.+)$`)

// noStrays wants no file to lie where none belongs.
func noStrays(t *testing.T, data string) {
	domains := filepath.Join(data, "domains")
	err := filepath.WalkDir(domains, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(domains, path)
		if err == nil && !known.MatchString(rel) {
			t.Errorf("a stray file: %s", rel)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
