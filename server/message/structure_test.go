package message

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func TestEnvelope(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty": {"", `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`},
		// RFC 3501 8 has this one.
		"RFC 3501": {"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\nSubject: IMAP4rev1 WG mtg summary and minutes\n" +
			"To: imap@cac.washington.edu\ncc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\nMessage-Id: <B27397-0100000@cac.washington.edu>\n\n",
			`("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" ` +
				`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
				`((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL ` +
				`"<B27397-0100000@cac.washington.edu>")`},
		"present but empty": {"Subject:\nDate: \nTo:\nMessage-ID:\nIn-Reply-To:\n\n", `("" "" NIL NIL NIL NIL NIL NIL "" "")`},
		"own sender":        {"From: a@b\nSender: c@d\nReply-To: \n\n", `(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)`},
		"8 bit and quotes":  {"Subject: a \"b\" \\ c\nIn-Reply-To: é\x00\n\n", "(NIL \"a \\\"b\\\" \\\\ c\" NIL NIL NIL NIL NIL NIL {2}\r\né NIL)"},
		"folded":            {"Subject: =?utf-8?q?a?=\n\t=?utf-8?q?b?=\n\n", "(NIL \"=?utf-8?q?a?=\t=?utf-8?q?b?=\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
		"first of two":      {"Subject: a\nSubject: b\nTo: a@b\nTo: c@d\n\n", `(NIL "a" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`},
	} {
		got := string(mustParts(t, crlf(c.in)).AppendEnvelope(nil))
		if got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
	long := strings.Repeat("x", 2000)
	if got := string(mustParts(t, crlf("Subject: "+long+"\n\n")).AppendEnvelope(nil)); !strings.Contains(got, "{2000}\r\n"+long) {
		t.Error(got)
	}
}

func TestEnvelopeAddresses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a@b", `((NIL NIL "a" "b"))`},
		{"<a@b>", `((NIL NIL "a" "b"))`},
		{`"Doe, John" <john@example.org>`, `(("Doe, John" NIL "john" "example.org"))`},
		{`John "Q." Doe <j@x>`, `(("John Q. Doe" NIL "j" "x"))`},
		{`"a \"b\" \\c" <j@x>`, `(("a \"b\" \\c" NIL "j" "x"))`},
		{"=?utf-8?q?caf=C3=A9?= =?utf-8?q?x?= <a@b>", `(("=?utf-8?q?caf=C3=A9?= =?utf-8?q?x?=" NIL "a" "b"))`},
		{"é <a@b>", "(({2}\r\né NIL \"a\" \"b\"))"},
		{"john@x (John Doe)", `(("John Doe" NIL "john" "x"))`},
		{"john@x (John \\(Jo\\) Doe)", `(("John (Jo) Doe" NIL "john" "x"))`},
		{"<john@x> (John)", `((NIL NIL "john" "x"))`},
		{`"john doe"@x`, `((NIL NIL "john doe" "x"))`},
		{`"a@b"@x`, `((NIL NIL "a@b" "x"))`},
		{"a@b@c", `((NIL NIL "a@b" "c"))`},
		{"a@[127.0.0.1]", `((NIL NIL "a" "[127.0.0.1]"))`},
		{"<@r1,@r2:a@b>", `((NIL "@r1,@r2" "a" "b"))`},
		{"root", `((NIL NIL "root" ""))`},
		{"a@b <a@b>", `(("a@b" NIL "a" "b"))`},
		{"<>", `((NIL NIL "" ""))`},
		{"a@b,,c@d;e@f", `((NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL "e" "f"))`},
		{"broken <<b@x>, c@x", `(("broken" NIL "b" "x")(NIL NIL "c" "x"))`},
		{"open <b@x", `(("open" NIL "b" "x"))`},
		{`"never closed <b@x`, `((NIL NIL "never closed <b@x" ""))`},
		{"(comment", `((NIL NIL "(comment" ""))`},
		{"a . b @ c . d", `((NIL NIL "a . b" "c"))`},
		{"undisclosed-recipients:;", `((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))`},
		{"x@y, g: a@b, C <c@d>; e@f", `((NIL NIL "x" "y")(NIL NIL "g" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "e" "f"))`},
		{"g: <a@b>", `((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))`},
		{"g: <a@b> ;h:;", `((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)(NIL NIL "h" NIL)(NIL NIL NIL NIL))`},
		{":;", `((NIL NIL "" NIL)(NIL NIL NIL NIL))`},
		{", ;", `NIL`},
	} {
		want := "(NIL NIL NIL NIL NIL " + c.want + " NIL NIL NIL NIL)"
		if got := string(mustParts(t, crlf("To: "+c.in+"\n\n")).AppendEnvelope(nil)); got != want {
			t.Errorf("%s:\n%s, want\n%s", c.in, got, want)
		}
	}
	many := mustParts(t, crlf("To: g:"+strings.Repeat("a,", MaxAddresses+9)+"\n\n"))
	checkWire(t, many)
}

func TestFirstMailbox(t *testing.T) {
	for in, want := range map[string]Mailbox{
		" A <a@b>, c@d\r\n": {"A", "a", "b"},
		"g: a@b;":           {"", "a", "b"},
		"g:;":               {"", "g", ""},
		"":                  {},
	} {
		if got, ok := FirstMailbox([]byte(in)); got != want || ok != (in != "") {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestBodyStructure(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain": {"\na\nb\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2 NIL NIL NIL NIL)`},
		"no line end": {"Content-Type: TEXT/HTML; Format=flowed; charset=\"UTF-8\"\nContent-Transfer-Encoding: Quoted-Printable\n\nabc",
			`("text" "html" ("format" "flowed" "charset" "UTF-8") NIL NIL "quoted-printable" 3 0 NIL NIL NIL NIL)`},
		"all fields": {"Content-Type: application/pdf; name=\"x y.pdf\"\nContent-Id: <1@x>\nContent-Description: d\nContent-MD5: Q2hlY2s=\nContent-Language: en, fr\n" +
			"Content-Location: /x\nContent-Transfer-Encoding: Base64\nContent-Disposition: attachment; filename*=utf-8''%C3%A9.pdf; size=3\n\nAAAA\n",
			`("application" "pdf" ("name" "x y.pdf") "<1@x>" "d" "base64" 6 "Q2hlY2s=" ("attachment" ("filename*" "utf-8''%C3%A9.pdf" "size" "3")) ("en" "fr") "/x")`},
		"RFC 2231 continuations": {"Content-Type: application/x; name*0=a; name*1=\"b c\"; name*2=d\nContent-Disposition: inline; filename*0*=utf-8''a%20; filename*1=\"%b\"; filename*2*=%C3%A9\n\n",
			`("application" "x" ("name" "ab cd") NIL NIL "7bit" 0 NIL ("inline" ("filename*" "utf-8''a%20%25b%C3%A9")) NIL NIL)`},
		"8 bit and encoded words": {"Content-Type: application/x; name=\"é.x\"\nContent-Disposition: attachment; filename=\"=?utf-8?q?x?=\"\nContent-Description: \n\n",
			"(\"application\" \"x\" (\"name\" {4}\r\né.x) NIL \"\" \"7bit\" 0 NIL (\"attachment\" (\"filename\" \"=?utf-8?q?x?=\")) NIL NIL)"},
		"path and spaces": {"Content-Type: application/x; name=my file (1).x; charset=a (b)\nContent-Disposition: attachment; filename=\"C:\\dir\\\"x\\\".txt\"\n\n",
			`("application" "x" ("name" "my file (1).x" "charset" "a") NIL NIL "7bit" 0 NIL ("attachment" ("filename" "C:\\dir\"x\".txt")) NIL NIL)`},
		"multipart": {mixed, `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)` +
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)` +
			`("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 7 0 NIL NIL NIL NIL) "alternative" ("boundary" "b2") NIL NIL NIL)` +
			`("message" "rfc822" NIL NIL NIL "7bit" 112 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ` +
			`(("message" "rfc822" NIL NIL NIL "7bit" 33 (NIL "in digest" NIL NIL NIL NIL NIL NIL NIL NIL) ` +
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 11 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "digest" ("boundary" "b3") NIL NIL NIL) ` +
			`8 NIL NIL NIL NIL) "mixed" ("boundary" "b1") NIL NIL NIL)`},
		"no parts": {"Content-Type: multipart/mixed; boundary=b\nContent-Disposition: inline\nContent-Language: de\n\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") ("inline" NIL) ("de") NIL)`},
	} {
		p := mustParts(t, crlf(c.in))
		if got := string(p.AppendBodyStructure(nil)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
		checkWire(t, p)
	}
	p := mustParts(t, crlf(mixed)).Find([]int{2})
	want := `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 7 0) "alternative")`
	if got := string(p.AppendBody(nil)); got != want {
		t.Errorf("BODY: %s", got)
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"Content-Disposition: attachment; filename*=utf-8''%C3%A9.pdf; filename=e.pdf": "é.pdf",
		"Content-Disposition: attachment; filename*0*=iso-8859-1'de'%E9; filename*1=x": "éx",
		"Content-Disposition: attachment; filename=\"=?utf-8?b?w6k=?=.x\"":             "é.x",
		"Content-Type: image/png; name=\"caf\xe9.png\"":                                "café.png",
		"Content-Disposition: attachment; filename*=no":                                "no",
		"Content-Disposition: attachment; filename*=x'y'%zz%4":                         "%zz%4",
		"Content-Disposition: attachment":                                              "",
	} {
		p := mustParts(t, crlf(in+"\n\n"))
		if p.FileName != want || p.Attachment() != strings.Contains(in, "name") && !strings.Contains(in, "attachment") {
			t.Errorf("%s: %q, %v", in, p.FileName, p.Attachment())
		}
	}
}

// checkWire reads the wire forms of p as a client does that is strict.
func checkWire(t testing.TB, p *Part) {
	t.Helper()
	checkForms(t, string(p.AppendEnvelope(nil)), string(p.AppendBodyStructure(nil)))
	v := wireValue(t, string(p.AppendBody(nil)))
	checkBody(t, v, false)
}

func checkForms(t testing.TB, envelope, structure string) {
	t.Helper()
	checkEnvelope(t, wireValue(t, envelope))
	checkBody(t, wireValue(t, structure), true)
}

// wireValue parses one value: string, nil, int64, or a list.
func wireValue(t testing.TB, s string) any {
	t.Helper()
	v, rest, err := parseWire(s)
	if err != nil || rest != "" {
		t.Fatalf("%v, %q left of %q", err, rest, s)
	}
	return v
}

func parseWire(s string) (v any, rest string, err error) {
	switch {
	case strings.HasPrefix(s, "NIL"):
		return nil, s[3:], nil
	case strings.HasPrefix(s, "("):
		return parseWireList(s[1:])
	case strings.HasPrefix(s, `"`):
		return parseQuoted(s[1:])
	case strings.HasPrefix(s, "{"):
		size, after, _ := strings.Cut(s[1:], "}\r\n")
		n, err := strconv.Atoi(size)
		if err != nil || n > len(after) || strings.IndexByte(after[:n], 0) >= 0 {
			return nil, s, fmt.Errorf("bad literal")
		}
		return after[:n], after[n:], nil
	}
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	i, err := strconv.ParseInt(s[:n], 10, 64)
	return i, s[n:], err
}

func parseQuoted(s string) (v any, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		case c == '\\' || c == 0 || c == '\r' || c == '\n' || c >= 0x80:
			return nil, s, fmt.Errorf("bad quoted string")
		}
		b.WriteByte(s[i])
	}
	return nil, s, fmt.Errorf("quoted string without end")
}

// parseWireList reads a list behind its "(". No space stands between lists only.
func parseWireList(s string) (v any, rest string, err error) {
	list := []any{}
	for {
		item, rest, err := parseWire(s)
		if err != nil {
			return nil, rest, err
		}
		list = append(list, item)
		switch {
		case strings.HasPrefix(rest, ")"):
			return list, rest[1:], nil
		case strings.HasPrefix(rest, " "):
			s = rest[1:]
		case strings.HasPrefix(rest, "(") && s[0] == '(':
			s = rest
		default:
			return nil, rest, fmt.Errorf("bad list at %.20q", rest)
		}
	}
}

func checkEnvelope(t testing.TB, v any) {
	t.Helper()
	list, ok := v.([]any)
	if !ok || len(list) != 10 {
		t.Fatalf("envelope of %d", len(list))
	}
	for i, item := range list {
		if i < 2 || i >= 8 {
			isNString(t, item)
			continue
		}
		addresses, ok := item.([]any)
		if !ok && item != nil {
			t.Fatalf("addresses: %v", item)
		}
		depth := 0
		for _, a := range addresses {
			a, ok := a.([]any)
			if !ok || len(a) != 4 {
				t.Fatalf("address: %v", a)
			}
			for _, s := range a {
				isNString(t, s)
			}
			switch {
			case a[2] == nil:
				depth--
			case a[3] == nil:
				depth++
			}
			if depth < 0 || depth > 1 {
				t.Fatalf("groups: %v", addresses)
			}
		}
		if depth != 0 {
			t.Fatalf("open group: %v", addresses)
		}
	}
}

func isNString(t testing.TB, v any) {
	t.Helper()
	if _, ok := v.(string); !ok && v != nil {
		t.Fatalf("no nstring: %v", v)
	}
}

func isString(t testing.TB, v any) string {
	t.Helper()
	s, ok := v.(string)
	if !ok {
		t.Fatalf("no string: %v", v)
	}
	return s
}

// checkBody follows body-type-mpart, body-type-1part of RFC 9051 9.
func checkBody(t testing.TB, v any, extended bool) {
	t.Helper()
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		t.Fatalf("no body: %v", v)
	}
	next := func() any {
		if len(list) == 0 {
			t.Fatalf("body too short: %v", v)
		}
		item := list[0]
		list = list[1:]
		return item
	}
	_, multipart := list[0].([]any)
	if multipart {
		for len(list) > 0 {
			if _, ok := list[0].([]any); !ok {
				break
			}
			checkBody(t, next(), extended)
		}
		isString(t, next())
	} else {
		kind := isString(t, next()) + "/" + isString(t, next())
		checkParams(t, next())
		isNString(t, next())
		isNString(t, next())
		isString(t, next())
		if _, ok := next().(int64); !ok {
			t.Fatal("octets")
		}
		message := kind == "message/rfc822" || kind == "message/global"
		if message {
			checkEnvelope(t, next())
			checkBody(t, next(), extended)
		}
		if _, ok := list, message || strings.HasPrefix(kind, "text/"); ok {
			if _, ok := next().(int64); !ok {
				t.Fatal("lines")
			}
		}
	}
	if !extended {
		if len(list) > 0 {
			t.Fatalf("extension data: %v", list)
		}
		return
	}
	if multipart {
		checkParams(t, next())
	} else {
		isNString(t, next())
	}
	if d := next(); d != nil {
		d, ok := d.([]any)
		if !ok || len(d) != 2 {
			t.Fatalf("disposition: %v", d)
		}
		isString(t, d[0])
		checkParams(t, d[1])
	}
	if l := next(); l != nil {
		for _, tag := range l.([]any) {
			isString(t, tag)
		}
	}
	isNString(t, next())
	if len(list) > 0 {
		t.Fatalf("left: %v", list)
	}
}

func checkParams(t testing.TB, v any) {
	t.Helper()
	list, ok := v.([]any)
	if v == nil {
		return
	}
	if !ok || len(list) == 0 || len(list)%2 != 0 {
		t.Fatalf("parameters: %v", v)
	}
	for _, s := range list {
		isString(t, s)
	}
}
