package server

import (
	"io"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/pop3d"
)

// TestMaildrop holds what pop3d is given against what it was promised.
func TestMaildrop(t *testing.T) {
	s := newSite(t)
	alice := address.MustParse("alice@example.org")
	c := s.smtp("smtp", "")
	for _, subject := range []string{"one", "two", "three"} {
		s.send(c, subject, "s@remote.example", alice.String())
	}
	b := maildrops{(*backend)(s.Server)}
	open := func() pop3d.Maildrop {
		t.Helper()
		d, err := b.Maildrop(alice)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	d, later := open(), open()
	if d.Len() != 3 || d.Validity() == 0 || d.Validity() != later.Validity() {
		t.Fatalf("%d messages, UIDVALIDITY %d and %d", d.Len(), d.Validity(), later.Validity())
	}
	for i, subject := range []string{"one", "two", "three"} {
		content, err := d.Open(d.At(i).UID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
		if err != nil || int64(len(text)) != d.At(i).Size || !strings.Contains(string(text), "Subject: "+subject+"\r\n") {
			t.Errorf("message %d: %v, %d octets of %d:\n%s", i, err, len(text), d.At(i).Size, text)
		}
		if err := content.Close(); err != nil {
			t.Error(err)
		}
	}

	uids := []uint32{d.At(0).UID, d.At(2).UID}
	for range 2 { // what is gone is no error
		if err := d.Remove(uids); err != nil {
			t.Error(err)
		}
	}
	s.send(c, "four", "s@remote.example", alice.String())
	if later.Len() != 3 || later.At(2).UID != uids[1] {
		t.Error("a maildrop changes while it is open")
	}
	if content, err := later.Open(uids[0]); !fault.Is(err, fault.NotFound) || content != nil {
		t.Errorf("a message that is gone: %v", err)
	}
	if now := open(); now.Len() != 2 || now.At(0).UID != later.At(1).UID || now.At(1).UID <= uids[1] {
		t.Errorf("%d messages are left", now.Len())
	}
}
