package imapsearch

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"facteur/server/fault"
	"facteur/server/imapwire"
)

// parse reads a command line without its tag and CRLF.
func parse(line string, opt Options) (*Command, error) {
	d := imapwire.NewDecoder(strings.NewReader("a "+line+"\r\n"), imapwire.Options{})
	d.Tag()
	d.SP()
	name := d.Keyword()
	if name == "UID" {
		d.SP()
		name = d.Keyword()
	}
	return Parse(d, map[string]Verb{"SEARCH": Search, "SORT": Sort, "THREAD": Thread, "ESEARCH": MultiSearch}[name], opt)
}

func mustParse(t testing.TB, line string) *Command {
	t.Helper()
	c, err := parse(line, Options{})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return c
}

var opNames = [...]string{
	opAll: "all", opNone: "none", opAnd: "and", opOr: "or", opNot: "not", opNumbers: "numbers", opUIDs: "uids", opSaved: "$",
	opFlag: "flag", opRecent: "recent", opBefore: "before", opOn: "on", opSince: "since", opOlder: "older", opYounger: "younger",
	opSavedBefore: "savedbefore", opSavedOn: "savedon", opSavedSince: "savedsince",
	opSentBefore: "sentbefore", opSentOn: "senton", opSentSince: "sentsince", opLarger: "larger", opSmaller: "smaller",
	opModSeq: "modseq", opEmailID: "emailid", opField: "field", opBody: "body", opText: "text",
}

func (k key) String() string {
	s := opNames[k.op]
	for _, kid := range k.keys {
		s += " " + kid.String()
	}
	switch k.op {
	case opAnd, opOr, opNot:
		return "(" + s + ")"
	case opNumbers, opUIDs:
		return s + " " + k.set.String()
	case opFlag, opEmailID:
		return s + " " + k.word
	case opField:
		return fmt.Sprintf("%s %s %q", s, k.word, k.text)
	case opBody, opText:
		return fmt.Sprintf("%s %q", s, k.text)
	case opLarger, opSmaller, opOlder, opYounger, opModSeq:
		return fmt.Sprint(s, " ", k.number)
	}
	if !k.date.IsZero() {
		s += " " + k.date.Format("2006-01-02")
	}
	return s
}

func TestParseKeys(t *testing.T) {
	tests := []struct{ args, want string }{
		{`ALL`, `(and all)`},
		{`all unseen`, `(and all (not flag \SEEN))`},
		{`ANSWERED DELETED DRAFT FLAGGED SEEN`, `(and flag \ANSWERED flag \DELETED flag \DRAFT flag \FLAGGED flag \SEEN)`},
		{`UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN`, `(and (not flag \ANSWERED) (not flag \DELETED) (not flag \DRAFT) (not flag \FLAGGED) (not flag \SEEN))`},
		{`NEW OLD RECENT`, `(and (and recent (not flag \SEEN)) (not recent) recent)`},
		{`KEYWORD $Forwarded UNKEYWORD Work`, `(and flag $Forwarded (not flag Work))`},
		{`BEFORE 1-Feb-1994 ON "12-Mar-2024" SINCE 01-jan-2020`, `(and before 1994-02-01 on 2024-03-12 since 2020-01-01)`},
		{`SENTBEFORE 1-Feb-1994 SENTON 2-Feb-1994 SENTSINCE 3-Feb-1994`, `(and sentbefore 1994-02-01 senton 1994-02-02 sentsince 1994-02-03)`},
		{`SAVEDBEFORE 1-Feb-1994 SAVEDON 2-Feb-1994 SAVEDSINCE 3-Feb-1994 SAVEDATESUPPORTED`, `(and savedbefore 1994-02-01 savedon 1994-02-02 savedsince 1994-02-03 all)`},
		{`BCC a CC b FROM c SUBJECT d TO e`, `(and field BCC "a" field CC "b" field FROM "c" field SUBJECT "d" field TO "e")`},
		{`HEADER X-Spam-Flag Yes HEADER Subject ""`, `(and field X-Spam-Flag "yes" field Subject "")`},
		{`BODY "Straße" TEXT "STRASSE"`, `(and body "strasse" text "strasse")`},
		{`TEXT "" BODY ""`, `(and all all)`},
		{`LARGER 0 SMALLER 9223372036854775807`, `(and larger 0 smaller 9223372036854775807)`},
		{`UNSEEN YOUNGER 259200 OLDER 1`, `(and (not flag \SEEN) younger 259200 older 1)`},
		{`MODSEQ 620162338`, `(and modseq 620162338)`},
		{`MODSEQ "/flags/\\draft" all 620162338`, `(and modseq 620162338)`},
		{`MODSEQ "/flags/$Work" priv 0`, `(and modseq 0)`},
		{`EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9`, `(and emailid M6d99ac3275bb4e none)`},
		{`UIDAFTER 25000 UIDBEFORE 27000`, `(and uids 25001:4294967295 uids 1:26999)`},
		{`UIDAFTER 4294967295 UIDBEFORE 1`, `(and none none)`},
		{`1:4,9,*:12`, `(and numbers 1:4,9,*:12)`},
		{`* UID 1:*`, `(and numbers * uids 1:*)`},
		{`$ UID $`, `(and $ $)`},
		{`NOT NOT SEEN`, `(and (not (not flag \SEEN)))`},
		{`(SEEN (FLAGGED))`, `(and (and flag \SEEN (and flag \FLAGGED)))`},
		{`OR SEEN FLAGGED`, `(and (or flag \SEEN flag \FLAGGED))`},
		{`OR SEEN OR FLAGGED OR DRAFT ALL DELETED`, `(and (or flag \SEEN flag \FLAGGED flag \DRAFT all) flag \DELETED)`},
		{`OR OR SEEN FLAGGED DRAFT`, `(and (or (or flag \SEEN flag \FLAGGED) flag \DRAFT))`},
		{"TEXT {3+}\r\nabc SEEN", `(and text "abc" flag \SEEN)`},
		{"CHARSET ISO-8859-1 SUBJECT {3+}\r\nCaf", `(and field SUBJECT "caf")`},
		{"CHARSET iso-8859-1 SUBJECT {4+}\r\nCaf\xe9", `(and field SUBJECT "café")`},
		{"CHARSET KOI8-R BODY {3+}\r\n\xcd\xc9\xd2", `(and body "мир")`},
		{"CHARSET utf-8 BODY {2+}\r\n\xc3\xa9", `(and body "é")`},
	}
	for _, test := range tests {
		c, err := parse("SEARCH "+test.args, Options{})
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
		} else if got := c.Program.root.String(); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.args, got, test.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ line, want string }{
		{`SEARCH`, "An argument is missing"},
		{`SEARCH FOO`, "FOO is no search key"},
		{`SEARCH FUZZY BODY x`, "FUZZY is no search key"},
		{`SEARCH UNRECENT`, "UNRECENT is no search key"},
		{`SEARCH ()`, "The parentheses hold no search key"},
		{`SEARCH (SEEN`, `")" is missing`},
		{`SEARCH SEEN)`, "There is more than the command takes"},
		{`SEARCH SEEN  DELETED`, "A keyword is missing"},
		{`SEARCH NOT`, "An argument is missing"},
		{`SEARCH OR SEEN`, "An argument is missing"},
		{`SEARCH SUBJECT`, "An argument is missing"},
		{`SEARCH HEADER "a b" c`, `"a b" is no name of a header field`},
		{`SEARCH HEADER "" c`, `"" is no name of a header field`},
		{`SEARCH SINCE yesterday`, `"yesterday" is no date`},
		{`SEARCH SINCE 31-Feb-2020`, `"31-Feb-2020" is no date`},
		{`SEARCH LARGER x`, "A number is missing or too large"},
		{`SEARCH LARGER 9223372036854775808`, "A number is missing or too large"},
		{`SEARCH OLDER 0`, "A number must not be 0"},
		{`SEARCH MODSEQ "seen" all 1`, `"seen" is no entry with a mod-sequence`},
		{`SEARCH MODSEQ "/flags/x" some 1`, "SOME is no entry type"},
		{`SEARCH EMAILID a.b`, `"a.b" is no object identifier`},
		{"SEARCH SUBJECT {1+}\r\n\xe9", "A string is not in the charset of the search"},
		{"SEARCH CHARSET GB2312 SUBJECT {1+}\r\n\xff", "A string is not in the charset of the search"},
		{`SEARCH RETURN ALL SEEN`, `"(" is missing`},
		{`SEARCH RETURN (UPDATE) SEEN`, "UPDATE is no return option here"},
		{`SEARCH RETURN (CONTEXT) SEEN`, "CONTEXT is no return option here"},
		{`SEARCH RETURN (ALL PARTIAL 1:2) SEEN`, "PARTIAL and ALL exclude each other"},
		{`SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) SEEN`, "PARTIAL may be given only once"},
		{`SEARCH RETURN (PARTIAL 1:-2) SEEN`, "A number is missing or too large"},
		{`SEARCH RETURN (PARTIAL -1:2) SEEN`, `"-" is missing`},
		{`SEARCH RETURN (PARTIAL 0:2) SEEN`, "A number must not be 0"},
		{`SEARCH RETURN (PARTIAL 1:*) SEEN`, "A number is missing or too large"},
		{`SORT SEEN`, `"(" is missing`},
		{`SORT () UTF-8 ALL`, "A sort criterion is missing"},
		{`SORT (REVERSE) UTF-8 ALL`, "An argument is missing"},
		{`SORT (COLOUR) UTF-8 ALL`, "COLOUR is no sort criterion"},
		{`SORT (DATE) ALL`, ""}, // ALL is the charset
		{`THREAD REFS UTF-8 ALL`, "REFS is no threading algorithm here"},
		{`ESEARCH IN () ALL`, "IN names no mailboxes"},
		{`ESEARCH IN (selected-delayed) ALL`, "SELECTED-DELAYED names no mailboxes to search"},
		{`ESEARCH IN (subtree) ALL`, "An argument is missing"},
		{`ESEARCH IN (mailboxes ()) ALL`, "A list of mailboxes is empty"},
		{`ESEARCH IN (personal (x)) ALL`, "There are no scope options here"},
		{`ESEARCH IN (personal) RETURN (SAVE) ALL`, "SAVE is for the selected mailbox alone"},
		{`ESEARCH IN (selected inboxes) RETURN (SAVE COUNT) ALL`, "SAVE is for the selected mailbox alone"},
	}
	for _, test := range tests {
		_, err := parse(test.line, Options{})
		var syntax *imapwire.SyntaxError
		var charset *CharsetError
		switch {
		case test.want == "" && errors.As(err, &charset):
		case !errors.As(err, &syntax):
			t.Errorf("%s: %v, want a syntax error", test.line, err)
		case syntax.Text != test.want:
			t.Errorf("%s: %s, want %s", test.line, syntax.Text, test.want)
		}
	}
}

func TestParseBounds(t *testing.T) {
	tests := map[string]string{
		"deep":    strings.Repeat("NOT ", maxNesting+1) + "SEEN",
		"deep OR": strings.Repeat("OR ", maxNesting+2) + strings.Repeat("SEEN ", maxNesting+2) + "SEEN",
		"keys":    strings.Repeat("SEEN ", maxKeys) + "SEEN",
		"strings": strings.Repeat("BODY x ", maxStrings) + "BODY x",
		"string":  `TEXT "` + strings.Repeat("x", maxString+1) + `"`,
	}
	for name, args := range tests {
		if _, err := parse("SEARCH "+args, Options{}); !fault.Is(err, fault.TooMany) {
			t.Errorf("%s: %v, want a fault TooMany", name, err)
		}
	}
	chain := strings.Repeat("OR HEADER Message-ID x ", maxStrings-1) + "HEADER Message-ID x"
	if _, err := parse("SEARCH "+chain, Options{}); err != nil {
		t.Errorf("a chain of OR: %v", err)
	}
}

func TestParseCharset(t *testing.T) {
	for _, name := range strings.Fields(charsets) {
		if _, err := parse("SEARCH CHARSET "+name+" SUBJECT abc", Options{}); err != nil {
			t.Errorf("CHARSET %s: %v", name, err)
		}
	}
	_, err := parse("SEARCH CHARSET X-NONE ALL", Options{})
	var charset *CharsetError
	if !errors.As(err, &charset) || !strings.HasPrefix(charset.Code(), "BADCHARSET (US-ASCII UTF-8 ") {
		t.Errorf("an unknown charset: %v", err)
	}
	var syntax *imapwire.SyntaxError
	if _, err := parse("SEARCH CHARSET UTF-8 ALL", Options{UTF8: true}); !errors.As(err, &syntax) { // RFC 6855 3
		t.Errorf("a charset with UTF8=ACCEPT: %v", err)
	}
	for _, command := range []string{"SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"} { // RFC 5256 5: it has to be there
		if _, err := parse(command, Options{UTF8: true}); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// With UIDONLY there are no message numbers (RFC 9586 3).
func TestParseUIDOnly(t *testing.T) {
	_, err := parse("UID SEARCH OR SEEN 1:4", Options{UIDOnly: true})
	var syntax *imapwire.SyntaxError
	if !errors.As(err, &syntax) || syntax.Code != "UIDREQUIRED" {
		t.Errorf("numbers: %v", err)
	}
	if _, err := parse("UID SEARCH UID 1:4 $", Options{UIDOnly: true}); err != nil {
		t.Errorf("UIDs: %v", err)
	}
}

func TestProgramUses(t *testing.T) {
	tests := []struct {
		args                   string
		modSeq, numbers, saved bool
	}{
		{"SEEN UID 1:*", false, false, false},
		{"OR SEEN NOT (MODSEQ 1)", true, false, false},
		{"NOT 3", false, true, false},
		{"OR SEEN $", false, false, true},
	}
	for _, test := range tests {
		p := mustParse(t, "SEARCH "+test.args).Program
		if p.ModSeq() != test.modSeq || p.Numbers() != test.numbers || p.Saved() != test.saved {
			t.Errorf("%s: %+v", test.args, p.uses)
		}
	}
}

func TestParseCommands(t *testing.T) {
	tests := []struct {
		line string
		want Command
	}{
		{`SEARCH SEEN`, Command{}},
		{`SEARCH RETURN () SEEN`, Command{Return: Return{Given: true, All: true}}},
		{`SEARCH return (min COUNT) SEEN`, Command{Return: Return{Given: true, Min: true, Count: true}}},
		{`SEARCH RETURN (SAVE) CHARSET UTF-8 SEEN`, Command{Return: Return{Given: true, Save: true}}},
		{`SEARCH RETURN (MAX PARTIAL -1:-100) SEEN`, Command{Return: Return{Given: true, Max: true, Partial: &Partial{1, 100, true}}}},
		{`SORT (SUBJECT REVERSE DATE) UTF-8 ALL`, Command{Verb: Sort, SortKeys: []SortKey{{BySubject, false}, {ByDate, true}}}},
		{`SORT RETURN (COUNT) (displayfrom displayto arrival cc from size to) "us-ascii" ALL`, Command{Verb: Sort, Return: Return{Given: true, Count: true},
			SortKeys: []SortKey{{ByDisplayFrom, false}, {ByDisplayTo, false}, {ByArrival, false}, {ByCc, false}, {ByFrom, false}, {BySize, false}, {ByTo, false}}}},
		{`THREAD references UTF-8 SINCE 5-MAR-2000`, Command{Verb: Thread, Algorithm: References}},
		{`THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp"`, Command{Verb: Thread, Algorithm: OrderedSubject}},
		{`ESEARCH unseen`, Command{Verb: MultiSearch, Return: Return{Given: true, All: true}, Sources: []Source{{Kind: Selected}}}},
		{`ESEARCH RETURN (SAVE) unseen`, Command{Verb: MultiSearch, Return: Return{Given: true, Save: true}, Sources: []Source{{Kind: Selected}}}},
		{`ESEARCH IN (mailboxes "folder1" subtree-one (inbox b)) subject "chad"`, Command{Verb: MultiSearch, Return: Return{Given: true, All: true},
			Sources: []Source{{Mailboxes, []string{"folder1"}}, {SubtreeOne, []string{"INBOX", "b"}}}}},
		{`ESEARCH IN (personal inboxes subscribed selected subtree x) RETURN (MIN) ALL`, Command{Verb: MultiSearch, Return: Return{Given: true, Min: true},
			Sources: []Source{{Kind: Personal}, {Kind: Inboxes}, {Kind: Subscribed}, {Kind: Selected}, {Subtree, []string{"x"}}}}},
	}
	for _, test := range tests {
		c, err := parse(test.line, Options{})
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		c.Program = nil
		if !reflect.DeepEqual(*c, test.want) {
			t.Errorf("%s\n got %+v\nwant %+v", test.line, *c, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"SEARCH RETURN (MIN PARTIAL -1:-10 SAVE) CHARSET UTF-8 OR (SUBJECT \"a\" NOT 1:*) UID $",
		"SORT RETURN (COUNT) (REVERSE SUBJECT DISPLAYFROM) UTF-8 MODSEQ \"/flags/\\\\seen\" all 4",
		"THREAD REFERENCES ISO-8859-1 TEXT {2+}\r\nab",
		"ESEARCH IN (mailboxes (a b) subtree-one c personal) RETURN (ALL) YOUNGER 5",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parse(line, Options{})
		if err != nil {
			return
		}
		if len(c.Program.root.keys) == 0 {
			t.Fatalf("%q: no search key", line)
		}
		b := newFakeBox(t, nil)
		newPlan(&Env{Snapshot: b.snapshot(), Saved: imapwire.NumSet{}}, b, c.Program)
	})
}
