package deliver

import (
	"context"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/safefile"
	"facteur/server/senderauth"
)

func alias(name string, leadsTo ...string) directory.Alias {
	return directory.Alias{Address: addr(name), To: to(leadsTo...)}
}

func directoryOf(o directory.Options) *directory.Directory { return directory.New(o) }

// TestTake: actions lead to one plan, whatever their order, and a reject counts when
// nothing keeps the message.
func TestTake(t *testing.T) {
	file := func(folder string, flags ...string) hook.Action {
		return hook.Action{Kind: hook.FileInto, Folder: folder, Flags: flags}
	}
	flag := func(k hook.Kind, flags ...string) hook.Action { return hook.Action{Kind: k, Flags: flags} }
	keep, discard, reject := hook.Action{Kind: hook.Keep}, hook.Action{Kind: hook.Discard}, hook.Action{Kind: hook.Reject, Text: "No"}
	may := hook.Action{Kind: hook.Redirect, Address: addr("x@example.net")}
	mayNot := hook.Action{Kind: hook.Redirect, Address: addr("loop@example.net")}
	for name, c := range map[string]struct {
		actions []hook.Action
		want    string // folders with flags
		refused bool
	}{
		"nothing":                  {nil, "INBOX", false},
		"flag":                     {[]hook.Action{flag(hook.Flag, "a", "b")}, "INBOX a b", false},
		"unflag":                   {[]hook.Action{flag(hook.Flag, "$Work", `\Seen`), flag(hook.Unflag, "$work")}, `INBOX \Seen`, false},
		"unflag first":             {[]hook.Action{flag(hook.Unflag, "a"), flag(hook.Flag, "a")}, "INBOX a", false},
		"unflag what others filed": {[]hook.Action{file("X", "a", "b"), flag(hook.Unflag, "A"), file("Y", "a")}, "X b; Y a", false},
		"unflag keep":              {[]hook.Action{flag(hook.Keep, "a"), flag(hook.Unflag, "a")}, "INBOX", false},
		"discard":                  {[]hook.Action{discard}, "", false},
		"discard, keep":            {[]hook.Action{discard, keep}, "INBOX", false},
		"reject":                   {[]hook.Action{reject}, "", true},
		"reject, discard":          {[]hook.Action{reject, discard}, "", true},
		"reject, flag":             {[]hook.Action{reject, flag(hook.Flag, "a")}, "", true},
		"reject, fileinto":         {[]hook.Action{reject, file("X")}, "X", false},
		"reject, fileinto a copy":  {[]hook.Action{{Kind: hook.FileInto, Folder: "X", Copy: true}, reject}, "X; INBOX", false},
		"reject, keep":             {[]hook.Action{keep, reject}, "INBOX", false},
		"reject, redirect":         {[]hook.Action{reject, may}, "", false},
		"reject, suppressed":       {[]hook.Action{reject, mayNot}, "INBOX", false},
		"discard, suppressed":      {[]hook.Action{discard, mayNot}, "INBOX", false},
	} {
		p := &boxPlan{}
		p.take(time.Now(), c.actions, func(a address.Address) bool { return a == may.Address })
		var folders []string
		for _, f := range p.filings {
			folders = append(folders, strings.TrimSpace(f.folder+" "+strings.Join(f.flags, " ")))
		}
		if got := strings.Join(folders, "; "); got != c.want || (p.refuse != nil) != c.refused {
			t.Errorf("%s: %q, refused is %t", name, got, p.refuse != nil)
		}
	}
}

// TestReject: in the session where the peer still waits and no other mailbox has the
// message, else by a report to a sender that somebody vouches for, else not at all.
func TestReject(t *testing.T) {
	refused := "550 5.7.1 No, thank you"
	for name, c := range map[string]struct {
		mail
		answer string // of alice; "": taken
		told   string // who gets a report
		files  []string
	}{
		"one recipient":           {mail{to: []string{"alice@example.org"}}, refused, "", nil},
		"and a null reverse-path": {mail{from: "-", to: []string{"alice@example.org"}}, refused, "", nil},
		"twice the same":          {mail{to: []string{"alice@example.org", "alice+x@example.org"}}, refused, "", nil},
		"LMTP":                    {mail{lmtp: true, to: []string{"alice@example.org", "bob@example.org"}}, refused, "", []string{"bob/INBOX"}},
		"others, genuine":         {mail{auth: verified(true), to: []string{"alice@example.org", "bob@example.org"}}, "", "z@example.com", []string{"bob/INBOX"}},
		"others, by a login":      {mail{as: "bob@example.org", to: []string{"alice@example.org", "bob@example.org"}}, "", "bob@example.org", []string{"bob/INBOX"}},
		"others, unknown":         {mail{to: []string{"alice@example.org", "bob@example.org"}}, "", "", []string{"alice/Junk", "bob/INBOX"}},
		"others, forged":          {mail{auth: verified(false), to: []string{"alice@example.org", "bob@example.org"}}, "", "", []string{"alice/Junk", "bob/INBOX"}},
		"others, null":            {mail{from: "-", auth: verified(true), to: []string{"alice@example.org", "bob@example.org"}}, "", "", []string{"alice/Junk", "bob/INBOX"}},
		"from the spool":          {mail{unique: "abcdefgh12345678", to: []string{"alice@example.org"}}, "", "", []string{"alice/Junk"}},
		"from the spool, genuine": {mail{unique: "abcdefgh12345678", auth: verified(true), to: []string{"alice@example.org"}}, refused, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
			defer w.close()
			state := &memory{}
			w.hooks["alice@example.org"] = []hook.Hook{{Program: script{hook.Outcome{Actions: []hook.Action{{Kind: hook.Reject, Text: "No, thank you"}}, State: state}}}}
			c.mail.text = "hello"
			answer := ""
			if err := w.send(c.mail)["alice@example.org"]; err != nil {
				answer = err.Error()
			}
			if answer != c.answer {
				t.Errorf("answered %q, want %q", answer, c.answer)
			}
			same(t, "files", w.files("alice", "bob"), c.files...)
			if c.told != "" {
				w.queue.Close(context.Background()) // waits for the report
			}
			told := strings.Join(w.told, "\n")
			if c.told == "" && told != "" || c.told != "" && (!strings.HasPrefix(told, c.told) || !strings.Contains(told, "Status: 5.7.1") || !strings.Contains(told, "No, thank you")) {
				t.Errorf("told %q", told)
			}
			if state.kept != 1 {
				t.Errorf("the script's memory was kept %d times", state.kept)
			}
		})
	}
}

// memory is a hook.State that counts how it ends.
type memory struct {
	hook.State
	kept, gone int
	before     func()
}

func (m *memory) Commit(context.Context) error {
	if m.before != nil {
		m.before()
	}
	m.kept++
	return nil
}

func (m *memory) Cancel() { m.gone++ }

// TestScriptMemory: it holds once the message is there, and not for a mailbox that failed.
func TestScriptMemory(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	defer w.close()
	states := map[string]*memory{}
	for _, who := range []string{"alice@example.org", "small@example.org"} {
		states[who] = &memory{}
		w.hooks[who] = []hook.Hook{{Program: script{hook.Outcome{State: states[who]}}}}
	}
	states["alice@example.org"].before = func() {
		if w.count("alice", strings.Repeat("large", 50)) != 1 {
			t.Error("the memory is kept before the message is")
		}
	}
	check := func(what, who string, kept int) {
		t.Helper()
		if s := states[who]; s.kept != kept || s.kept == 0 && s.gone == 0 {
			t.Errorf("%s, %s: kept %d times, cancelled %d times", what, who, s.kept, s.gone)
		}
	}
	w.send(mail{text: strings.Repeat("large", 50), to: []string{"small@example.org"}})
	check("alone", "small@example.org", 0)
	taken(t, w.send(mail{text: strings.Repeat("large", 50), to: []string{"small@example.org", "alice@example.org"}}))
	check("with another", "small@example.org", 0)
	check("with another", "alice@example.org", 1)
}

// TestMailboxForm: what a script changes of the message is so in its mailbox alone.
func TestMailboxForm(t *testing.T) {
	w := forwardWorld(t)
	defer w.close()
	w.hooks["alice@example.org"] = does(
		hook.Action{Kind: hook.RemoveHeader, Name: "x-spam"}, hook.Action{Kind: hook.RemoveHeader, Name: "Received"},
		hook.Action{Kind: hook.RemoveHeader, Name: "X-Found"},
		hook.Action{Kind: hook.SubjectPrefix, Text: "[Straße] "}, hook.Action{Kind: hook.AddHeader, Name: "X-Seen", Value: "alice"},
		hook.Action{Kind: hook.Redirect, Address: addr("y@example.net"), Copy: true}, hook.Action{Kind: hook.FileInto, Folder: "X", Create: true, Copy: true},
		hook.Action{Kind: hook.Snooze, Until: time.Now().Add(48 * time.Hour)})
	header := "X-Spam: a\r\nSubject: Hello\r\nX-SPAM: b\r\n c\r\nReceived: old\r\n"
	taken(t, w.send(mail{text: "hello", header: header, to: []string{"alice@example.org", "bob@example.org"}, auth: senderauth.Results{}}))
	for _, folder := range []string{"INBOX", "X", "Snoozed"} {
		got := w.box("alice/" + folder)
		want := "Return-Path: <z@example.com>\r\nX-Seen: alice\r\nReceived: test\r\nFrom: z@example.com\r\nSubject: [=?utf-8?q?Stra=C3=9Fe=5D?= Hello\r\nReceived: old\r\n\r\nhello\r\n"
		if folder == "INBOX" && len(got) == 0 {
			continue // it is snoozed
		}
		if len(got) != 1 || decoded(got[0].raw) != decoded(want) {
			t.Errorf("%s: %+v", folder, got)
		}
	}
	if got := w.box("bob/INBOX")[0].raw; got != "Return-Path: <z@example.com>\r\nReceived: test\r\nFrom: z@example.com\r\n"+header+"\r\nhello\r\n" {
		t.Errorf("bob has %q", got)
	}
	w.queue.Close(context.Background())
	if len(w.gone) != 1 || !strings.Contains(w.gone[0].raw, header) {
		t.Errorf("redirected: %+v", w.gone)
	}
}

// decoded leaves out how the subject is encoded.
func decoded(raw string) string {
	before, rest, _ := strings.Cut(raw, "Subject: ")
	subject, after, _ := strings.Cut(rest, "\r\n")
	if strings.Contains(subject, "Hello") && strings.HasPrefix(subject, "=?utf-8?q?") || strings.HasPrefix(subject, "[=?") {
		subject = "prefixed"
	}
	return before + "Subject: " + subject + "\r\n" + after
}
