package mailbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"facteur/server/address"
)

func TestAnnotated(t *testing.T) {
	f := newFixture(t, nil)
	changed := f.home.Changed().Subscribe()
	defer changed.Close()
	version := f.home.Version()
	f.ok(f.inbox.SetMetadata(map[string][]byte{"/shared/b": []byte("1"), "/shared/a": []byte("2")}))
	<-changed.C
	since := f.home.Annotations()
	f.ok(f.home.SetMetadata(map[string][]byte{"/private/x": nil}))
	all, now, complete := f.home.Annotated(0)
	if now != 2 || !complete || len(all) != 2 || all[0].Mailbox != f.inbox || all[1].Mailbox != nil {
		t.Errorf("%+v, %d, %v", all, now, complete)
	}
	f.want("names", fmt.Sprint(all[0].Names, all[1].Names), "[/shared/a /shared/b] [/private/x]")
	if some, _, _ := f.home.Annotated(since); len(some) != 1 || some[0].Mailbox != nil {
		t.Errorf("%+v", some)
	}
	for range maxAnnotated {
		f.ok(f.inbox.SetMetadata(map[string][]byte{"/shared/a": []byte("3")}))
	}
	all, now, complete = f.home.Annotated(since)
	if complete || now != maxAnnotated+2 || uint64(len(all)) > maxAnnotated {
		t.Errorf("%d changes, now %d, %v", len(all), now, complete)
	}
	if all, _, complete := f.home.Annotated(now); len(all) != 0 || !complete {
		t.Error("changes after the last")
	}
	if f.home.Version() != version {
		t.Error("annotations are no folders")
	}
}

// The version changes with folders and subscriptions, and a subscriber hears of
// what another program did without asking.
func TestVersion(t *testing.T) {
	f := newFixture(t, nil)
	changed := f.home.Changed().Subscribe()
	defer changed.Close()
	last := f.home.Version()
	for what, do := range map[string]func() error{
		"create":    func() error { return f.home.Create("a", "") },
		"subscribe": func() error { return f.home.Subscribe("INBOX", false) },
		"another program": func() error {
			return os.MkdirAll(filepath.Join(f.home.dir, ".b", "cur"), 0o700)
		},
	} {
		f.ok(do())
		<-changed.C
		if now := f.home.Version(); now == last {
			t.Errorf("%s: still %d", what, now)
		} else {
			last = now
		}
	}
	f.ok(f.home.Subscribe("INBOX", false))
	if f.home.Version() != last {
		t.Error("a new version for what was so")
	}
}

// A home that was forgotten is no trouble for who still listens.
func TestPollForgotten(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := Open(Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"),
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	account := address.MustParse("carol@example.org")
	home, err := store.Home(account)
	if err != nil {
		t.Fatal(err)
	}
	defer home.Changed().Subscribe().Close()
	home.poll()
	if err := store.Forget(account); err != nil {
		t.Fatal(err)
	}
	home.poll()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}
