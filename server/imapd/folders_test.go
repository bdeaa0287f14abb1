package imapd

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"facteur/server/mailbox"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"%", "a", true}, {"%", "a/b", false}, {"%/%", "a/b", true},
		{"a*c", "abc", true}, {"a*c", "ab/c", true}, {"a%c", "ab/c", false}, {"a*", "b", false}, {"", "a", false},
		{"inbox", "INBOX", true}, {"InBox/*", "INBOX/a", true}, {"inb%", "INBOX", false}, {"sent", "Sent", false},
		{"a", "ab", false}, {"ab", "a", false}, {"*b*", "abc", true}, {"é%", "été", true},
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestMatchCost(t *testing.T) {
	if match(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 255)) {
		t.Error("matched")
	}
}

// list returns the names and attributes of LIST responses.
func (c *client) list(pattern string, options *imap.ListOptions) map[string][]imap.MailboxAttr {
	c.t.Helper()
	data, err := c.List("", pattern, options).Collect()
	c.must(err)
	names := make(map[string][]imap.MailboxAttr)
	for _, d := range data {
		if d.Delim != separator {
			c.t.Errorf("separator %q", d.Delim)
		}
		names[d.Mailbox] = d.Attrs
	}
	return names
}

func TestFolders(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("")
	start := c.list("*", nil)
	for name, use := range map[string]imap.MailboxAttr{
		"INBOX": imap.MailboxAttrHasNoChildren, "Sent": imap.MailboxAttrSent, "Drafts": imap.MailboxAttrDrafts,
		"Trash": imap.MailboxAttrTrash, "Junk": imap.MailboxAttrJunk, "Archive": imap.MailboxAttrArchive,
	} {
		if !slices.Contains(start[name], use) || !slices.Contains(start[name], imap.MailboxAttrSubscribed) {
			t.Errorf("%s: %v", name, start[name])
		}
	}
	c.must(c.Create("Lists/Gö/", nil).Wait())
	c.must(c.Create("Receipts & more", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrArchive}}).Wait())
	c.refused(c.Create("x", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrFlagged}}).Wait(), imap.StatusResponseTypeNo, useAttr)
	c.refused(c.Create("Sent", nil).Wait(), imap.StatusResponseTypeNo, imap.ResponseCodeAlreadyExists)
	c.refused(c.Create("a.b", nil).Wait(), imap.StatusResponseTypeNo, imap.ResponseCodeCannot)
	c.refused(c.Delete("absent").Wait(), imap.StatusResponseTypeNo, imap.ResponseCodeNonExistent)
	c.refused(c.Delete("INBOX").Wait(), imap.StatusResponseTypeNo, imap.ResponseCodeCannot)
	all := c.list("*", nil)
	if a := all["Receipts & more"]; !slices.Contains(a, imap.MailboxAttrArchive) {
		t.Errorf("Receipts & more: %v", a)
	}
	if a, ok := all["Lists/Gö"]; !ok || !slices.Contains(a, imap.MailboxAttrHasNoChildren) {
		t.Errorf("%v", all)
	}
	if a := all["Lists"]; !slices.Contains(a, imap.MailboxAttrHasChildren) {
		t.Errorf("Lists: %v", a)
	}
	if top := c.list("%", nil); len(top) != len(all)-1 {
		t.Errorf("%%: %v", top)
	}
	c.must(c.Rename("Lists/Gö", "Lists/Old/Go", nil).Wait())
	if _, ok := c.list("Lists/*", nil)["Lists/Old/Go"]; !ok {
		t.Error("not renamed")
	}
	c.must(c.Delete("Lists/Old/Go").Wait())
	if got := c.list("Lists/Old/*", nil); len(got) != 0 {
		t.Errorf("after DELETE: %v", got)
	}
	ns, err := c.Namespace().Wait()
	c.must(err)
	if len(ns.Personal) != 1 || ns.Personal[0].Delim != '/' || ns.Other != nil {
		t.Errorf("%+v", ns)
	}
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t, nil)
	c := w.login("")
	c.must(c.Unsubscribe("Junk").Wait())
	c.must(c.Create("A/B", nil).Wait())
	c.must(c.Subscribe("A/B").Wait())
	subscribed := c.list("*", &imap.ListOptions{SelectSubscribed: true})
	if _, ok := subscribed["Junk"]; ok || subscribed["A/B"] == nil {
		t.Errorf("%v", subscribed)
	}
	data, err := c.List("", "%", &imap.ListOptions{SelectSubscribed: true, SelectRecursiveMatch: true}).Collect()
	c.must(err)
	i := slices.IndexFunc(data, func(d *imap.ListData) bool { return d.Mailbox == "A" })
	if i < 0 || data[i].ChildInfo == nil || !data[i].ChildInfo.Subscribed {
		t.Errorf("RECURSIVEMATCH: %+v", data)
	}
	if special := c.list("*", &imap.ListOptions{SelectSpecialUse: true}); len(special) != 5 {
		t.Errorf("special use: %v", special)
	}
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	if s := r.do(`LSUB "" "*"`, "OK"); !strings.Contains(s, `"A/B"`) || strings.Contains(s, "Junk") {
		t.Error(s)
	}
	if s := r.do(`LIST "" ""`, "OK"); !strings.Contains(s, `* LIST (\Noselect) "/" ""`) {
		t.Error(s)
	}
	if s := r.do(`LIST "A/" "%"`, "OK"); !strings.Contains(s, `"A/B"`) {
		t.Error(s)
	}
	r.do(`LIST "" `+strings.Repeat("*", 3000), "NO [LIMIT]")
	r.do(`CREATE x (USE (\Sent \Junk))`, "NO [USEATTR]")
}

func TestStatus(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, "Subject: 1\n\n", `\Seen`, `\Deleted`)
	w.add(box, "Subject: 22\n\n")
	c := w.login("")
	options := &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, NumUnseen: true, NumDeleted: true, Size: true}
	st, err := c.Status("INBOX", options).Wait()
	c.must(err)
	if *st.NumMessages != 2 || *st.NumUnseen != 1 || *st.NumDeleted != 1 || *st.Size != 14+15 || st.UIDNext != 3 || st.UIDValidity == 0 {
		t.Errorf("%+v", st)
	}
	_, err = c.Status("absent", options).Wait()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeNonExistent)
	data, err := c.List("", "*", &imap.ListOptions{ReturnStatus: options}).Collect()
	c.must(err)
	for _, d := range data {
		if d.Status == nil || d.Mailbox == "INBOX" && *d.Status.NumMessages != 2 {
			t.Errorf("%+v", d)
		}
	}
	r := w.raw()
	r.do("LOGIN alice@example.org demo", "OK")
	if s := r.do("STATUS INBOX (RECENT APPENDLIMIT DELETED-STORAGE)", "OK"); !strings.Contains(s, "APPENDLIMIT 26214400 DELETED-STORAGE 14") || !strings.Contains(s, "RECENT 1") {
		t.Error(s)
	}
}

func TestSelect(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, "Subject: 1\n\n", `\Seen`)
	w.add(box, "Subject: 2\n\n", "Work")
	c := w.login("")
	data := c.selectBox("inbox")
	if data.NumMessages != 2 || data.UIDNext != 3 || data.UIDValidity == 0 || !slices.Contains(data.Flags, "Work") ||
		!slices.Contains(data.PermanentFlags, imap.FlagWildcard) {
		t.Errorf("%+v", data)
	}
	_, err := c.Select("absent", nil).Wait()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeNonExistent)
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t, nil)
	uid := w.add(w.box("INBOX"), "Subject: 1\n\n")
	w.add(w.box("INBOX"), "Subject: 2\n\n", `\Deleted`)
	c := w.login("")
	data, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	c.must(err)
	if len(data.PermanentFlags) != 0 {
		t.Errorf("PERMANENTFLAGS %v", data.PermanentFlags)
	}
	one := imap.UIDSetNum(uid)
	_, err = c.Fetch(one, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{}}}).Collect()
	c.must(err)
	_, err = c.Store(one, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Collect()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeNoPerm)
	_, err = c.Expunge().Collect()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeNoPerm)
	_, err = c.Move(one, "Trash").Wait()
	c.refused(err, imap.StatusResponseTypeNo, imap.ResponseCodeNoPerm)
	_, err = c.Copy(one, "Archive").Wait()
	c.must(err)
	c.must(c.UnselectAndExpunge().Wait())
	if st, err := w.box("INBOX").Status(); err != nil || st != (mailbox.Status{Messages: 2, Unseen: 2, Recent: 1, UIDNext: 3, UIDValidity: st.UIDValidity, Size: 28}) {
		t.Errorf("%+v, %v", st, err)
	}
}
