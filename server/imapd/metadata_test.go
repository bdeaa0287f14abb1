package imapd

import (
	"fmt"
	"strings"
	"testing"
)

// The examples of RFC 5464 4.2 and 4.3.
func TestMetadata(t *testing.T) {
	w := newWorld(t, nil)
	r := w.login("")
	r.talk(`
		C: a GETMETADATA "" /private/comment
		S: * METADATA "" (/private/comment NIL)
		S: a OK GETMETADATA completed
		C: b SETMETADATA INBOX (/private/comment {33}
		S: + ...
		C: My new comment across
		C: two lines.)
		S: b OK SETMETADATA completed
		C: c SETMETADATA INBOX (/shared/comment "Its sole use is to be an inbox" /private/x/y/z "1" /private/X/y "2")
		S: c OK ...
		C: d GETMETADATA INBOX (/shared/comment /private/none)
		S: * METADATA INBOX (/private/none NIL /shared/comment "Its sole use is to be an inbox")
		S: d OK ...
		C: e GETMETADATA (MAXSIZE 3) INBOX (/shared/comment /private/x/y)
		S: * METADATA INBOX (/private/x/y "2")
		S: e OK [METADATA LONGENTRIES 30] GETMETADATA completed
		C: f GETMETADATA (DEPTH 1) INBOX /private/x
		S: * METADATA INBOX (/private/x/y "2")
		S: f OK ...
		C: g GETMETADATA (DEPTH infinity) INBOX /private/x
		S: * METADATA INBOX (/private/x/y "2" /private/x/y/z "1")
		S: g OK ...
		C: h SETMETADATA INBOX (/private/x/y NIL)
		S: h OK ...
		C: i GETMETADATA (DEPTH infinity MAXSIZE 10) INBOX /private
		S: * METADATA INBOX (/private/x/y/z "1")
		S: i OK [METADATA LONGENTRIES 33] ...
		C: j GETMETADATA INBOX /comment
		S: j BAD ...
		C: k SETMETADATA INBOX (/private/a* "x")
		S: k BAD ...
		C: l SETMETADATA "" (/shared/comment "x")
		S: l NO [NOPERM] ...
		C: m SETMETADATA "" (/private/comment "mine")
		S: m OK ...
		C: n GETMETADATA "" (/private/comment)
		S: * METADATA "" (/private/comment "mine")
		S: n OK ...
		C: o GETMETADATA nowhere /private/comment
		S: o NO [NONEXISTENT] ...
		C: p GETMETADATA (DEPTH 2) INBOX /private/comment
		S: p BAD ...
	`)
	r.send("t SETMETADATA INBOX (/private/big {70000+}\r\n%s)\r\n", strings.Repeat("x", 70_000))
	r.expect("t NO [METADATA MAXSIZE 65536]")
	r.send("t SETMETADATA INBOX (/private/nul ~{3+}\r\na\x00b)\r\n")
	r.expect("t OK")
	r.talk("\n\t\tC: q GETMETADATA INBOX /private/nul\n\t\tS: * METADATA INBOX (/private/nul ~{3}\n\t\tS: a\x00b)\n\t\tS: q OK ...")
}

// What is private in a shared mailbox belongs to one person.
func TestSharedMetadata(t *testing.T) {
	w := newWorld(t, sharedOffice)
	w.login("").talk(`
		C: a SETMETADATA Shared/office@example.org (/private/comment "of alice" /shared/comment "of all")
		S: a OK ...
		C: b GETMETADATA Shared/office@example.org (/private/comment /shared/comment)
		S: * METADATA Shared/office@example.org (/private/comment "of alice" /shared/comment "of all")
		S: b OK ...
	`)
	w.loginAs("bob@example.org", "").talk(`
		C: a GETMETADATA (DEPTH infinity) Shared/office@example.org (/private /shared)
		S: * METADATA Shared/office@example.org (/shared/comment "of all")
		S: a OK ...
		C: b SETMETADATA Shared/office@example.org (/shared/comment "of bob")
		S: b NO [NOPERM] ...
		C: c SETMETADATA Shared/office@example.org (/private/comment "of bob")
		S: c OK ...
		C: d GETMETADATA Shared/office@example.org /private/comment
		S: * METADATA Shared/office@example.org (/private/comment "of bob")
		S: d OK ...
	`)
	// Whoever may only read can't take all the room there is.
	bob := w.loginAs("bob@example.org", "")
	for i := range maxOwnEntries - 1 {
		bob.do(fmt.Sprintf("SETMETADATA Shared/office@example.org (/private/%d x)", i), "BAD")
		bob.do(fmt.Sprintf("SETMETADATA Shared/office@example.org (/private/%d \"x\")", i), "OK")
	}
	bob.do("SETMETADATA Shared/office@example.org (/private/more \"x\")", "NO [METADATA TOOMANY]")
	bob.send("t SETMETADATA Shared/office@example.org (/private/comment {17000+}\r\n%s)\r\n", strings.Repeat("x", 17_000))
	bob.expect("t NO [METADATA TOOMANY]")
	bob.do("SETMETADATA Shared/office@example.org (/private/1 NIL /private/more \"x\")", "OK")
	w.loginAs("carol@example.org", "").talk(`
		C: a GETMETADATA Shared/office@example.org /shared/comment
		S: a NO [NONEXISTENT] ...
	`)
}
