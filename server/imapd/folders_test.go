package imapd

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"facteur/server/address"
)

var (
	bob    = address.MustParse("bob@example.org")
	office = address.MustParse("office@example.org")
)

// sharedOffice makes office@ a mailbox that alice owns and bob reads.
func sharedOffice(o *Options) {
	o.Roles = func(who address.Address) []Shared {
		switch who {
		case alice:
			return []Shared{{office, "lrswipkxtea"}}
		case bob:
			return []Shared{{office, "lr"}}
		}
		return nil
	}
	o.Members = func(address.Address) []Grant {
		return []Grant{{alice, "lrswipkxtea"}, {bob, "lr"}}
	}
}

func TestFolders(t *testing.T) {
	w := newWorld(t, nil)
	w.login("").talk(`
		C: a CREATE Lists/Go/
		S: a OK [MAILBOXID (...)] CREATE completed
		C: b CREATE lists/go
		S: b OK ...
		C: c CREATE Lists/Go
		S: c NO [ALREADYEXISTS] ...
		C: d CREATE a.b
		S: d NO [CANNOT] ...
		C: e CREATE Alles (USE (\All))
		S: e NO [USEATTR] ...
		C: f CREATE Alt (USE (\archive))
		S: f OK ...
		C: g CREATE Beide (USE (\Sent \Trash))
		S: g NO [USEATTR] ...
		C: h CREATE &AOk-t&AOk-
		S: h OK ...
		C: i LIST "" "&AOk-*"
		S: * LIST (\HasNoChildren) "/" &AOk-t&AOk-
		S: i OK ...
		C: j LIST "" ("A%" "L%" "L%/%")
		S: * LIST (\HasNoChildren \Archive) "/" Alt
		S: * LIST (\HasNoChildren \Archive) "/" Archive
		S: * LIST (\HasChildren \Noselect) "/" Lists
		S: * LIST (\HasNoChildren) "/" Lists/Go
		S: j OK ...
		C: k RENAME Lists/Go Lists/Rust
		S: k OK ...
		C: l RENAME Lists/Go x
		S: l NO [NONEXISTENT] ...
		C: m DELETE Lists/Rust
		S: m OK ...
		C: n DELETE INBOX
		S: n NO [CANNOT] ...
		C: o DELETE nowhere
		S: o NO [NONEXISTENT] ...
		C: p LIST "" ""
		S: * LIST (\Noselect) "/" ""
		S: p OK ...
		C: q CREATE Shared/x
		S: q NO [CANNOT] ...
		C: r CREATE Shared
		S: r NO [CANNOT] ...
		C: s CREATE {3+}
		C: a&b
		S: s BAD ...
		C: t STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE RECENT MESSAGES)
		S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UNSEEN 0 SIZE 0 RECENT 0)
		S: t OK ...
		C: u STATUS nowhere (MESSAGES)
		S: u NO [NONEXISTENT] ...
		C: v STATUS INBOX (NONSENSE)
		S: v BAD ...
		C: w STATUS INBOX (APPENDLIMIT)
		S: * STATUS INBOX (APPENDLIMIT 26214400)
		S: w OK ...
	`)
}

func TestStatus(t *testing.T) {
	w := newWorld(t, nil)
	w.add(w.box("INBOX"), "Subject: x\n\n", `\Deleted`)
	w.add(w.box("INBOX"), "Subject: abc\n\nx\n", `\Seen`)
	r := w.login("")
	r.talk(`
		C: a STATUS INBOX (DELETED DELETED-STORAGE SIZE UNSEEN)
		S: * STATUS INBOX (DELETED 1 DELETED-STORAGE 14 SIZE 33 UNSEEN 1)
		S: a OK ...
		C: b STATUS Sent (DELETED DELETED-STORAGE)
		S: * STATUS Sent (DELETED 0 DELETED-STORAGE 0)
		S: b OK ...
	`)
	modseq, id := uint64(0), ""
	r.send("c STATUS INBOX (HIGHESTMODSEQ MAILBOXID)\r\n")
	line := r.expect("* STATUS INBOX (HIGHESTMODSEQ ")
	if _, err := fmt.Sscanf(line, "* STATUS INBOX (HIGHESTMODSEQ %d MAILBOXID (%s", &modseq, &id); err != nil || modseq == 0 || len(id) < 5 {
		t.Errorf("%q, %v", line, err)
	}
}

// Names go out as they can be read: in modified UTF-7, unless the client has
// enabled UTF-8 (RFC 6855 3, RFC 9051 5.1).
func TestUTF8Names(t *testing.T) {
	w := newWorld(t, nil)
	w.login("").talk(`
		C: a CREATE "Entwürfe"
		S: a OK ...
		C: b LIST "" E%
		S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
		S: b OK ...
		C: c ENABLE UTF8=ACCEPT
		S: * ENABLED UTF8=ACCEPT
		S: c OK ...
		C: d LIST "" E%
		S: * LIST (\HasNoChildren) "/" "Entwürfe"
		S: d OK ...
		C: e CREATE R&D
		S: e OK ...
		C: f LIST "" R%
		S: * LIST (\HasNoChildren) "/" R&D
		S: f OK ...
	`)
}

// The examples of RFC 5258 5, with the mailboxes that they have.
func TestListExtended(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	for _, name := range []string{"Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli", "Vegetable/Corn"} {
		r.do("CREATE "+name, "OK")
	}
	for _, name := range []string{"Archive", "Drafts", "Junk", "Sent", "Trash"} {
		r.do("UNSUBSCRIBE "+name, "OK")
		r.do("DELETE "+name, "OK")
	}
	for _, name := range []string{"INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"} {
		r.do("SUBSCRIBE "+name, "OK")
	}
	r.talk(`
		C: A01 LIST "" "*"
		S: * LIST (\HasNoChildren) "/" INBOX
		S: * LIST (\HasChildren) "/" Fruit
		S: * LIST (\HasNoChildren) "/" Fruit/Apple
		S: * LIST (\HasNoChildren) "/" Fruit/Banana
		S: * LIST (\HasNoChildren) "/" Tofu
		S: * LIST (\HasChildren) "/" Vegetable
		S: * LIST (\HasNoChildren) "/" Vegetable/Broccoli
		S: * LIST (\HasNoChildren) "/" Vegetable/Corn
		S: A01 OK ...
		C: A02 LIST (SUBSCRIBED) "" "*"
		S: * LIST (\HasNoChildren \Subscribed) "/" INBOX
		S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana
		S: * LIST (\HasNoChildren \NonExistent \Noselect \Subscribed) "/" Fruit/Peach
		S: * LIST (\HasChildren \Subscribed) "/" Vegetable
		S: * LIST (\HasNoChildren \Subscribed) "/" Vegetable/Broccoli
		S: A02 OK ...
		C: A03 LIST () "" "%" RETURN (CHILDREN)
		S: * LIST (\HasNoChildren) "/" INBOX
		S: * LIST (\HasChildren) "/" Fruit
		S: * LIST (\HasNoChildren) "/" Tofu
		S: * LIST (\HasChildren) "/" Vegetable
		S: A03 OK ...
		C: A04 LIST (REMOTE) "" "V%" RETURN (SUBSCRIBED CHILDREN)
		S: * LIST (\HasChildren \Subscribed) "/" Vegetable
		S: A04 OK ...
		C: BBB LIST "" ("INBOX" "Tofu" "Fruit/%")
		S: * LIST (\HasNoChildren) "/" INBOX
		S: * LIST (\HasNoChildren) "/" Fruit/Apple
		S: * LIST (\HasNoChildren) "/" Fruit/Banana
		S: * LIST (\HasNoChildren) "/" Tofu
		S: BBB OK ...
		C: C01 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
		S: * LIST (\HasNoChildren \Subscribed) "/" INBOX
		S: * LIST (\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
		S: * LIST (\HasChildren \Subscribed) "/" Vegetable ("CHILDINFO" ("SUBSCRIBED"))
		S: C01 OK ...
		C: C02 LIST (SUBSCRIBED RECURSIVEMATCH) "" "Fruit"
		S: * LIST (\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
		S: C02 OK ...
		C: C03 LIST (SUBSCRIBED RECURSIVEMATCH) "" "F*"
		S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana
		S: * LIST (\HasNoChildren \NonExistent \Noselect \Subscribed) "/" Fruit/Peach
		S: C03 OK ...
		C: C04 LIST (RECURSIVEMATCH) "" "*"
		S: C04 BAD ...
		C: C05 LIST (X) "" "*"
		S: C05 BAD ...
		C: D01 LIST "" "T%" RETURN (STATUS (MESSAGES UNSEEN) MYRIGHTS)
		S: * LIST (\HasNoChildren) "/" Tofu
		S: * MYRIGHTS Tofu lrswipkxtea
		S: * STATUS Tofu (MESSAGES 0 UNSEEN 0)
		S: D01 OK ...
		C: E01 LSUB "" "*"
		S: * LSUB () "/" INBOX
		S: * LSUB () "/" Fruit/Banana
		S: * LSUB () "/" Fruit/Peach
		S: * LSUB () "/" Vegetable
		S: * LSUB () "/" Vegetable/Broccoli
		S: E01 OK ...
		C: E02 LSUB "" "%"
		S: * LSUB () "/" INBOX
		S: * LSUB (\Noselect) "/" Fruit
		S: * LSUB () "/" Vegetable
		S: E02 OK ...
		C: E03 LSUB "Fruit/" "%"
		S: * LSUB () "/" Fruit/Banana
		S: * LSUB () "/" Fruit/Peach
		S: E03 OK ...
	`)
}

func TestShared(t *testing.T) {
	w := newWorld(t, sharedOffice)
	a, b, other := w.login(""), w.loginAs("bob@example.org", ""), w.loginAs("carol@example.org", "")
	a.talk(`
		C: 0 NAMESPACE
		S: * NAMESPACE (("" "/")) NIL (("Shared/" "/"))
		S: 0 OK ...
		C: a CREATE Shared/office@example.org/Bills
		S: a OK ...
		C: b SUBSCRIBE Shared/office@example.org/Bills
		S: b OK ...
		C: c LIST "" "Shared*"
		S: * LIST (\HasChildren \Noselect) "/" Shared
		S: * LIST (\HasChildren) "/" Shared/office@example.org
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Archive
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Bills
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Drafts
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Junk
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Sent
		S: * LIST (\HasNoChildren) "/" Shared/office@example.org/Trash
		S: c OK ...
		C: d LSUB "" "Shared/*"
		S: * LSUB () "/" Shared/office@example.org/Bills
		S: d OK ...
		C: e LIST (SUBSCRIBED) "" "Shared/*"
		S: * LIST (\HasNoChildren \Subscribed) "/" Shared/office@example.org/Bills
		S: e OK ...
		C: f RENAME Shared/office@example.org/Bills Bills
		S: f NO [CANNOT] ...
		C: g RENAME Shared/office@example.org/Bills Shared/office@example.org/Paid
		S: g OK ...
		C: h DELETE Shared/office@example.org
		S: h NO [CANNOT] ...
		C: i STATUS Shared/OFFICE@example.org/Paid (MESSAGES)
		S: * STATUS Shared/office@example.org/Paid (MESSAGES 0)
		S: i OK ...
	`)
	b.talk(`
		C: a LIST "Shared/" "%"
		S: * LIST (\HasChildren) "/" Shared/office@example.org
		S: a OK ...
		C: b CREATE Shared/office@example.org/x
		S: b NO [NOPERM] ...
		C: c DELETE Shared/office@example.org/Paid
		S: c NO [NOPERM] ...
		C: d RENAME Shared/office@example.org/Paid Shared/office@example.org/x
		S: d NO [NOPERM] ...
		C: e STATUS Shared/office@example.org (MESSAGES)
		S: * STATUS Shared/office@example.org (MESSAGES 0)
		S: e OK ...
	`)
	other.talk(`
		C: a LIST "" "Shared*"
		S: a OK ...
		C: b STATUS Shared/office@example.org (MESSAGES)
		S: b NO [NONEXISTENT] ...
		C: c MYRIGHTS Shared/office@example.org
		S: c NO [NONEXISTENT] ...
	`)
}

func TestACL(t *testing.T) {
	w := newWorld(t, sharedOffice)
	a, b := w.login(""), w.loginAs("bob@example.org", "")
	a.talk(`
		C: A001 MYRIGHTS INBOX
		S: * MYRIGHTS INBOX lrswipkxtea
		S: A001 OK ...
		C: A002 GETACL Shared/office@example.org
		S: * ACL Shared/office@example.org alice@example.org lrswipkxtea bob@example.org lr
		S: A002 OK ...
		C: A003 GETACL INBOX
		S: * ACL INBOX alice@example.org lrswipkxtea
		S: A003 OK ...
		C: A004 LISTRIGHTS Shared/office@example.org bob@example.org
		S: * LISTRIGHTS Shared/office@example.org bob@example.org "lr"
		S: A004 OK ...
		C: A005 LISTRIGHTS Shared/office@example.org anyone
		S: * LISTRIGHTS Shared/office@example.org anyone ""
		S: A005 OK ...
		C: A006 SETACL Shared/office@example.org bob@example.org +w
		S: A006 NO [NOPERM] ...mail.toml...
		C: A007 SETACL INBOX bob@example.org q
		S: A007 BAD ...
		C: A008 DELETEACL Shared/office@example.org bob@example.org
		S: A008 NO [NOPERM] ...mail.toml...
		C: A009 GETACL nowhere
		S: A009 NO [NONEXISTENT] ...
	`)
	b.talk(`
		C: A001 MYRIGHTS Shared/office@example.org
		S: * MYRIGHTS Shared/office@example.org lr
		S: A001 OK ...
		C: A002 GETACL Shared/office@example.org
		S: A002 NO [NOPERM] ...
		C: A003 LISTRIGHTS Shared/office@example.org bob@example.org
		S: A003 NO [NOPERM] ...
	`)
}

func TestQuota(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		sharedOffice(o)
		o.QuotaOf = func(who address.Address) int64 {
			return map[address.Address]int64{alice: 512 << 10, office: 1 << 20}[who]
		}
	})
	w.add(w.box("INBOX"), "Subject: x\n\n"+strings.Repeat("x", 1500)+"\n")
	w.login("").talk(`
		C: A001 GETQUOTAROOT INBOX
		S: * QUOTAROOT INBOX ""
		S: * QUOTA "" (STORAGE 2 512 MESSAGE 1 4294967295)
		S: A001 OK ...
		C: A002 GETQUOTA ""
		S: * QUOTA "" (STORAGE 2 512 MESSAGE 1 4294967295)
		S: A002 OK ...
		C: A003 GETQUOTAROOT Shared/office@example.org/Sent
		S: * QUOTAROOT Shared/office@example.org/Sent "Shared/office@example.org"
		S: * QUOTA "Shared/office@example.org" (STORAGE 0 1024 MESSAGE 0 4294967295)
		S: A003 OK ...
		C: A004 GETQUOTA Shared/office@example.org
		S: * QUOTA "Shared/office@example.org" (STORAGE 0 1024 MESSAGE 0 4294967295)
		S: A004 OK ...
		C: A005 SETQUOTA "" (STORAGE 512)
		S: A005 NO [NOPERM] ...mail.toml...
		C: A006 GETQUOTA nothing
		S: A006 NO [NONEXISTENT] ...
		C: A007 GETQUOTAROOT nowhere
		S: A007 NO [NONEXISTENT] ...
	`)
	w.loginAs("bob@example.org", "").talk(`
		C: a GETQUOTA ""
		S: a NO [NONEXISTENT] ...
		C: b GETQUOTAROOT INBOX
		S: * QUOTAROOT INBOX
		S: b OK ...
	`)
}

// slowMatch is match, written as the RFC says it.
func slowMatch(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	switch c := pattern[0]; c {
	case '*', '%':
		return slowMatch(pattern[1:], name) || name != "" && (c == '*' || name[0] != '/') && slowMatch(pattern, name[1:])
	default:
		return name != "" && name[0] == c && slowMatch(pattern[1:], name[1:])
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a%/*b", "ax/y/b")
	f.Add("*%a/%%b*", "a/ab/xab/c")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 10 || len(name) > 12 || strings.HasPrefix(strings.ToUpper(pattern), "INBOX") {
			return
		}
		if got, want := match(pattern, name), slowMatch(pattern, name); got != want {
			t.Errorf("%q, %q: %v", pattern, name, got)
		}
		if s := simple(pattern); match(s, name) != slowMatch(pattern, name) {
			t.Errorf("%q, %q: not as simple as %q", pattern, name, s)
		}
	})
}

// What of a client's words comes back in a text is in ASCII, until it has said
// that it takes more (RFC 9051 9, text).
func TestTexts(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	r.talk(`
		C: a CREATE "a"
		S: a OK ...
		C: b CREATE "a/été"
		S: b OK ...
		C: c CREATE "b/été"
		S: c OK ...
		C: d RENAME a b
		S: d NO [ALREADYEXISTS] There is a folder named b/?t?
		C: e ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: e OK ...
		C: f RENAME a b
		S: f NO [ALREADYEXISTS] There is a folder named b/été
	`)
	if got := sayable("a\r\nb OK \xff", true); got != "a??b OK ?" {
		t.Errorf("%q", got)
	}
}

// A LIST is over the bound of patterns before they are joined with the reference:
// here they would take gigabytes.
func TestListReference(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	reference := strings.Repeat("x", 200<<10)
	patterns := strings.Repeat("a ", 25_000) + "b"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.send("t LIST {%d+}\r\n%s (%s)\r\n", len(reference), reference, patterns)
	r.expect("t NO [LIMIT]")
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d octets for one LIST", n)
	}
}
