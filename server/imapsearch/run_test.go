package imapsearch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/imapwire"
	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// found runs a search and returns the message numbers.
func found(t testing.TB, env Env, args string) string {
	t.Helper()
	places, err := Run(context.Background(), env, mustParse(t, "SEARCH "+args).Program)
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	var numbers []string
	for _, p := range places {
		numbers = append(numbers, fmt.Sprint(p+1))
	}
	return strings.Join(numbers, " ")
}

func sampleBox(t testing.TB) *fakeBox {
	day := func(d, h int) time.Time { return time.Date(2024, 3, d, h, 0, 0, 0, time.UTC) }
	return newFakeBox(t, []fakeMessage{
		{uid: 10, flags: maildir.Seen | maildir.Replied, modSeq: 5, internal: day(1, 23), saved: day(9, 1), raw: `From: "Smith, John" <john@example.org>
To: bob@example.net, =?iso-8859-1?q?Andr=E9?= <andre@example.net>
Subject: Strasse
Date: Fri, 1 Mar 2024 23:30:00 -0500
X-Spam-Flag: YES
Message-ID: <one@example.org>

The quick brown fox
`},
		{uid: 11, flags: maildir.Flagged | maildir.Keyword(0), modSeq: 9, internal: day(2, 12), raw: `From: alice@example.org
Cc: board@example.org
Bcc: hidden@example.org
Subject: =?utf-8?q?Stra=C3=9Fe_im?=
 =?utf-8?q?_Regen?=
Date: Sat, 2 Mar 2024 00:30:00 +0900
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe aus K=C3=B6ln, ok
`},
		{uid: 20, flags: maildir.Draft | maildir.Passed, modSeq: 3, internal: day(3, 0), more: 2, raw: `Subject: a long
 folded line
X-Empty:

` + strings.Repeat("0123456789\n", 100)},
		{uid: 21, flags: maildir.Trashed | maildir.Seen | maildir.Keyword(1), modSeq: 12, internal: day(3, 23), raw: `From: john@EXAMPLE.org
Subject: Re: strasse
Date: nonsense
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html

<p>quick &amp; <b>dirty</b></p>
--b
Content-Type: message/rfc822

Subject: enclosed fox

inner text
--b--
`},
	})
}

func TestSearchKeys(t *testing.T) {
	b := sampleBox(t)
	env := b.env()
	env.Recent = imapwire.NumSet{{Start: 15, Stop: 20}, {Start: 21, Stop: 99}}
	env.Saved = imapwire.NumSet{{Start: 11, Stop: 11}, {Start: 20, Stop: 25}}
	env.Now = time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	id := EmailID(b.summaries[2].EmailID)
	tests := []struct{ args, want string }{
		{"ALL", "1 2 3 4"},
		{"SEEN", "1 4"}, {"UNSEEN", "2 3"}, {"ANSWERED", "1"}, {"UNANSWERED", "2 3 4"}, {"FLAGGED", "2"}, {"DRAFT", "3"}, {"DELETED", "4"},
		{"SEEN UNSEEN", ""}, {"OR SEEN UNSEEN", "1 2 3 4"}, {"NOT (SEEN DELETED)", "1 2 3"},
		{"RECENT", "3 4"}, {"OLD", "1 2"}, {"NEW", "3"},
		{"KEYWORD work", "2"}, {"KEYWORD $forwarded", "3"}, {"UNKEYWORD Later", "1 2 3"}, {"KEYWORD more2", "3"}, {"KEYWORD none", ""},
		{"2:3", "2 3"}, {"*", "4"}, {"4:*", "4"}, {"9:*", "4"}, {"9:12", ""}, {"NOT 2:3", "1 4"}, {"1,3", "1 3"},
		{"UID 11:20", "2 3"}, {"UID 12:19", ""}, {"UID 21:*", "4"}, {"UID 50:*", "4"}, {"UID 1:10,12,21", "1 4"},
		{"UIDAFTER 10", "2 3 4"}, {"UIDAFTER 11", "3 4"}, {"UIDAFTER 50", ""}, {"UIDBEFORE 21", "1 2 3"}, {"UIDBEFORE 1", ""}, {"NOT UIDAFTER 11", "1 2"},
		{"$", "2 3 4"}, {"UID $", "2 3 4"}, {"$ SEEN", "4"}, {"OR $ 1", "1 2 3 4"},
		{"BEFORE 2-Mar-2024", "1"}, {"ON 3-Mar-2024", "3 4"}, {"SINCE 2-Mar-2024", "2 3 4"},
		{"SENTBEFORE 2-Mar-2024", "1"}, {"SENTON 1-Mar-2024", "1"}, {"SENTON 2-Mar-2024", "2"}, {"SENTSINCE 2-Mar-2024", "2"}, {"NOT SENTSINCE 2-Mar-2024", "1 3 4"},
		{"SAVEDON 9-Mar-2024", "1"}, {"SAVEDBEFORE 3-Mar-2024", "2"}, {"SAVEDSINCE 3-Mar-2024", "1 3 4"}, {"SAVEDATESUPPORTED", "1 2 3 4"},
		{"OLDER 86400", "1 2 3"}, {"YOUNGER 86400", "3 4"}, {"YOUNGER 3600", "4"}, {"OLDER 3601", "1 2 3"},
		{"LARGER 1000", "3"}, {"SMALLER 1000", "1 2 4"},
		{"MODSEQ 9", "2 4"}, {"MODSEQ 0", "1 2 3 4"}, {"MODSEQ 13", ""}, {"NOT MODSEQ 9", "1 3"},
		{"EMAILID " + id, "3"}, {"EMAILID M00", ""}, {"NOT EMAILID " + id, "1 2 4"}, {"THREADID T1", ""}, {"NOT THREADID T1", "1 2 3 4"},
		{"FROM john", "1 4"}, {"FROM @example.ORG", "1 2 4"}, {`FROM "Smith, J"`, "1"}, {"NOT FROM john", "2 3"}, {"FROM {0+}\r\n", "1 2 4"},
		{"TO bob", "1"}, {`TO "ANDRÉ"`, "1"}, {"CC board", "2"}, {"BCC hidden", "2"},
		{"SUBJECT STRASSE", "1 2 4"}, {`SUBJECT "straße"`, "1 2 4"}, {`SUBJECT "straße im regen"`, "2"}, {`SUBJECT "long folded"`, "3"}, {`SUBJECT "Subject"`, ""},
		{`HEADER X-Spam-Flag yes`, "1"}, {`HEADER x-spam-flag ""`, "1"}, {`HEADER X-Empty ""`, "3"}, {`HEADER X-Empty x`, ""}, {`NOT HEADER X-Spam-Flag yes`, "2 3 4"},
		{`HEADER Message-ID one@`, "1"}, {`HEADER Message one@`, ""},
		{"OR (SUBJECT folded) (SEEN FLAGGED)", "3"},
		{"SUBJECT strasse SEEN SENTON 1-Mar-2024 HEADER X-Spam-Flag yes", "1"},
	}
	for _, test := range tests {
		if got := found(t, env, "CHARSET UTF-8 "+test.args); got != test.want {
			t.Errorf("%s: %s, want %s", test.args, got, test.want)
		}
	}
}

func TestSearchTexts(t *testing.T) {
	b := sampleBox(t)
	tests := []struct{ args, want string }{
		{"BODY quick", "1 4"}, {`BODY "QUICK & dirty"`, "4"}, {"BODY fox", "1 4"}, {"BODY strasse", ""}, {"TEXT strasse", "1 2 4"},
		{`BODY "grüsse AUS KÖLN"`, "2"}, {"BODY ok", "2"}, {"TEXT x", "1 2 3 4"}, {`TEXT "X-Spam-Flag: yes"`, "1"}, {"NOT BODY fox", "2 3"},
		{`OR BODY "köln" BODY 789`, "2 3"}, {"BODY fox SEEN DELETED", "4"}, {"OR DELETED BODY fox", "1 4"}, {"BODY fox BODY inner", "4"},
		{"OR (BODY quick HEADER X-Spam-Flag yes) BODY nothing", "1"},
	}
	for _, through := range []msgindex.UID{0, 5, 11, 20, 21, 99} {
		b.through = through
		b.extra = func(uid msgindex.UID) bool { return uid == 11 }
		for _, test := range tests {
			if got := found(t, b.env(), "CHARSET UTF-8 "+test.args); got != test.want {
				t.Errorf("%s, indexed up to %d: %s, want %s", test.args, through, got, test.want)
			}
		}
	}
}

// A string may be longer than what the pieces of a text have in common.
func TestSearchLongText(t *testing.T) {
	var body strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&body, "%07d,", i)
	}
	b := newFakeBox(t, []fakeMessage{{raw: "Subject: x\n\n" + body.String() + "\n"}})
	for _, length := range []int{10, 255, 300, maxString - 8} {
		for from := 0; from+length < body.Len(); from += 4000 {
			if got := found(t, b.env(), fmt.Sprintf("BODY %q", body.String()[from:from+length])); got != "1" {
				t.Fatalf("%d octets at %d: not found", length, from)
			}
		}
	}
	if got := found(t, b.env(), fmt.Sprintf("BODY %q", body.String()[:4000]+"x")); got != "" {
		t.Error("found what is not there")
	}
}

// A message that is gone matches nothing that must be read of it.
func TestSearchGone(t *testing.T) {
	b := sampleBox(t)
	b.messages[0].gone = true
	for args, want := range map[string]string{"SUBJECT strasse": "2 4", "BODY fox": "4", "SEEN": "1 4", "NOT SUBJECT nothing": "2 3 4"} {
		if got := found(t, b.env(), args); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
	if _, err := mustParse(t, "SORT (SUBJECT) UTF-8 ALL").Run(context.Background(), b.env()); err != nil {
		t.Error(err)
	}
}

// Days are those of the zone in which internal dates are told.
func TestSearchZone(t *testing.T) {
	env := sampleBox(t).env()
	env.Zone = time.FixedZone("", 2*60*60)
	if got := found(t, env, "ON 2-Mar-2024"); got != "1 2" {
		t.Error(got)
	}
}

// brokenBox fails when it is read.
type brokenBox struct {
	*fakeBox
	err error
}

func (b brokenBox) reader() reader { return brokenReader{fakeReader{b.fakeBox}, b.err} }

type brokenReader struct {
	fakeReader
	err error
}

func (r brokenReader) open(*msgindex.Record) (content, error) { return nil, r.err }

func TestSearchFails(t *testing.T) {
	b := sampleBox(t)
	env := b.env()
	env.src = brokenBox{b, errors.New("broken")}
	if places, err := Run(context.Background(), env, mustParse(t, "SEARCH BODY fox").Program); err == nil || err.Error() != "broken" {
		t.Errorf("%v, %v", places, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range []string{"SEEN", "SUBJECT x", "BODY fox"} {
		if places, err := Run(ctx, b.env(), mustParse(t, "SEARCH "+args).Program); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, %v", args, places, err)
		}
	}
}

// cancelBox ends the search when a message is read for the third time.
type cancelBox struct {
	*fakeBox
	cancel context.CancelFunc
}

func (b cancelBox) reader() reader { return cancelReader{fakeReader{b.fakeBox}, b.cancel} }

type cancelReader struct {
	fakeReader
	cancel context.CancelFunc
}

func (r cancelReader) open(rec *msgindex.Record) (content, error) {
	c, err := r.fakeReader.open(rec)
	return &cancelContent{content: c, cancel: r.cancel}, err
}

type cancelContent struct {
	content
	cancel context.CancelFunc
	reads  int
}

func (c *cancelContent) ReadAt(p []byte, off int64) (int, error) {
	if c.reads++; c.reads > 3 {
		panic("read on")
	}
	if c.reads == 3 {
		c.cancel()
	}
	return c.content.ReadAt(p, off)
}

func TestCancelWithinMessage(t *testing.T) {
	b := newFakeBox(t, []fakeMessage{{raw: "Subject: x\n\n" + strings.Repeat("Text that goes on and on\n", 200000)}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	env := b.env()
	env.src = cancelBox{b, cancel}
	if places, err := Run(ctx, env, mustParse(t, "SEARCH BODY nothing").Program); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", places, err)
	}
}

// slowBox takes a second for each message that is opened.
type slowBox struct{ *fakeBox }

func (b slowBox) reader() reader { return slowReader{fakeReader{b.fakeBox}} }

type slowReader struct{ fakeReader }

func (r slowReader) open(rec *msgindex.Record) (content, error) {
	time.Sleep(time.Second)
	return r.fakeReader.open(rec)
}

func TestProgress(t *testing.T) {
	box := newFakeBox(t, slices.Repeat([]fakeMessage{mail(1, "Subject: x")}, 200))
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []int
		env := box.env()
		env.src = slowBox{box}
		env.Progress = func(done, total int) {
			mu.Lock()
			defer mu.Unlock()
			if told = append(told, done); total != 200 {
				t.Errorf("%d of %d", done, total)
			}
		}
		env.ProgressEvery = 10*time.Second + time.Millisecond
		if _, err := Run(t.Context(), env, mustParse(t, "SEARCH BODY nothing").Program); err != nil {
			t.Fatal(err)
		}
		if len(told) < 5 || !slices.IsSorted(told) || told[0] != 20 {
			t.Errorf("%v", told)
		}
	})
}

func TestRecordsWithoutAllocation(t *testing.T) {
	b := newFakeBox(t, benchmarkMessages(2000))
	p := mustParse(t, "SEARCH UNSEEN SINCE 1-Jan-2030").Program
	env := b.env()
	plan := newPlan(&env, b, p)
	allocs := testing.AllocsPerRun(10, func() {
		if found, open, err := records(context.Background(), &env, b, plan); len(found)+len(open) > 0 || err != nil {
			t.Error(found, open, err)
		}
	})
	if allocs > 10 { // however many messages there are
		t.Errorf("%v allocations", allocs)
	}
}
