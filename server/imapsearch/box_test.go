package imapsearch

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/mailbox"
)

// realBox is a mailbox on disk with these messages and their flags, by number.
func realBox(t testing.TB, opt mailbox.Options, messages []fakeMessage, flags map[int][]string) *mailbox.Mailbox {
	dir := t.TempDir()
	opt.Dir, opt.Tmp = filepath.Join(dir, "domains"), filepath.Join(dir, "tmp")
	store, err := mailbox.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	home, err := store.Home(address.MustParse("alice@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	box, err := home.Mailbox("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		d, err := store.Draft()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Discard)
		if _, err := d.Write([]byte(strings.ReplaceAll(m.raw, "\n", "\r\n"))); err != nil {
			t.Fatal(err)
		}
		if _, err := box.Add(d, mailbox.AddOptions{Flags: flags[i], InternalDate: m.internal, Last: true}); err != nil {
			t.Fatal(err)
		}
	}
	return box
}

func snapshotOf(t testing.TB, box *mailbox.Mailbox) *mailbox.Snapshot {
	t.Helper()
	s, err := box.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSearchMailbox(t *testing.T) {
	sample := sampleBox(t)
	for i := range sample.messages {
		sample.messages[i].raw = strings.ReplaceAll(sample.messages[i].raw, "\r\n", "\n")
	}
	box := realBox(t, mailbox.Options{}, sample.messages, map[int][]string{0: {`\Seen`, "work"}, 1: {"$Forwarded"}, 3: {`\Seen`, `\Deleted`}})
	env := Env{Box: box, Snapshot: snapshotOf(t, box), Now: time.Now()}
	tests := []struct{ args, want string }{
		{"SEEN", "1 4"}, {"KEYWORD Work", "1"}, {"KEYWORD $FORWARDED", "2"}, {"UNKEYWORD none", "1 2 3 4"},
		{"ON 3-Mar-2024", "3 4"}, {"SAVEDSINCE 1-Jan-2025", "1 2 3 4"}, {"LARGER 1000", "3"},
		{"SUBJECT strasse", "1 2 4"}, {"FROM john", "1 4"}, {"HEADER X-Spam-Flag yes", "1"}, {"SENTON 2-Mar-2024", "2"},
		{"BODY fox", "1 4"}, {`TEXT "grüsse"`, "2"}, {"BODY ok", "2"}, {`TEXT "nothing like it"`, ""}, {"NOT BODY fox", "2 3"},
	}
	for range 2 { // the second time the index of the text may have caught up
		for _, test := range tests {
			if got := found(t, env, "CHARSET UTF-8 "+test.args); got != test.want {
				t.Errorf("%s: %s, want %s", test.args, got, test.want)
			}
		}
	}
	if _, err := box.Expunge([]mailbox.UID{env.Snapshot.At(0).UID}); err != nil {
		t.Fatal(err)
	}
	if got := found(t, env, "BODY fox"); got != "4" {
		t.Errorf("with a message that is gone: %s", got)
	}
	env.Snapshot = snapshotOf(t, box)
	if got := found(t, env, "CHARSET UTF-8 SUBJECT strasse BODY quick"); got != "3" {
		t.Errorf("after an expunge: %s", got)
	}
	a, err := mustParse(t, "SORT (REVERSE SUBJECT) UTF-8 ALL").Run(context.Background(), env)
	if err != nil || a.Len() != 3 {
		t.Error(a, err)
	}
}

// BenchmarkMailbox is searches of 5,000 messages on disk, without an index of their text.
func BenchmarkMailbox(b *testing.B) {
	box := realBox(b, mailbox.Options{NoText: true}, benchmarkMessages(5000), nil)
	env := Env{Box: box, Snapshot: snapshotOf(b, box), Now: time.Now()}
	for _, args := range []string{"UNSEEN", "SUBJECT nowhere", "FROM alice49", "SENTSINCE 2-Jan-2000", "TEXT nowhere"} {
		b.Run(strings.ReplaceAll(args, " ", "_"), func(b *testing.B) { benchmarkEnv(b, env, args) })
	}
}
