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
		ReversePath: address.MustParse("jörg@bücher.example"), Size: 7, Body: "8BITMIME", SMTPUTF8: true, Ret: "FULL", EnvID: "x\r\ny", Auth: "<>",
	}
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
	bob, dave := r.Recipients[0].status(), r.Recipients[1].status()
	if bob.Attempts != 2 || bob.Reply != "450 4.2.1 Busy" || bob.Remote != "mx.example.net" || r.Recipients[0].Notify != envelope.NotifyFailure || !dave.Failed ||
		dave.Words != "failed for good: No (the sender is yet to be told)" || !r.owesReports() || r.finished() || len(r.waiting("example.net")) != 1 {
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
	for want, to := range map[string]rcptRecord{
		"not tried yet":                     {},
		"delivered":                         {Done: true, Local: true, Last: &lastRecord{}},
		"sent: mx.example answered: 250 Ok": {Done: true, Last: &lastRecord{Text: "250 Ok", Remote: "mx.example"}},
		"waits for the next attempt: The mailbox is full":                  {Local: true, Last: Result{Fault: fault.New(fault.OverQuota, "")}.last(time.Time{})},
		"failed for good: mx.example answered: 550 5.1.1 No such user":     {Failed: true, Done: true, Last: Result{Fault: nobody, Remote: "mx.example"}.last(time.Time{})},
		"sent: mx.example answered: 250 Ok (the sender is yet to be told)": {Done: true, Report: "relayed", Last: &lastRecord{Text: "250 Ok", Remote: "mx.example"}},
	} {
		if got := to.words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	b, err := newRecord(fullEntry(), 100, time.Unix(1e9, 0)).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"id":"m1","recipients":[{"address":"a@b.example","last":{"code":450}}]}`))
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
		r.summary("x")
		for i := range r.Recipients {
			r.Recipients[i].report()
			r.waiting(r.Recipients[i].destination())
		}
	})
}
