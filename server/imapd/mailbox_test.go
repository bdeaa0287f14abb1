package imapd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

var (
	seqOne  = imap.SeqSetNum(1)
	deleted = &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}
)

func TestAppendAndFetch(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("INBOX")
	at := time.Date(2020, 2, 29, 12, 30, 0, 0, time.FixedZone("", 3600))
	data, err := c.append("INBOX", mixed, &imap.AppendOptions{Time: at, Flags: []imap.Flag{imap.FlagFlagged, "Work", flagRecent}})
	c.must(err)
	if data.UID != 1 || data.UIDValidity == 0 {
		t.Errorf("%+v", data)
	}
	c.told("exists 1", "flags")
	section := &imap.FetchItemBodySection{Part: []int{3, 1}, Specifier: imap.PartSpecifierText, Peek: true, Partial: &imap.SectionPartial{Offset: 7, Size: 3}}
	whole := &imap.FetchItemBodySection{}
	got, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		UID: true, Flags: true, InternalDate: true, RFC822Size: true, Envelope: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection:   []*imap.FetchItemBodySection{section},
	}).Collect()
	c.must(err)
	m := got[0]
	if m.UID != 1 || flagString(m.Flags) != `Work \Flagged` || !m.InternalDate.Equal(at) || m.RFC822Size != int64(len(crlf(mixed))) {
		t.Errorf("%+v", m)
	}
	if m.Envelope.From[0].Addr() != "a@example.org" || m.BodyStructure.MediaType() != "multipart/mixed" {
		t.Errorf("%+v %+v", m.Envelope, m.BodyStructure)
	}
	if s := string(m.FindBodySection(section)); s != "tex" {
		t.Errorf("%q", s)
	}
	got, err = c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	c.must(err)
	if string(got[0].FindBodySection(whole)) != string(crlf(mixed)) || flagString(got[0].Flags) != `Work \Flagged \Seen` {
		t.Errorf("%q %v", got[0].FindBodySection(whole), got[0].Flags)
	}
	c.told()
	binary := &imap.FetchItemBinarySection{Part: []int{1}}
	got, err = c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		BinarySection:     []*imap.FetchItemBinarySection{binary},
		BinarySectionSize: []*imap.FetchItemBinarySectionSize{{Part: []int{2, 2}}},
	}).Collect()
	c.must(err)
	if size, ok := got[0].FindBinarySectionSize([]int{2, 2}); string(got[0].FindBinarySection(binary)) != "first" || !ok || size != 7 {
		t.Errorf("%q %d", got[0].FindBinarySection(binary), size)
	}
}

func TestObsoleteFetchItems(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: s\n\nbody\n")
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	r.do("SELECT INBOX", "OK")
	for item, want := range map[string]string{
		"RFC822.HEADER": "RFC822.HEADER {14}\r\nSubject: s\r\n\r\n",
		"RFC822.TEXT":   "RFC822.TEXT {6}\r\nbody\r\n",
		"RFC822":        "RFC822 {20}\r\n",
		"FULL":          `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1)`,
		"ALL":           `ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"FAST":          "RFC822.SIZE 20",
		"BODY[9.TEXT]":  "BODY[9.TEXT] {0}\r\n",
	} {
		if s := r.do("FETCH 1 "+item, "OK"); !strings.Contains(s, want) {
			t.Errorf("%s: %q", item, s)
		}
	}
	r.do("FETCH 1 BODY[]<9223372036854775807.9223372036854775807>", "BAD")
	r.do("FETCH 1 BODY[]<0.0>", "BAD")
	r.do("FETCH 1 BODY[MIME]", "BAD")
	r.do("FETCH 2 FLAGS", "BAD")
	r.do("FETCH 1:9 FLAGS", "BAD")
	r.do("UID FETCH 9 FLAGS", "OK")
	if s := r.do("FETCH 5:* UID", "OK"); !strings.Contains(s, "UID 1") {
		t.Error(s)
	}
	if s := r.do("UID FETCH 5:* UID", "OK"); !strings.Contains(s, "UID 1") {
		t.Error(s)
	}
	r.do("STORE 1 +FLAGS (\\Strange)", "BAD")
}

func TestAppendRefused(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.AppendLimit = 100 })
	c := w.login("")
	_, err := c.append("absent", "x\n", nil)
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeTryCreate)
	_, err = c.append("INBOX", strings.Repeat("x", 100)+"\n", nil)
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeTooBig)
	c = w.login("") // imapclient ends the literal that was refused with an empty line
	_, err = c.append("INBOX", strings.Repeat("x", 98)+"\n", nil)
	c.must(err)
	// A literal that is cut leaves nothing behind.
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	r.send("t APPEND INBOX {50}\r\n")
	r.expect("+")
	r.send("half of it")
	r.Close()
	c.selectBox("INBOX")
	if n := len(c.uids()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.QuotaOf = quotaOf(300) })
	c := w.login("INBOX")
	text := "Subject: x\n\n" + strings.Repeat("x", 84) + "\n"
	for range 2 {
		_, err := c.append("INBOX", text, nil)
		c.must(err)
	}
	_, err := c.Copy(imap.SeqSetNum(1, 2), "Archive").Wait()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeOverQuota)
	_, err = c.Copy(imap.SeqSetNum(1), "Archive").Wait()
	c.must(err)
	_, err = c.append("INBOX", text, nil)
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeOverQuota)
	_, err = c.Move(imap.SeqSetNum(1, 2), "Trash").Wait()
	c.must(err)
}

func TestStoreExpunge(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for i := range 5 {
		w.add(box, fmt.Sprintf("Subject: %d\n\n", i))
	}
	c := w.login("INBOX")
	got, err := c.Store(imap.SeqSet{{Start: 2, Stop: 3}, {Start: 5}}, deleted, nil).Collect()
	c.must(err)
	if len(got) != 3 || got[2].SeqNum != 5 || flagString(got[0].Flags) != `\Deleted` {
		t.Errorf("%+v", got)
	}
	got, err = c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsSet, Silent: true, Flags: []imap.Flag{imap.FlagDraft, imap.FlagAnswered}}, nil).Collect()
	c.must(err)
	if len(got) != 0 {
		t.Errorf("silent: %+v", got)
	}
	got, err = c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsDel, Flags: []imap.Flag{imap.FlagDraft}}, nil).Collect()
	c.must(err)
	if len(got) != 1 || got[0].UID != 1 || flagString(got[0].Flags) != `\Answered` {
		t.Errorf("%+v", got[0])
	}
	nums, err := c.UIDExpunge(imap.UIDSet{{Start: 1, Stop: 2}}).Collect()
	c.must(err)
	if !slices.Equal(nums, []uint32{2}) {
		t.Errorf("UID EXPUNGE: %v", nums)
	}
	nums, err = c.Expunge().Collect()
	c.must(err)
	if len(nums) != 2 || !slices.Equal(c.uids(), []imap.UID{1, 4}) {
		t.Errorf("EXPUNGE: %v, left %v", nums, c.uids())
	}
	_, err = c.Store(imap.SeqSetNum(1), deleted, nil).Collect()
	c.must(err)
	c.must(c.UnselectAndExpunge().Wait())
	c.selectBox("INBOX")
	if !slices.Equal(c.uids(), []imap.UID{4}) {
		t.Errorf("after CLOSE: %v", c.uids())
	}
	c.must(c.Unselect().Wait())
}

func TestCopyMove(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for i := range 4 {
		w.add(box, fmt.Sprintf("Subject: %d\n\n", i), `\Flagged`, "Work")
	}
	c := w.login("INBOX")
	before, err := c.Fetch(imap.SeqSetNum(2), &imap.FetchOptions{InternalDate: true}).Collect()
	c.must(err)
	_, err = c.Copy(imap.SeqSetNum(1), "absent").Wait()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeTryCreate)
	copied, err := c.Copy(imap.SeqSet{{Start: 1, Stop: 2}, {Start: 4, Stop: 4}}, "Archive").Wait()
	c.must(err)
	if copied.SourceUIDs.String() != "1:2,4" || copied.DestUIDs.String() != "1:3" || copied.UIDValidity == 0 {
		t.Errorf("%+v", copied)
	}
	moved, err := c.Move(imap.UIDSetNum(2, 3, 99), "Archive").Wait()
	c.must(err)
	if moved.SourceUIDs.String() != "2:3" || moved.DestUIDs.String() != "4:5" {
		t.Errorf("%+v", moved)
	}
	if !slices.Equal(c.uids(), []imap.UID{1, 4}) {
		t.Errorf("left %v", c.uids())
	}
	if data, err := c.Move(imap.UIDSetNum(77), "Archive").Wait(); err != nil || data.UIDValidity != 0 {
		t.Errorf("MOVE of nothing: %+v, %v", data, err)
	}
	c.selectBox("Archive")
	after, err := c.Fetch(imap.SeqSetNum(2, 5), &imap.FetchOptions{InternalDate: true, Flags: true}).Collect()
	c.must(err)
	if !after[0].InternalDate.Equal(before[0].InternalDate) || flagString(after[1].Flags) != `Work \Flagged` {
		t.Errorf("%+v %+v", after[0], after[1])
	}
}

// Two sessions on one mailbox: what one does, the other is told, with sequence
// numbers that are right at each step.
func TestTwoSessions(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	for i := range 4 {
		w.add(box, fmt.Sprintf("Subject: %d\n\n", i), `\Seen`)
	}
	a, b := w.login("INBOX"), w.login("INBOX")
	_, err := a.Store(imap.SeqSetNum(2), deleted, nil).Collect()
	a.must(err)
	a.told()
	b.told(`fetch 2 \Deleted \Seen`)
	_, err = a.Expunge().Collect()
	a.must(err)
	w.add(box, "Subject: new\n\n")
	// b still counts four, and may not be told of the EXPUNGE in a FETCH.
	got, err := b.Fetch(imap.SeqSetNum(3, 4), &imap.FetchOptions{UID: true, Flags: true}).Collect()
	b.must(err)
	if len(got) != 2 || got[0].UID != 3 || got[1].UID != 4 {
		t.Errorf("%+v", got)
	}
	b.told("exists 5", "expunge 2")
	if !slices.Equal(b.uids(), []imap.UID{1, 3, 4, 5}) {
		t.Errorf("%v", b.uids())
	}
	a.told("exists 4")
	// What is gone can't be read any more, and the rest can.
	_, err = a.Store(imap.SeqSetNum(1, 4), deleted, nil).Collect()
	a.must(err)
	_, err = a.Expunge().Collect()
	a.must(err)
	got, err = b.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{UID: true, Envelope: true}).Collect()
	b.must(err)
	if len(got) != 2 || got[0].SeqNum != 2 || got[1].SeqNum != 3 {
		t.Errorf("%+v", got)
	}
	b.told("expunge 4", "expunge 1")
	// Keywords are announced.
	_, err = b.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{"New"}}, nil).Collect()
	b.must(err)
	a.told("flags", `fetch 1 New \Seen`)
}

func TestDeletedWhileSelected(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("Archive"), "Subject: x\n\n")
	a, b := w.login("Archive"), w.login("")
	b.must(b.Delete("Archive").Wait())
	a.told("expunge 1")
	a.must(a.Noop().Wait())
}

// dirOf returns the folder of alice's mail.
func (w *world) dirOf() string {
	return filepath.Join(w.dir, "domains", "example.org", "alice", "mail")
}

func TestOtherPrograms(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("INBOX")
	// With bare LF, as mail programs on this machine write it.
	if err := os.WriteFile(filepath.Join(w.dirOf(), "new", "1700000000.M1P2.elsewhere"), []byte("Subject: dropped\n\nbody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	c.must(err)
	if e := c.next(); e != "exists 1" {
		t.Error(e)
	}
	c.must(idle.Close())
	c.must(idle.Wait())
	section := &imap.FetchItemBodySection{Peek: true}
	got, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Envelope: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	c.must(err)
	if got[0].Envelope.Subject != "dropped" || string(got[0].FindBodySection(section)) != "Subject: dropped\r\n\r\nbody\r\n" || got[0].RFC822Size != 26 {
		t.Errorf("%+v", got[0])
	}
	idle, err = c.Idle()
	c.must(err)
	for _, dir := range []string{"new", "cur"} {
		names, err := os.ReadDir(filepath.Join(w.dirOf(), dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if err := os.Remove(filepath.Join(w.dirOf(), dir, n.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if e := c.next(); e != "expunge 1" {
		t.Error(e)
	}
	c.must(idle.Close())
}
