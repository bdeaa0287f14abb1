package spool

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

func fullEntry() Entry {
	e := entry("m1", `"odd one"@example.net`, "пётр@example.net", "local:erin@example.org")
	e.Envelope.Received = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	e.Envelope.Sender = envelope.Sender{
		ReversePath: address.MustParse("jörg@bücher.example"), Size: 7, Body: "8BITMIME", SMTPUTF8: true, Ret: "FULL", EnvID: "x\r\ny", Auth: "<>", RequireTLS: true,
	}
	e.Hold, e.NotBefore = "too many recipients\r\nin an hour", time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	e.Envelope.Session = envelope.Session{
		ID: "s1", Listener: "submission", Remote: netip.MustParseAddrPort("[2001:db8::1]:99"), Local: netip.MustParseAddrPort("192.0.2.1:587"),
		RDNS: "host.example", Helo: "[192.0.2.7]", ESMTP: true, TLSVersion: "TLS1.3", TLSCipher: "X", AuthcID: "jörg", Account: address.MustParse("alice@example.org"),
	}
	e.Recipients[0].Notify, e.Recipients[0].ORcpt = envelope.NotifySuccess|envelope.NotifyDelay, "rfc822;\x00"
	e.Recipients[1].Forwarder = address.MustParse("info@example.org")
	return e
}

// TestRecordKeepsAll: what was added comes back.
func TestRecordKeepsAll(t *testing.T) {
	e := fullEntry()
	b, err := newRecord(e, 100, time.Unix(1e9, 0)).encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Hold != e.Hold || !r.NotBefore.Equal(e.NotBefore) {
		t.Errorf("%q, %v", r.Hold, r.NotBefore)
	}
	if got := r.envelope(); !reflect.DeepEqual(got, e.Envelope) {
		t.Errorf("%+v, want %+v", got, e.Envelope)
	}
	for i := range e.Recipients {
		if got := r.Recipients[i].recipient(); got != e.Recipients[i] {
			t.Errorf("%+v, want %+v", got, e.Recipients[i])
		}
	}
	var nobody Entry = entry("m2", "bob@example.net")
	nobody.Envelope.Sender.ReversePath = address.Address{}
	now := time.Unix(1e9, 0).UTC()
	b, err = newRecord(nobody, 1, now).encode()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = decodeRecord(b); err != nil || !r.envelope().Sender.ReversePath.IsZero() || !r.Received.Equal(now) || r.envelope().Session.Remote.IsValid() {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRecordFormat: version 1, as it is on the disks of others.
func TestRecordFormat(t *testing.T) {
	r, err := decodeRecord([]byte(`{"version":1,"id":"m1","received":"2026-10-01T12:00:00Z","size":100,
		"sender":{"reverse_path":"alice@example.org","ret":"HDRS","envid":"e"},
		"session":{"listener":"submission","account":"alice@example.org","remote":"192.0.2.1:5"},
		"recipients":[{"address":"bob@example.net","notify":4,"attempts":2,"next":"2026-10-01T13:00:00Z",
			"last":{"at":"2026-10-01T12:30:00Z","code":450,"status":"4.2.1","text":"Busy","remote":"mx.example.net"}},
			{"address":"dave@example.net","done":true,"failed":true,"report":"failed","report_id":"r1","last":{"at":"2026-10-01T12:30:00Z","code":550,"status":"5.1.1","text":"No"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	bob, dave := r.status(0, r.Received), r.status(1, r.Received)
	if bob.Attempts != 2 || bob.Reply != "450 4.2.1 Busy" || bob.Remote != "mx.example.net" || r.Recipients[0].Notify != envelope.NotifyFailure || dave.State != Failed ||
		dave.Words != "No" || !dave.Owed || !r.owesReports() || r.finished() || len(r.waiting("example.net")) != 1 {
		t.Errorf("%+v, %+v", bob, dave)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "{}", "null", `{"version":1}`, `{"version":1,"id":"m1"}`, `{"version":1,"id":"m1","recipients":[{}]}`,
		`{"version":1,"id":"../m1","recipients":[{"address":"a@b.example"}]}`, `{"version":1,"id":"m1","recipients":[{"address":"a b@c"}]}`,
		`{"version":1,"id":"m1","recipients":[{"address":"a@b.example"}]`, `{"version":1,"id":"m1","sender":{"reverse_path":"x y"},"recipients":[{"address":"a@b.example"}]}`,
	} {
		if r, err := decodeRecord([]byte(bad)); err == nil {
			t.Errorf("%q read as %+v", bad, r)
		}
	}
}

func TestWords(t *testing.T) {
	now := time.Unix(1e9, 0)
	refused := Result{Fault: nobody, Remote: "mx.example"}.last(now)
	taken := &lastRecord{At: now, Text: "250 Ok", Remote: "mx.example"}
	for _, c := range []struct {
		record record
		to     rcptRecord
		state  State
		words  string
	}{
		{record{}, rcptRecord{}, Waiting, "not tried yet"},
		{record{}, rcptRecord{Done: true, Local: true, Last: &lastRecord{At: now}}, Delivered, ""},
		{record{}, rcptRecord{Done: true, Last: taken}, Passed, "mx.example answered: 250 Ok"},
		{record{}, rcptRecord{Local: true, Last: Result{Fault: fault.New(fault.OverQuota, "")}.last(now)}, Waiting, "The mailbox is full"},
		{record{}, rcptRecord{Failed: true, Done: true, Last: refused}, Failed, "mx.example answered: 550 5.1.1 No such user"},
		{record{}, rcptRecord{Dropped: true, Done: true, Last: refused}, Dropped, ""},
		{record{Hold: "too many"}, rcptRecord{Last: refused}, Held, "too many"},
		{record{Hold: "too many"}, rcptRecord{Done: true, Last: taken}, Passed, "mx.example answered: 250 Ok"},
		{record{NotBefore: now.Add(time.Hour)}, rcptRecord{}, Scheduled, "not to be sent before"},
		{record{NotBefore: now}, rcptRecord{}, Waiting, "not tried yet"},
	} {
		c.record.Recipients = []rcptRecord{c.to}
		if got := c.record.status(0, now); got.State != c.state || got.Words != c.words {
			t.Errorf("%q %q, want %q %q", got.State, got.Words, c.state, c.words)
		}
	}
}

func FuzzRecord(f *testing.F) {
	b, err := newRecord(fullEntry(), 100, time.Unix(1e9, 0)).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, s := range []string{
		`{"version":1,"id":"m1","recipients":[{"address":"a@b.example","last":{"code":450}}]}`,
		`{"version":1,"id":"m1","hold":"x","not_before":"9999-12-31T23:59:59Z","recipients":[{"address":"a@b.example","next":"9999-12-31T23:59:59Z"}]}`,
		`{"version":1,"id":"m1","sender":{"requiretls":true,"hold_until":"2026-12-24T18:00:00Z"},"recipients":[{"address":"a@b.example","done":true,"dropped":true,"delayed":true}]}`,
		`{"version":1,"id":"m1","received":"0001-01-01T00:00:00Z","recipients":[{"address":"a@b.example","report":"delayed","report_id":"r"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		r2, err := decodeRecord(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, err := r2.encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s, then %s, %v", again, third, err)
		}
		r.summary("x", r.Received)
		r.began()
		r.reader()
		for i := range r.Recipients {
			r.Recipients[i].report()
			r.waiting(r.Recipients[i].destination())
		}
	})
}
