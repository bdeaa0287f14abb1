package senderauth

import (
	"bytes"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/safefile"
)

// TestSealRecorded: a message that was kept for a while is sealed as if it had gone on at
// once: its chain is continued, and not called broken.
func TestSealRecorded(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	keys, err := OpenKeys(t.TempDir(), safefile.Unsynced{FS: safefile.OS}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	seal := func(raw []byte, r Results) []byte {
		h, err := message.ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		set, err := keys.Seal("example.org", "mail.example.org", r, h, envelope.Bytes(raw))
		if err != nil {
			t.Fatal(err)
		}
		return append(set, raw...)
	}
	raw := seal([]byte("From: a@example.net\r\n\r\nText\r\n"), Results{SPF: SPF{Result: Pass, Domain: "example.net"}, ARC: ARC{Result: None}})
	came := Results{SPF: SPF{Result: Pass, Domain: "example.com"}, ARC: ARC{Result: Pass, Instance: 1, Sealer: "example.org"}}
	kept := append(came.Field("mail.example.org"), raw...)
	h, err := message.ParseHeader(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Results{came, Recorded(h, "mail.example.org")} {
		if got := seal(kept, r); !bytes.HasPrefix(got, []byte("ARC-Seal: i=2;")) || !bytes.Contains(got, []byte("cv=pass;")) {
			t.Errorf("%+v:\n%s", r, got)
		}
	}
}
