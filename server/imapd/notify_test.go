package imapd

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"facteur/server/address"
	"facteur/server/mailbox"
)

// create makes mailboxes of alice's behind the server's back.
func (w *world) create(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := w.home().Create(name, ""); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) home() *mailbox.Home {
	w.t.Helper()
	home, err := w.store.Home(alice)
	if err != nil {
		w.t.Fatal(err)
	}
	return home
}

// setFlags changes those of messages.
func (w *world) setFlags(box string, op mailbox.FlagOp, flag string, uids ...mailbox.UID) {
	w.t.Helper()
	if _, err := w.box(box).SetFlags(mailbox.StoreOptions{UIDs: uids, Op: op, Flags: []string{flag}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) expunge(box string, uids ...mailbox.UID) {
	w.t.Helper()
	if _, err := w.box(box).Expunge(uids); err != nil {
		w.t.Fatal(err)
	}
}

const (
	hello   = "Subject: Re: good morning\nFrom: alice@example.org\nTo: bob@example.org\n\nHello\n"
	goodDay = "Subject: x\n\nx\n"
)

// TestNotifyExample is that of RFC 5465 3.1, with its errata.
func TestNotifyExample(t *testing.T) {
	w := newWorld(t, nil)
	w.create("Lists", "Lists/Im2000", "Lists/Lemonade", "misc", "Listsx")
	w.add(w.box("Lists/Lemonade"), goodDay)
	w.add(w.box("INBOX"), goodDay)
	r := w.login("")
	r.talk(`
		C: b notify set status (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))
		S: * STATUS Lists (UIDVALIDITY ... UIDNEXT 1 MESSAGES 0)
		S: * STATUS Lists/Im2000 (UIDVALIDITY ... UIDNEXT 1 MESSAGES 0)
		S: * STATUS Lists/Lemonade (UIDVALIDITY ... UIDNEXT 2 MESSAGES 1)
		S: b OK NOTIFY completed
	`)
	r.do("SELECT INBOX", "OK")
	w.add(w.box("misc"), goodDay)
	w.add(w.box("Listsx"), goodDay)
	w.add(w.box("Lists/Lemonade"), goodDay)
	r.talk(`
		S: * STATUS Lists/Lemonade (UIDVALIDITY ... UIDNEXT 3 MESSAGES 2)
	`)
	w.add(w.box("INBOX"), hello)
	r.talk(`
		S: * 2 EXISTS
		S: * 2 RECENT
		S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (from to subject)] {75}
		S: Subject: Re: good morning
		S: From: alice@example.org
		S: To: bob@example.org
		S: 
		S: )
		C: d STATUS misc (UIDVALIDITY UIDNEXT MESSAGES)
		S: * STATUS misc (...)
		S: d OK STATUS completed
		C: e notify set (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge)) (mailboxes misc (MessageNew MessageExpunge))
		S: e OK NOTIFY completed
	`)
	w.add(w.box("misc"), goodDay)
	r.talk(`
		S: * STATUS misc (UIDVALIDITY ... UIDNEXT 3 MESSAGES 2)
	`)
}

func TestNotifySyntax(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	if got := r.do("CAPABILITY", "OK"); !strings.Contains(got, " NOTIFY") {
		t.Errorf("%q", got)
	}
	const all = "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)"
	for command, want := range map[string]string{
		"NONE":                       "OK",
		"none":                       "OK",
		"":                           "BAD",
		"SET":                        "BAD",
		"SET STATUS":                 "BAD",
		"SET ()":                     "BAD",
		"SET (selected NONE)":        "OK",
		"SET (personal NONE) x":      "BAD",
		"SET (personal)":             "BAD",
		"SET (personal ())":          "BAD",
		"SET (nobody (MessageNew))":  "BAD",
		"SET (mailboxes NONE)":       "BAD",
		"SET (mailboxes () NONE)":    "BAD",
		"SET (mailboxes (a b) NONE)": "OK",
		"SET (subtree \"a b\" NONE)": "OK",
		"SET STATUS (inboxes " + all + ") (subscribed (SubscriptionChange))": "OK",
		// RFC 5465 5
		"SET (personal (MessageNew))":                              "BAD",
		"SET (personal (MessageExpunge MailboxName))":              "BAD",
		"SET (personal (FlagChange))":                              "BAD",
		"SET (personal (FlagChange MessageExpunge MessageNew))":    "OK",
		"SET (personal (AnnotationChange))":                        "NO [BADEVENT " + all + "]",
		"SET (personal (MessageNew MessageExpunge X-Y))":           "NO [BADEVENT " + all + "]",
		"SET (personal (MessageNew (UID) MessageExpunge))":         "BAD",
		"SET (selected (MessageExpunge (UID) MessageNew))":         "BAD",
		"SET (selected (MessageExpunge MessageNew (UID)))":         "OK",
		"SET (selected (MessageExpunge MessageNew (UID NOTHING)))": "BAD",
		"SET (selected (MessageExpunge MessageNew ()))":            "BAD",
		// RFC 5465 6.1
		"SET (selected NONE) (selected-delayed NONE)": "BAD",
		"SET (selected (MailboxName))":                "BAD",
		"SET (selected (ServerMetadataChange))":       "BAD",
		// Bounds.
		"SET" + strings.Repeat(" (personal NONE)", maxGroups+1):               "NO [NOTIFICATIONOVERFLOW]",
		"SET (mailboxes (" + strings.Repeat("a ", maxGroupNames) + "b) NONE)": "NO [NOTIFICATIONOVERFLOW]",
	} {
		r.do("NOTIFY "+command, want)
	}
}

// TestNotifySelected has a client that listens all the time (RFC 5465 5.1 to 5.3).
func TestNotifySelected(t *testing.T) {
	w := newWorld(t, nil)
	inbox := w.box("INBOX")
	for range 3 {
		w.add(inbox, goodDay)
	}
	r := w.login("INBOX")
	w.expunge("INBOX", 1)
	r.talk(`
		C: a NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))
		S: * 1 EXPUNGE
		S: a OK NOTIFY completed
	`)
	w.setFlags("INBOX", mailbox.AddFlags, `\Flagged`, 3)
	r.talk(`
		S: * 2 FETCH (UID 3 FLAGS (\Flagged \Recent))
	`)
	w.add(inbox, goodDay, `\Seen`)
	r.talk(`
		S: * 3 EXISTS
		S: * 3 RECENT
		S: * 3 FETCH (UID 4 FLAGS (\Seen \Recent))
	`)
	w.expunge("INBOX", 2)
	r.talk(`
		S: * 1 EXPUNGE
		C: b APPEND INBOX {1+}
		C: a
		S: * 3 EXISTS
		S: * 3 RECENT
		S: b OK [APPENDUID ... 5] APPEND completed
		C: c COPY 1 INBOX
		S: * 4 EXISTS
		S: * 4 RECENT
		S: c OK [COPYUID ... 3 6] COPY completed
		C: d ENABLE QRESYNC
		S: * ENABLED QRESYNC
		S: * OK [HIGHESTMODSEQ ...] ...
		S: d OK ENABLE completed
	`)
	w.expunge("INBOX", 4)
	r.talk(`
		S: * VANISHED 4
	`)
	w.add(inbox, goodDay)
	r.talk(`
		S: * 4 EXISTS
		S: * 4 RECENT
		S: * 4 FETCH (UID 7 FLAGS (\Recent) MODSEQ (...))
		C: e IDLE
		S: + idling
	`)
	w.expunge("INBOX", 5)
	r.talk(`
		S: * VANISHED 5
		C: DONE
		S: e OK IDLE completed
	`)
	if err := w.home().Create("x", ""); err != nil {
		t.Fatal(err)
	}
	r.do("SELECT x", "OK")
	if err := w.home().Delete("x"); err != nil {
		t.Fatal(err)
	}
	r.expect("* BYE")
	r.closed()
}

// Without FlagChange flags of others are not told; what the client itself changes
// is.
func TestNotifyNoFlags(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), goodDay)
	r := w.login("INBOX")
	r.do("NOTIFY SET (selected (MessageNew MessageExpunge))", "OK")
	w.setFlags("INBOX", mailbox.AddFlags, `\Flagged`, 1)
	r.talk(`
		C: a NOOP
		S: a OK NOOP completed
		C: b STORE 1 +FLAGS (\Seen)
		S: * 1 FETCH (FLAGS (\Flagged \Seen \Recent))
		S: b OK STORE completed
	`)
}

// TestNotifyDelayed follows RFC 5465 6.1.2.
func TestNotifyDelayed(t *testing.T) {
	w := newWorld(t, nil)
	inbox := w.box("INBOX")
	for range 3 {
		w.add(inbox, goodDay)
	}
	r := w.login("INBOX")
	r.do("NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))", "OK")
	w.add(inbox, goodDay)
	r.talk(`
		S: * 4 EXISTS
		S: * 4 RECENT
	`)
	w.expunge("INBOX", 1)
	w.setFlags("INBOX", mailbox.AddFlags, `\Seen`, 3)
	r.talk(`
		S: * 3 FETCH (UID 3 FLAGS (\Seen \Recent))
		C: a FETCH 4 UID
		S: * 4 FETCH (UID 4)
		S: a OK FETCH completed
		C: b NOOP
		S: * 1 EXPUNGE
		S: b OK NOOP completed
	`)
}

// Without a group for the selected mailbox, and after NONE, it stays as it was
// told (RFC 5465 3.1) but for what the client itself does.
func TestNotifyNothingSelected(t *testing.T) {
	w := newWorld(t, nil)
	inbox := w.box("INBOX")
	w.add(inbox, goodDay)
	w.add(inbox, goodDay)
	for _, command := range []string{"NONE", "SET (personal (MessageNew MessageExpunge FlagChange))", "SET (selected NONE)"} {
		first := w.add(inbox, goodDay)
		second := w.add(inbox, goodDay)
		r := w.login("INBOX")
		n := int(number(t, r.do("STATUS INBOX (MESSAGES)", "OK"), "MESSAGES"))
		r.do("NOTIFY "+command, "OK")
		w.setFlags("INBOX", mailbox.AddFlags, `\Flagged`, first)
		w.add(inbox, goodDay)
		w.expunge("INBOX", second)
		r.talk(fmt.Sprintf(`
			C: a NOOP
			S: a OK NOOP completed
			C: b FETCH %d (UID FLAGS)
			S: * %[1]d FETCH (UID %d FLAGS (\Flagged \Recent))
			S: b OK FETCH completed
			C: c FETCH %d BODY[]
			S: c OK [EXPUNGEISSUED] ...
			C: d STORE %[1]d +FLAGS (\Deleted)
			S: * %[1]d FETCH (FLAGS (\Flagged \Deleted \Recent))
			S: d OK STORE completed
			C: e EXPUNGE
			S: * %[3]d EXPUNGE
			S: * %[1]d EXPUNGE
			S: * %[4]d EXISTS
			S: * ...
			S: e OK EXPUNGE completed
			C: f IDLE
			S: + idling
			C: DONE
			S: f OK IDLE completed
		`, n-1, first, n, n-1))
		r.Close()
	}
}

// TestNotifyElsewhere has events in mailboxes that are not selected.
func TestNotifyElsewhere(t *testing.T) {
	w := newWorld(t, nil)
	w.create("Lists")
	lists := w.box("Lists")
	w.add(lists, goodDay)
	r := w.login("INBOX")
	r.talk(`
		C: a NOTIFY SET STATUS (mailboxes (Lists Nowhere INBOX) (MessageNew MessageExpunge FlagChange))
		S: * STATUS Lists (UIDVALIDITY ... UIDNEXT 2 MESSAGES 1 UNSEEN 1 HIGHESTMODSEQ ...)
		S: a OK NOTIFY completed
	`)
	// The UIDVALIDITY is told, and what may have changed beside it. CONDSTORE is
	// not on: only the number of unseen messages is of interest.
	w.setFlags("Lists", mailbox.AddFlags, `\Flagged`, 1)
	w.setFlags("Lists", mailbox.AddFlags, `\Seen`, 1)
	r.talk(`
		S: * STATUS Lists (UIDVALIDITY ... UNSEEN 0 HIGHESTMODSEQ ...)
		C: b APPEND Lists {1+}
		C: a
		S: b OK ...
		C: c ENABLE CONDSTORE
		S: * ENABLED CONDSTORE
		S: * OK [HIGHESTMODSEQ ...] ...
		S: c OK ENABLE completed
	`)
	w.setFlags("Lists", mailbox.AddFlags, `\Answered`, 1)
	r.talk(`
		S: * STATUS Lists (UIDVALIDITY ... UNSEEN 1 HIGHESTMODSEQ ...)
	`)
	w.expunge("Lists", 1)
	r.talk(`
		S: * STATUS Lists (UIDVALIDITY ... UIDNEXT 3 MESSAGES 1 UNSEEN 1 HIGHESTMODSEQ ...)
		C: d IDLE
		S: + idling
	`)
	w.add(lists, goodDay)
	r.talk(`
		S: * STATUS Lists (UIDVALIDITY ... UIDNEXT 4 MESSAGES 2 UNSEEN 2 HIGHESTMODSEQ ...)
		C: DONE
		S: d OK IDLE completed
	`)
	// A mailbox that comes later is watched too.
	w.create("Nowhere")
	w.add(w.box("Nowhere"), goodDay)
	r.talk(`
		S: * STATUS Nowhere (UIDVALIDITY ... UIDNEXT 2 MESSAGES 1 ...)
		C: e SELECT Lists
		S: * OK [CLOSED] ...
	`)
	r.until("e OK")
	w.add(lists, goodDay) // selected now, and of no interest
	w.add(w.box("INBOX"), goodDay)
	r.talk(`
		S: * STATUS INBOX (UIDVALIDITY ... UIDNEXT 2 MESSAGES 1 ...)
		C: f UNSELECT
		S: * STATUS Lists (UIDVALIDITY ... UIDNEXT 5 MESSAGES 3 ...)
		S: f OK UNSELECT completed
	`)
}

// TestNotifyNames follows RFC 5465 5.4 and 5.5.
func TestNotifyNames(t *testing.T) {
	w := newWorld(t, nil)
	w.create("Old", "Old/below")
	home := w.home()
	r := w.login("")
	r.do("NOTIFY SET (personal (MailboxName SubscriptionChange))", "OK")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(home.Create("NewMailbox", ""))
	r.talk(`
		S: * LIST (\HasNoChildren) "/" NewMailbox
	`)
	must(home.Create("Up/Down", ""))
	r.talk(`
		S: * LIST (\HasChildren \NonExistent) "/" Up
		S: * LIST (\HasNoChildren) "/" Up/Down
	`)
	must(home.Delete("NewMailbox"))
	r.talk(`
		S: * LIST (\HasNoChildren \NonExistent) "/" NewMailbox
	`)
	must(home.Rename("Old", "New"))
	r.talk(`
		S: * LIST (\HasChildren) "/" New ("OLDNAME" (Old))
	`)
	must(home.Subscribe("New", true))
	r.talk(`
		S: * LIST (\HasChildren \Subscribed) "/" New
	`)
	must(home.Subscribe("New", false))
	r.talk(`
		S: * LIST (\HasChildren) "/" New
	`)
	must(home.Subscribe("Nowhere", true))
	r.talk(`
		S: * LIST (\HasNoChildren \NonExistent \Subscribed) "/" Nowhere
	`)
	must(home.Subscribe("Nowhere", false))
	r.talk(`
		S: * LIST (\HasNoChildren \NonExistent) "/" Nowhere
	`)
	// What the client does by itself it is not told.
	r.talk(`
		C: a CREATE mine/one
		S: a OK ...
		C: b RENAME New mine/two
		S: b OK ...
		C: c SUBSCRIBE mine/one
		S: c OK ...
		C: d DELETE mine/one
		S: d OK ...
		C: e CREATE INBOX
		S: e NO ...
		C: f NOOP
		S: f OK NOOP completed
	`)
	must(home.Rename("INBOX", "Archive 1"))
	r.talk(`
		S: * LIST (\HasNoChildren) "/" "Archive 1"
		C: g ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: g OK ENABLE completed
		C: h RENAME mine yours
		S: * LIST (\HasChildren \NonExistent) "/" yours ("OLDNAME" (mine))
		S: h OK RENAME completed
	`)
}

// TestNotifySubscribed: the list is looked at anew when it changes (RFC 5465 6.4).
func TestNotifySubscribed(t *testing.T) {
	w := newWorld(t, nil)
	w.create("a", "b")
	if err := w.home().Subscribe("a", true); err != nil {
		t.Fatal(err)
	}
	r := w.login("")
	r.do("NOTIFY SET (subscribed (MessageNew MessageExpunge))", "OK")
	w.add(w.box("b"), goodDay)
	w.add(w.box("a"), goodDay)
	r.expect("* STATUS a (")
	if err := w.home().Subscribe("b", true); err != nil {
		t.Fatal(err)
	}
	r.expect("* STATUS b (")
	w.add(w.box("b"), goodDay)
	r.expect("* STATUS b (")
	if err := w.home().Subscribe("a", false); err != nil {
		t.Fatal(err)
	}
	w.add(w.box("a"), goodDay)
	w.add(w.box("b"), goodDay)
	r.expect("* STATUS b (")
}

// TestNotifyAdds: what several groups ask for of a mailbox adds up (RFC 5465 6).
func TestNotifyAdds(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	r.do("notify set (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))", "OK")
	w.add(w.box("INBOX"), goodDay)
	r.expect("* STATUS INBOX (")
	if err := w.home().Subscribe("INBOX", false); err != nil {
		t.Fatal(err)
	}
	r.expect(`* LIST (\HasNoChildren) "/" INBOX`)
}

// TestNotifyMetadata follows RFC 5465 5.6 and 5.7, and RFC 5464 4.4.2.
func TestNotifyMetadata(t *testing.T) {
	w := newWorld(t, nil)
	listening, enabled := w.login(""), w.login("")
	listening.do("NOTIFY SET (mailboxes INBOX (MailboxMetadataChange ServerMetadataChange))", "OK")
	enabled.talk(`
		C: a ENABLE METADATA
		S: * ENABLED METADATA
		S: a OK ENABLE completed
	`)
	other := w.login("")
	other.do(`SETMETADATA INBOX (/shared/comment "x" /private/comment "y")`, "OK")
	listening.expect("* METADATA INBOX /private/comment /shared/comment\r\n")
	other.do(`SETMETADATA Drafts (/shared/comment "x")`, "OK")
	other.do(`SETMETADATA INBOX (/shared/comment NIL)`, "OK")
	listening.expect("* METADATA INBOX /shared/comment\r\n")
	other.do(`SETMETADATA "" (/private/comment "z")`, "OK")
	listening.expect("* METADATA \"\" /private/comment\r\n")
	enabled.talk(`
		C: b NOOP
		S: * METADATA INBOX /private/comment /shared/comment
		S: * METADATA Drafts /shared/comment
		S: * METADATA INBOX /shared/comment
		S: * METADATA "" /private/comment
		S: b OK NOOP completed
		C: c SETMETADATA INBOX (/shared/comment "mine")
		S: c OK SETMETADATA completed
		C: d IDLE
		S: + idling
	`)
	listening.expect("* METADATA INBOX /shared/comment\r\n")
	other.do(`SETMETADATA INBOX (/shared/comment NIL)`, "OK")
	enabled.talk(`
		S: * METADATA INBOX /shared/comment
		C: DONE
		S: d OK IDLE completed
	`)
}

// TestNotifyShared has a shared mailbox, rights to which come and go
// (RFC 5465 5.9).
func TestNotifyShared(t *testing.T) {
	var rights atomic.Value
	rights.Store("lr")
	office := address.MustParse("office@example.org")
	options := func(o *Options) {
		o.Roles = func(who address.Address) []Shared {
			if r := rights.Load().(string); who == alice && r != "" {
				return []Shared{{office, r}}
			}
			return nil
		}
	}
	w := newWorld(t, options)
	grant := func(r string) {
		rights.Store(r)
		opt := Options{PlaintextLogin: true}
		options(&opt)
		w.server.Apply(opt)
	}
	home, err := w.store.Home(office)
	if err != nil {
		t.Fatal(err)
	}
	box, err := home.Mailbox("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	r := w.login("")
	r.do("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))", "OK")
	w.add(box, goodDay)
	if err := home.Create("hidden", ""); err != nil {
		t.Fatal(err)
	}
	r.do("NOOP", "OK NOOP")
	r.talk(`
		C: a NOTIFY SET STATUS (mailboxes Shared/office@example.org (MessageNew MessageExpunge MailboxMetadataChange))
		S: * STATUS Shared/office@example.org (UIDVALIDITY ... UIDNEXT 2 MESSAGES 1)
		S: a OK NOTIFY completed
	`)
	w.add(box, goodDay)
	r.expect("* STATUS Shared/office@example.org (")
	if err := box.SetMetadata(map[string][]byte{"/private/x/@0123": []byte("of somebody else"), "/shared/comment": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	r.expect("* METADATA Shared/office@example.org /shared/comment\r\n")
	grant("")
	r.expect(`* LIST (\HasNoChildren \NonExistent \NoAccess) "/" Shared/office@example.org`)
	w.add(box, goodDay)
	r.do("NOOP", "OK NOOP")
	grant("l")
	r.do("NOOP", "OK NOOP")
	grant("lr")
	r.talk(`
		S: * LIST (\HasChildren) "/" Shared/office@example.org
		S: * STATUS Shared/office@example.org (UIDVALIDITY ... UIDNEXT 4 MESSAGES 3)
	`)
	grant("l")
	r.expect(`* LIST (\HasChildren \NoAccess) "/" Shared/office@example.org`)
	r.talk(`
		C: b NOTIFY SET (mailboxes (Shared Shared/office@example.org Shared/office@example.org/hidden) (MessageNew MessageExpunge MailboxName))
		S: * LIST (\HasChildren \NoAccess) "/" Shared/office@example.org
		S: * LIST (\HasNoChildren \NoAccess) "/" Shared/office@example.org/hidden
		S: b OK NOTIFY completed
	`)
	grant("")
	r.talk(`
		S: * LIST (\HasNoChildren \NonExistent) "/" Shared
		S: * LIST (\HasNoChildren \NonExistent \NoAccess) "/" Shared/office@example.org
		S: * LIST (\HasNoChildren \NonExistent \NoAccess) "/" Shared/office@example.org/hidden
	`)
}

// TestNotifyOverflow: more than can be watched is refused, and given up when it
// comes to be so (RFC 5465 3.1, 5.8).
func TestNotifyOverflow(t *testing.T) {
	w := newWorld(t, nil)
	folders, err := w.home().Folders()
	if err != nil {
		t.Fatal(err)
	}
	for i := len(folders); i < maxWatched; i++ {
		w.create(fmt.Sprintf("x%03d", i))
	}
	r := w.login("")
	r.do("NOTIFY SET (personal (MessageNew MessageExpunge))", "OK")
	w.create("one more")
	r.expect("* OK [NOTIFICATIONOVERFLOW]")
	w.add(w.box("INBOX"), goodDay)
	r.do("NOOP", "OK NOOP")
	r.do("NOTIFY SET (personal (MessageNew MessageExpunge))", "NO [NOTIFICATIONOVERFLOW]")
	r.do("NOTIFY SET (personal (MailboxName))", "OK")
	r.do("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))", "OK")
	w.add(w.box("INBOX"), goodDay)
	r.expect("* STATUS INBOX")
}

// What wakes a session does not disturb a command that comes in pieces, nor what
// is pipelined.
func TestNotifyAmidCommand(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("INBOX")
	r.do("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))", "OK")
	drafts := w.box("Drafts")
	r.send("a APPEND Sent {6}\r\n")
	r.expect("+")
	for _, c := range "a: b\r\n" {
		w.add(drafts, goodDay)
		r.send("%c", c)
	}
	r.send("\r\nb NOOP\r\nc NOOP\r\n")
	got := r.until("c OK")
	for _, want := range []string{"a OK [APPENDUID", "\nb OK", "* STATUS Drafts (", "MESSAGES 6)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Contains(got, "STATUS Sent") {
		t.Errorf("of what the client itself did: %q", got)
	}
	r.do("UNAUTHENTICATE", "OK")
	w.add(drafts, goodDay)
	r.do("LOGIN alice@example.org demo", "OK")
	if got := r.do("NOOP", "OK"); strings.Contains(got, "STATUS") {
		t.Errorf("%q", got)
	}
}
