// Package mailboxtest reads mailboxes, for tests of what puts messages there.
//
// It is imported by tests only.
package mailboxtest

import (
	"io"
	"slices"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/mailbox"
)

// Message is a message in a mailbox.
type Message struct {
	Folder string
	UID    mailbox.UID
	Flags  string // sorted, with a space between
	Text   string // as served
}

// Folder returns the messages in a folder, by UID; none when it is not there.
func Folder(t testing.TB, s *mailbox.Store, account address.Address, name string) []Message {
	t.Helper()
	home, err := s.Home(account)
	if err != nil {
		t.Fatal(err)
	}
	return messages(t, home, name)
}

// All returns the messages in all folders of an account, folder by folder.
func All(t testing.TB, s *mailbox.Store, account address.Address) (all []Message) {
	t.Helper()
	home, err := s.Home(account)
	if err != nil {
		t.Fatal(err)
	}
	folders, err := home.Folders()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.Exists {
			all = append(all, messages(t, home, f.Name)...)
		}
	}
	return all
}

func messages(t testing.TB, home *mailbox.Home, folder string) (all []Message) {
	t.Helper()
	mb, err := home.Mailbox(folder)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := mb.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range snap.Range(0, snap.Len()) {
		c, err := mb.Open(r.UID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
		flags := slices.Sorted(slices.Values(mb.Flags(r)))
		all = append(all, Message{folder, r.UID, strings.Join(flags, " "), string(text)})
	}
	return all
}
