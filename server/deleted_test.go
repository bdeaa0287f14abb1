package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/files"
	"facteur/server/mailbox"
)

// deletions are an account of which mail, events and files are deleted, with a quota of 100 kB.
type deletions struct {
	*testing.T
	*Server
	alice address.Address
}

const deletionsConfig = `hostname = "mail.example.org"
postmaster = "alice@example.org"
[listen]
lmtp = "127.0.0.1:0"
[domains."example.org"]
[accounts."alice@example.org"]
password = "$2b$04$wNnzpZ3IBJgxvgFQcwWMXOPTnpkS.RLN2T5k3kdVYwoOI0zfsXMBy"
quota = "100 kB"
`

// withDeletions has work run with it.
func withDeletions(t *testing.T, work func(deletions)) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.toml")
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(deletionsConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	err := withoutServer(path, io.Discard, func(s *Server) error {
		work(deletions{t, s, address.MustParse("alice@example.org")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (a deletions) ok(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// body is something of a size in octets that begins with a text.
func body(first string, size int) []byte {
	return []byte(first + strings.Repeat("x", size-len(first)))
}

func (a deletions) mail(size int) {
	a.Helper()
	home, err := a.store.Home(a.alice)
	a.ok(err)
	inbox, err := home.Mailbox("INBOX")
	a.ok(err)
	d, err := a.store.Draft()
	a.ok(err)
	defer d.Discard()
	_, err = d.Write(append(body("Subject: x\r\n\r\n", size-2), "\r\n"...))
	a.ok(err)
	uid, err := inbox.Add(d, mailbox.AddOptions{Last: true})
	a.ok(err)
	_, err = inbox.Expunge([]mailbox.UID{uid})
	a.ok(err)
}

func (a deletions) event(size int) {
	a.Helper()
	a.ok(a.putEvent("a.ics", size).Remove("a.ics", collection.Condition{}))
}

// putEvent puts an event of which the UID is the href.
func (a deletions) putEvent(href string, size int) *collection.Collection {
	a.Helper()
	home, err := a.dav.kept.Home(a.alice)
	a.ok(err)
	c, err := home.Open("calendar")
	a.ok(err)
	begin := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:" + href +
		"\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nDESCRIPTION:"
	const end = "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	_, _, err = c.Put(href, append(body(begin, size-len(end)), end...), collection.Condition{})
	a.ok(err)
	return c
}

func (a deletions) file(size int) {
	a.Helper()
	tree, err := a.dav.files.Tree(a.alice)
	a.ok(err)
	path := files.Path{"a"}
	_, _, err = tree.Put(path, strings.NewReader(string(body("", size))), files.PutOptions{Size: -1})
	a.ok(err)
	a.ok(tree.Remove(path, nil))
}

// tick waits until the clock of the disk, which stands for some ms, is past now.
func (a deletions) tick() {
	a.Helper()
	path := filepath.Join(a.TempDir(), "tick")
	for now := time.Now(); ; {
		a.ok(os.WriteFile(path, nil, 0o600))
		info, err := os.Stat(path)
		a.ok(err)
		if info.ModTime().After(now) {
			return
		}
	}
}

// left tells what is in deleted/: the kB of mail, events and files, of each the oldest first.
func (a deletions) left() string {
	a.Helper()
	mails, err := a.store.Deleted(a.alice)
	a.ok(err)
	events, err := a.dav.kept.Deleted(a.alice)
	a.ok(err)
	plain, err := a.dav.files.Deleted(a.alice)
	a.ok(err)
	var out []string
	for _, m := range mails {
		out = append(out, fmt.Sprint("mail ", m.Size/1000))
	}
	for _, e := range events {
		out = append(out, fmt.Sprint("event ", e.Size/1000))
	}
	for _, f := range plain {
		out = append(out, fmt.Sprint("file ", f.Size/1000))
	}
	return strings.Join(out, ", ")
}

// TestDeletedQuota: mail, events and files that were deleted are bounded by the quota
// together, the oldest go first, and nothing of them counts as used.
func TestDeletedQuota(t *testing.T) {
	withDeletions(t, func(a deletions) {
		for _, c := range []struct {
			delete func(int)
			kB     int
			want   string
		}{
			{a.file, 40, "file 40"},
			{a.mail, 30, "mail 30, file 40"},
			{a.event, 20, "mail 30, event 20, file 40"},
			{a.mail, 20, "mail 30, mail 20, event 20"},   // the file was the oldest
			{a.event, 50, "mail 20, event 20, event 50"}, // now a message is
			{a.file, 60, "file 60"},                      // 50 are one too many
			{a.mail, 40, "mail 40, file 60"},             // just the quota
			{a.event, 1, "mail 40, event 1"},
		} {
			c.delete(c.kB * 1000)
			a.ok(a.bins.Purge(a.alice)) // waits for the one that is under way
			if got := a.left(); got != c.want {
				t.Errorf("after %d kB: %s; want %s", c.kB, got, c.want)
			}
			a.tick()
		}
		if used, quota, err := a.usage(a.alice); used != 0 || quota != 100_000 || err != nil {
			t.Errorf("used: %d of %d, %v", used, quota, err)
		}
	})
}

// TestDeletedBrokenStore: a store that can't tell what it deleted, and one that is closed, do
// not keep what others deleted from being purged.
func TestDeletedBrokenStore(t *testing.T) {
	withDeletions(t, func(a deletions) {
		a.mail(60_000)
		c := a.putEvent("a.ics", 30_000)
		a.putEvent("b.ics", 50_000)
		a.ok(a.bins.Purge(a.alice))
		days, err := filepath.Glob(filepath.Join(a.live.Load().Data, "domains", a.alice.Dir(), "deleted", "*"))
		a.ok(err)
		if len(days) == 0 {
			t.Fatal("nothing is there")
		}
		a.ok(os.Symlink("files", filepath.Join(days[len(days)-1], "files"))) // leads nowhere
		a.ok(a.store.Close())
		a.tick()
		for _, href := range []string{"a.ics", "b.ics"} {
			a.ok(c.Remove(href, collection.Condition{}))
		}
		if err := a.bins.Purge(a.alice); err == nil || !strings.Contains(err.Error(), "files") {
			t.Errorf("it is not told: %v", err)
		}
		mails, err := filepath.Glob(filepath.Join(days[len(days)-1], "INBOX", "*"))
		a.ok(err)
		events, err := a.dav.kept.Deleted(a.alice)
		if len(mails) != 0 || len(events) != 2 || err != nil {
			t.Errorf("left: %v, %v, %v", mails, events, err)
		}
	})
}
