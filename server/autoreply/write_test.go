package autoreply

import (
	"io"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

var stamp = Stamp{ID: "abcdefgh12345678", Date: time.Date(2026, 12, 24, 13, 0, 0, 0, time.FixedZone("", 3600))}

// written is the reply to a question.
func written(t *testing.T, q question) (envelope.Envelope, *message.Header, string) {
	t.Helper()
	reply, why := Judge(q.request(t))
	if why != "" {
		t.Fatal(why)
	}
	env, body := reply.Write(stamp)
	h, err := message.ReadHeader(body)
	if err != nil {
		t.Fatal(err)
	}
	return env, h, string(body)
}

// TestReply is rule 7, octet for octet.
func TestReply(t *testing.T) {
	env, _, got := written(t, question{header: "To: Info <info@example.org>\r\nSubject: Lunch?\r\nMessage-ID: <3@example.net>\r\n" +
		"References: <1@example.net>\r\n <2@example.net>\r\n", body: "Shall we?\n"})
	want := `From: <info@example.org>
To: <z@example.net>
Date: Thu, 24 Dec 2026 13:00:00 +0100
Message-ID: <abcdefgh12345678@example.org>
Subject: Auto: Lunch?
In-Reply-To: <3@example.net>
References: <1@example.net>
 <2@example.net>
 <3@example.net>
Auto-Submitted: auto-replied (vacation)
X-Auto-Response-Suppress: All
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

Back on Monday.
`
	if got = strings.ReplaceAll(got, "\r\n", "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if !env.Sender.ReversePath.IsZero() || env.Sender.SMTPUTF8 || len(env.Recipients) != 1 || env.Recipients[0].ForwardPath != addr("z@example.net") ||
		env.Recipients[0].Notify != envelope.NotifyNever || env.ID != stamp.ID {
		t.Errorf("envelope %+v", env)
	}
}

func TestReplyFrom(t *testing.T) {
	for name, c := range map[string]struct {
		question
		want string
	}{
		"as written":     {question{header: "To: Alice <alice+shop@example.org>\r\n"}, "<alice+shop@example.org>"},
		"the account":    {question{}, `"Alice Martin" <alice@example.org>`},
		"the domain":     {question{header: "To: bob@example.org\r\nCc: alice@example.com\r\n"}, "<alice@example.com>"},
		"of two the one": {question{to: "info@example.org", header: "To: alice@example.org\r\nCc: info@example.org\r\n"}, "<info@example.org>"},
		"chosen":         {question{options: hook.AutoReply{Text: "x", From: addr("info@example.org")}}, "<info@example.org>"},
		"chosen wrongly": {question{options: hook.AutoReply{Text: "x", From: addr("bob@example.org")}}, `"Alice Martin" <alice@example.org>`},
		"not ours": {question{header: "To: a@elsewhere.example\r\n", options: hook.AutoReply{Text: "x", Addresses: []address.Address{addr("a@elsewhere.example")}}},
			`"Alice Martin" <alice@example.org>`},
	} {
		if _, h, _ := written(t, c.question); h.RawValues("From")[0] != c.want {
			t.Errorf("%s: %s, want %s", name, h.RawValues("From")[0], c.want)
		}
	}
}

func TestReplySubject(t *testing.T) {
	for name, c := range map[string]struct {
		question
		want string
	}{
		"of the message": {question{header: "Subject: =?utf-8?q?D=C3=A9jeuner_?= =?utf-8?q?demain?=\r\n"}, "Auto: Déjeuner demain"},
		"given":          {question{header: "Subject: x\r\n", options: hook.AutoReply{Text: "x", Subject: "Abwesend: zurück am Montag"}}, "Abwesend: zurück am Montag"},
		"none":           {question{}, "Automated reply"},
		"hostile":        {question{header: "Subject: =?utf-8?q?a=0D=0ABcc:_x=40example.net?=\r\n"}, "Auto: a Bcc: x@example.net"},
		"long":           {question{header: "Subject: " + strings.Repeat("wort ", 100) + "\r\n"}, "Auto: " + strings.Repeat("wort ", 40) + "…"},
	} {
		_, h, raw := written(t, c.question)
		if got := strings.Join(strings.Fields(h.Subject()), " "); got != strings.Join(strings.Fields(c.want), " ") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		head, _, _ := strings.Cut(raw, "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if len(line) > 78 || strings.HasPrefix(line, "Bcc") {
				t.Errorf("%s: %q", name, line)
			}
			for _, c := range line {
				if c >= 0x7f || c < ' ' && c != '\t' {
					t.Errorf("%s: %q needs SMTPUTF8", name, line)
				}
			}
		}
	}
}

// TestReferences is RFC 5322 3.6.4.
func TestReferences(t *testing.T) {
	long := ""
	for i := range 30 {
		long += "<" + string(rune('a'+i%26)) + strings.Repeat("x", i) + "@example.net>\r\n "
	}
	for name, c := range map[string]struct {
		header, parent string
		count          int
		first          string
	}{
		"no id":                      {"", "", 0, ""},
		"first message":              {"Message-ID: <1@x>\r\n", "<1@x>", 1, "<1@x>"},
		"in-reply-to":                {"Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n", "<2@x>", 2, "<1@x>"},
		"in-reply-to several":        {"Message-ID: <2@x>\r\nIn-Reply-To: <1@x> <0@x>\r\n", "<2@x>", 1, "<2@x>"},
		"references and in-reply-to": {"Message-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x> <2@x>\r\n", "<3@x>", 3, "<1@x>"},
		"a long thread":              {"Message-ID: <z@x>\r\nReferences: " + long + "\r\n", "<z@x>", maxReferences, "<a@example.net>"},
		"an id of two lines":         {"Message-ID: <a b@x>\r\n", "", 0, ""},
		"an id in UTF-8":             {"Message-ID: <é@x>\r\n", "", 0, ""},
		"an id that is far too long": {"Message-ID: <" + strings.Repeat("x", 950) + "@x>\r\n", "", 0, ""},
	} {
		_, h, _ := written(t, question{header: c.header})
		refs := strings.Fields(strings.Join(h.RawValues("References"), " "))
		if got := strings.Join(h.RawValues("In-Reply-To"), ""); got != c.parent || len(refs) != c.count || len(refs) > 0 && refs[0] != c.first {
			t.Errorf("%s: In-Reply-To %q, References %q", name, got, refs)
		}
	}
}

// TestBody: what was said arrives, in lines that every server passes on as they are.
func TestBody(t *testing.T) {
	for name, c := range map[string]struct {
		options hook.AutoReply
		want    []string // the decoded texts of the parts
	}{
		"plain":    {hook.AutoReply{Text: "Back on Monday.\n\nAlice\n"}, []string{"Back on Monday.\n\nAlice\n"}},
		"umlauts":  {hook.AutoReply{Text: "Grüße, ご不在\n.\nFrom here\n"}, []string{"Grüße, ご不在\n.\nFrom here\n"}},
		"from":     {hook.AutoReply{Text: "From Monday on\n"}, []string{"From Monday on\n"}},
		"long":     {hook.AutoReply{Text: strings.Repeat("a word ", 300) + "\n"}, []string{strings.Repeat("a word ", 300) + "\n"}},
		"crlf":     {hook.AutoReply{Text: "a\r\nb\rc"}, []string{"a\nb\nc\n"}},
		"invalid":  {hook.AutoReply{Text: "a\xffb"}, []string{"a\uFFFDb\n"}},
		"both":     {hook.AutoReply{Text: "t", HTML: "<b>h</b>"}, []string{"t\n", "<b>h</b>\n"}},
		"html":     {hook.AutoReply{HTML: "<p>Zurück am <b>Montag</b></p>"}, []string{"Zurück am Montag\n", "<p>Zurück am <b>Montag</b></p>\n"}},
		"boundary": {hook.AutoReply{Text: "--=_" + stamp.ID, HTML: "x"}, []string{"--=_" + stamp.ID + "\n", "x\n"}},
	} {
		_, h, raw := written(t, question{options: c.options, body: "SECRET of the message\n", header: "Subject: x\r\n"})
		if strings.Contains(raw, "SECRET") {
			t.Errorf("%s: the message is quoted", name)
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 78 || strings.ContainsFunc(line, func(c rune) bool { return c == '\r' || c == '\n' || c >= 0x7f }) {
				t.Errorf("%s: the line %q", name, line)
			}
		}
		top, err := message.ReadParts(envelope.Bytes(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		parts := []*message.Part{top}
		if len(c.want) > 1 {
			if mediaType, _ := contentType(h); mediaType != "multipart/alternative" {
				t.Errorf("%s: %s", name, mediaType)
			}
			parts = top.Children
		}
		if len(parts) != len(c.want) {
			t.Errorf("%s: %d parts", name, len(parts))
			continue
		}
		for i, p := range parts {
			r, _ := p.Decoded(envelope.Bytes(raw))
			text, err := io.ReadAll(r)
			if got := strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"); err != nil || got != strings.TrimSuffix(c.want[i], "\n") {
				t.Errorf("%s: part %d is %q, want %q", name, i, got, c.want[i])
			}
		}
	}
}

// TestUTF8: only an address makes the reply need SMTPUTF8 (RFC 6531).
func TestUTF8(t *testing.T) {
	env, _, raw := written(t, question{from: "zoë@example.net", options: hook.AutoReply{Text: "x"}})
	if !env.Sender.SMTPUTF8 || !strings.Contains(raw, "To: <zoë@example.net>\r\n") {
		t.Errorf("SMTPUTF8 is %t:\n%s", env.Sender.SMTPUTF8, raw)
	}
	env, _, raw = written(t, question{from: "z@exämple.net", options: hook.AutoReply{Text: "Grüße"}})
	if env.Sender.SMTPUTF8 || !strings.Contains(raw, "To: <z@xn--exmple-cua.net>\r\n") {
		t.Errorf("SMTPUTF8 is %t:\n%s", env.Sender.SMTPUTF8, raw)
	}
}

// TestNotification: to the mailbox or elsewhere, and never about a notification.
func TestNotification(t *testing.T) {
	n := Notification{Box: Box{Address: addr("alice@example.org"), Name: "Alice"}, Said: hook.Notification{Text: "Mail from the bank"}}
	for value, want := range map[string]Reason{
		"no": "", "auto-generated": "", "auto-notified": Notified, "Auto-Replied (vacation)": Notified,
	} {
		h, err := message.ParseHeader([]byte("Auto-Submitted: " + value + "\r\nSubject: Saldo\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		n.About = h
		claim, why := n.Judge()
		if why != want || why == "" && (claim.To != addr("alice@example.org") || claim.Sort != Notices) {
			t.Errorf("%s: %q, %+v", value, why, claim)
		}
	}
	env, body := n.Write(stamp)
	for _, want := range []string{"From: \"Alice\" <alice@example.org>\r\n", "To: <alice@example.org>\r\n", "Subject: New mail: Saldo\r\n",
		"Auto-Submitted: auto-notified\r\n", "\r\n\r\nMail from the bank\r\n"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if !env.Sender.ReversePath.IsZero() {
		t.Errorf("reverse-path %s", env.Sender.ReversePath)
	}
	n.Said.To, n.Said.Subject = addr("pager@example.net"), "Bank"
	env, body = n.Write(stamp)
	if env.Recipients[0].ForwardPath != addr("pager@example.net") || !strings.Contains(string(body), "Subject: Bank\r\n") {
		t.Errorf("%+v\n%s", env, body)
	}
}
