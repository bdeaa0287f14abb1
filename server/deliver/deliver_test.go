package deliver

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/safefile"
)

func into(folder string, o hook.Action) hook.Action {
	o.Kind, o.Folder = hook.FileInto, folder
	return o
}

func sendOn(to string, copy bool) hook.Action {
	return hook.Action{Kind: hook.Redirect, Address: addr(to), Copy: copy}
}

// TestScripts carries out what the scripts of alice@ ask for.
func TestScripts(t *testing.T) {
	discard := hook.Action{Kind: hook.Discard}
	passed := "Delivered-To: Alice@EXAMPLE.org\r\n"
	for _, c := range []struct {
		name    string
		hooks   []hook.Hook
		header  string
		files   []string // folders of alice@ with flags
		waiting []string
	}{
		{name: "none", files: []string{"alice/INBOX"}},
		{name: "nothing asked", hooks: does(), files: []string{"alice/INBOX"}},
		{name: "keep with flags", hooks: does(hook.Action{Kind: hook.Keep, Flags: []string{`\Seen`}}), files: []string{`alice/INBOX \Seen`}},
		{name: "folder", hooks: does(into("Junk", hook.Action{})), files: []string{"alice/Junk"}},
		{name: "folder and copy", hooks: does(into("Junk", hook.Action{Copy: true})), files: []string{"alice/Junk", "alice/INBOX"}},
		{name: "two folders", hooks: does(into("Junk", hook.Action{}), into("Archive", hook.Action{})), files: []string{"alice/Archive", "alice/Junk"}},
		{name: "made folder", hooks: does(into("Lists/Go", hook.Action{Create: true, Flags: []string{"$Go"}})), files: []string{"alice/Lists/Go $Go"}},
		{name: "unknown folder", hooks: does(into("Nowhere", hook.Action{})), files: []string{"alice/INBOX"}},
		{name: "impossible folder", hooks: does(into("a.b", hook.Action{Create: true})), files: []string{"alice/INBOX"}},
		{name: "unknown folder and keep", hooks: does(into("Nowhere", hook.Action{Flags: []string{"$A"}}), hook.Action{Kind: hook.Keep}), files: []string{"alice/INBOX $A"}},
		{name: "INBOX by another name", hooks: does(into("inbox", hook.Action{Copy: true})), files: []string{"alice/INBOX"}},
		{name: "same folder twice", hooks: does(into("Junk", hook.Action{Flags: []string{"$A"}}), into("Junk", hook.Action{Flags: []string{"$B"}})), files: []string{"alice/Junk $A $B"}},
		{name: "flags for all", hooks: does(hook.Action{Kind: hook.Flag, Flags: []string{`\Flagged`}}, into("Junk", hook.Action{Copy: true})), files: []string{`alice/INBOX \Flagged`, `alice/Junk \Flagged`}},
		{name: "impossible flag", hooks: does(hook.Action{Kind: hook.Flag, Flags: []string{"not an atom"}}), files: []string{"alice/INBOX"}},
		{name: "discard", hooks: does(discard)},
		{name: "discard and keep", hooks: does(discard, hook.Action{Kind: hook.Keep}), files: []string{"alice/INBOX"}},
		{name: "failing", hooks: []hook.Hook{{Program: script{hook.Outcome{Err: errors.New("boom")}}, Required: true}}, files: []string{"alice/INBOX"}},
		{name: "redirect", hooks: does(sendOn("x@example.net", false)), waiting: []string{"x@example.net"}},
		{name: "redirect with a copy", hooks: does(sendOn("x@example.net", true)), files: []string{"alice/INBOX"}, waiting: []string{"x@example.net"}},
		{name: "redirects, one twice", hooks: does(sendOn("x@example.net", false), sendOn("y@example.net", false), sendOn("X@EXAMPLE.NET", false)), waiting: []string{"x@example.net", "y@example.net"}},
		{name: "loop", hooks: does(sendOn("x@example.net", false)), header: passed, files: []string{"alice/INBOX"}},
		{name: "loop and discard", hooks: does(discard, sendOn("x@example.net", true)), header: passed, files: []string{"alice/INBOX"}},
		{name: "loop and folder", hooks: does(into("Junk", hook.Action{}), sendOn("x@example.net", false)), header: passed, files: []string{"alice/Junk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
			defer w.close()
			w.hooks["alice@example.org"] = c.hooks
			taken(t, w.send(mail{text: "hello", header: c.header, to: []string{"alice@example.org"}}))
			same(t, "files", w.files("alice"), c.files...)
			same(t, "waiting", w.waiting(), c.waiting...)
		})
	}
}

// TestRoutes delivers to what aliases and redirections lead to.
func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		name    string
		mail    mail
		files   []string
		waiting []string
		refused map[string]fault.Kind
		told    []string // addresses in the report
	}{
		{name: "alias", mail: mail{to: []string{"team@example.org"}}, files: []string{"alice/INBOX", "bob/INBOX", "carol/INBOX"}, waiting: []string{"x@example.net"}},
		{name: "redirect without a copy", mail: mail{to: []string{"gone@example.org"}}, waiting: []string{"x@example.net"}},
		{name: "redirect with a copy", mail: mail{to: []string{"both@example.org"}}, files: []string{"both/INBOX"}, waiting: []string{"x@example.net", "y@example.net"}},
		{name: "account loops, is kept", mail: mail{header: "Delivered-To: gone@example.org\r\n", to: []string{"gone@example.org"}}, files: []string{"gone/INBOX"}},
		{name: "two ways loop, kept once", mail: mail{header: "Delivered-To: off@example.org\r\n", to: []string{"off@example.org"}}, files: []string{"off/INBOX"}},
		{name: "keep and loop, kept once", mail: mail{header: "Delivered-To: both@example.org\r\n", to: []string{"both@example.org"}}, files: []string{"both/INBOX"}},
		{
			name: "two ways loop into a full mailbox", mail: mail{header: "Delivered-To: tiny@example.org\r\n", to: []string{"tiny@example.org"}},
			refused: map[string]fault.Kind{"x@example.net": fault.OverQuota, "y@example.net": fault.OverQuota},
		},
		{
			name: "the same beside others", mail: mail{header: "Delivered-To: tiny@example.org\r\n", to: []string{"tiny@example.org", "bob@example.org"}},
			files: []string{"bob/INBOX"}, waiting: []string{"local tiny@example.org"},
		},
		{name: "alias loops alone", mail: mail{header: "Delivered-To: out@example.org\r\n", to: []string{"out@example.org"}}, refused: map[string]fault.Kind{"x@example.net": fault.Loop}},
		{
			name: "alias loops beside others", mail: mail{header: "Delivered-To: out@example.org\r\n", to: []string{"alice@example.org", "out@example.org"}},
			refused: map[string]fault.Kind{"alice@example.org": fault.Loop, "x@example.net": fault.Loop}, // no notice to whom a forger names
		},
		{
			name: "the same by LMTP", mail: mail{header: "Delivered-To: out@example.org\r\n", to: []string{"alice@example.org", "out@example.org"}, lmtp: true},
			files: []string{"alice/INBOX"}, refused: map[string]fault.Kind{"x@example.net": fault.Loop},
		},
		{name: "full alone", mail: mail{text: strings.Repeat("x", 100), to: []string{"small@example.org"}}, refused: map[string]fault.Kind{"small@example.org": fault.OverQuota}},
		{
			name: "full beside others", mail: mail{text: strings.Repeat("x", 100), to: []string{"small@example.org", "alice@example.org"}},
			files: []string{"alice/INBOX"}, waiting: []string{"local small@example.org"},
		},
		{
			name: "success", mail: mail{to: []string{"alice@example.org"}, notify: envelope.NotifySuccess},
			files: []string{"alice/INBOX"}, told: []string{"Action: delivered", "alice@example.org"},
		},
		{name: "success, from nobody", mail: mail{to: []string{"alice@example.org"}, notify: envelope.NotifySuccess, from: "-"}, files: []string{"alice/INBOX"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
				defer w.close()
				answers := w.send(c.mail)
				for who, err := range answers {
					kind, refused := c.refused[who]
					if (err != nil) != refused || refused && !fault.Is(err, kind) {
						t.Errorf("%s: %v", who, err)
					}
				}
				synctest.Wait()
				same(t, "files", w.files("alice", "bob", "carol", "gone", "both", "off", "small"), c.files...)
				same(t, "waiting", w.waiting(), c.waiting...)
				if (len(w.told) == 1) != (len(c.told) > 0) {
					t.Fatalf("told: %q", w.told)
				}
				for _, text := range c.told {
					if !strings.Contains(w.told[0], text) {
						t.Errorf("the report does not have %q:\n%s", text, w.told[0])
					}
				}
			})
		})
	}
}

// TestBytes: a single recipient is named, several are not.
func TestBytes(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	defer w.close()
	w.hooks["alice@example.org"] = does(hook.Action{Kind: hook.AddHeader, Name: "X-Sorted", Value: "yes"})
	const rest = "Received: test\r\nFrom: z@example.com\r\n\r\n"
	for _, c := range []struct {
		to   []string
		box  string
		want string
	}{
		{[]string{"bob@example.org"}, "bob", "Return-Path: <z@example.com>\r\nDelivered-To: bob@example.org\r\n" + rest},
		{[]string{"alice@example.org"}, "alice", "Return-Path: <z@example.com>\r\nDelivered-To: alice@example.org\r\nX-Sorted: yes\r\n" + rest},
		{[]string{"alice@example.org", "bob@example.org"}, "alice", "Return-Path: <z@example.com>\r\nX-Sorted: yes\r\n" + rest},
		{[]string{"carol@example.org", "bob@example.org"}, "carol", "Return-Path: <z@example.com>\r\n" + rest},
	} {
		text := strings.Join(c.to, " and ")
		taken(t, w.send(mail{text: text, to: c.to}))
		got := w.box(c.box + "/INBOX")
		if last := got[len(got)-1]; last.raw != c.want+text+"\r\n" {
			t.Errorf("%s: %q", text, last.raw)
		}
	}
}

// TestGone: an account that went while its mail waited is not made again.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
		defer w.close()
		taken(t, w.send(mail{text: strings.Repeat("x", 100), to: []string{"small@example.org", "alice@example.org"}}))
		synctest.Wait()
		if err := os.Rename(w.dir+"/domains/example.org/small", w.dir+"/removed"); err != nil {
			t.Fatal(err)
		}
		w.store.Forget(addr("small@example.org"))
		o := everybody()
		o.Accounts = o.Accounts[:3]
		w.settings.Directory = directory.New(o)
		w.Apply(w.settings)
		w.queue.RetryAll()
		synctest.Wait()
		same(t, "waiting", w.waiting())
		if len(w.told) != 1 || !strings.Contains(w.told[0], "5.1.1") {
			t.Errorf("told: %q", w.told)
		}
		if _, err := os.Stat(w.dir + "/domains/example.org/small"); !errors.Is(err, os.ErrNotExist) {
			t.Error("the folder is there again:", err)
		}
	})
}

// TestRoom: once there is room, what waited arrives.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
		defer w.close()
		text := strings.Repeat("x", 100)
		taken(t, w.send(mail{text: text, to: []string{"small@example.org", "alice@example.org"}}))
		synctest.Wait()
		o := everybody()
		o.Accounts[3].Quota = directory.Unlimited
		w.settings.Directory = directory.New(o)
		w.Apply(w.settings)
		w.queue.RetryAll()
		synctest.Wait()
		same(t, "waiting", w.waiting())
		if w.count("small", text) != 1 || w.count("alice", text) != 1 {
			t.Error("not there once")
		}
	})
}

// TestRepeated: a delivery with a Unique may be repeated.
func TestRepeated(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	defer w.close()
	m := mail{text: "again", to: []string{"team@example.org"}, unique: "abcdefgh"}
	for range 3 {
		taken(t, w.send(m))
	}
	for _, who := range []string{"alice", "bob", "carol"} {
		if n := w.count(who, m.text); n != 1 {
			t.Errorf("%s has it %d times", who, n)
		}
	}
	same(t, "waiting", w.waiting(), "x@example.net")
}

// TestOneFile: a list is one file that is written and synced once, however many
// there are.
func TestOneFile(t *testing.T) {
	var ops []safefile.Op
	disk := newDisk(safefile.Unsynced{FS: safefile.OS})
	w := newWorld(t, t.TempDir(), disk)
	defer w.close()
	taken(t, w.send(mail{text: "first", to: []string{"all@example.org"}})) // makes homes, reserves UIDs
	disk.set(func(op safefile.Op) error { ops = append(ops, op); return nil })
	taken(t, w.send(mail{text: "second", to: []string{"all@example.org"}}))
	disk.set(nil)
	kinds := make(map[string]int)
	for _, op := range ops {
		kinds[op.Kind]++
	}
	if kinds["temp"] != 1 || kinds["sync"] != 1 || kinds["link"] != crowd || kinds["syncdir"] != crowd || len(ops) != kinds["write"]+2+2*crowd {
		t.Errorf("%v", kinds)
	}
}
