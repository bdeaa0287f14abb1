package imapsearch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"facteur/server/imapwire"
)

// mail is a message with these header fields; its internal date is at after
// the start of 2000, in hours.
func mail(at int, fields ...string) fakeMessage {
	return fakeMessage{
		internal: time.Date(2000, 1, 1, at, 0, 0, 0, time.UTC),
		raw:      strings.Join(fields, "\n") + "\n\nText\n",
	}
}

func threadOf(t *testing.T, algorithm string, messages []fakeMessage) string {
	t.Helper()
	b := newFakeBox(t, messages)
	a, err := mustParse(t, "THREAD "+algorithm+" UTF-8 ALL").Run(context.Background(), b.env())
	if err != nil {
		t.Fatal(err)
	}
	got := written(func(e *imapwire.Encoder) { a.Write(e, Form{}) })
	return strings.TrimSpace(strings.TrimPrefix(got, "* THREAD"))
}

func TestReferences(t *testing.T) {
	tests := []struct {
		name     string
		messages []fakeMessage
		want     string
	}{
		{"nothing", nil, ""},
		{"answers", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "Subject: s"),
			mail(2, "Message-ID: <b@x>", "Subject: Re: s", "References: <a@x>"),
			mail(3, "Message-ID: <c@x>", "Subject: Re: s", "References: <a@x> <b@x>"),
			mail(4, "Message-ID: <d@x>", "Subject: Re: s", "In-Reply-To: <a@x>"),
			mail(5, "Message-ID: <e@x>", "Subject: other"),
		}, "(1 (2 3)(4))(5)"},
		{"a missing parent", []fakeMessage{
			mail(1, "Message-ID: <b@x>", "References: <a@x>", "Subject: one"),
			mail(2, "Message-ID: <c@x>", "References: <a@x>", "Subject: two"),
		}, "((1)(2))"},
		{"a missing parent of one", []fakeMessage{
			mail(1, "Message-ID: <b@x>", "References: <a@x>"),
		}, "(1)"},
		{"missing messages in between", []fakeMessage{
			mail(1, "Message-ID: <a@x>"),
			mail(2, "Message-ID: <d@x>", "References: <a@x> <b@x> <c@x>"),
			mail(3, "Message-ID: <e@x>", "References: <a@x> <b@x>"),
		}, "(1 (2)(3))"},
		{"quoted ids", []fakeMessage{
			mail(1, `Message-ID: <"01KF8JCEOCBS0045PS"@xxx.yyy.com>`, "Subject: a"),
			mail(2, "Message-ID: <b@x>", "References: <01KF8JCEOCBS0045PS@xxx.yyy.com>", "Subject: b"),
		}, "(1 2)"},
		{"References without an id", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "Subject: a"),
			mail(2, "Message-ID: <b@x>", "References: nothing", "In-Reply-To: your mail <a@x> of <c@x>", "Subject: b"),
		}, "(1 2)"},
		{"the same id twice", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "Subject: one"),
			mail(2, "Message-ID: <a@x>", "Subject: two"),
			mail(3, "Message-ID: <b@x>", "References: <a@x>", "Subject: three"),
		}, "(1 3)(2)"},
		{"a loop", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "References: <b@x>", "Subject: a"),
			mail(2, "Message-ID: <b@x>", "References: <a@x>", "Subject: b"),
			mail(3, "Message-ID: <c@x>", "References: <c@x>", "Subject: c"),
		}, "(2 1)(3)"},
		{"a truncated References", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "Subject: a"),
			mail(2, "Message-ID: <d@x>", "References: <a@x> <c@x>", "Subject: d"), // makes a parent of c
			mail(3, "Message-ID: <c@x>", "References: <a@x> <b@x>", "Subject: c"),
			mail(4, "Message-ID: <b@x>", "References: <a@x>", "Subject: b"),
		}, "(1 4 3 2)"},
		{"children out of order", []fakeMessage{
			mail(9, "Message-ID: <c@x>", "References: <a@x>", "Subject: c"),
			mail(5, "Message-ID: <b@x>", "References: <a@x>", "Subject: b"),
			mail(7, "Message-ID: <a@x>", "Subject: a"),
			mail(6, "Message-ID: <d@x>", "Subject: d"),
		}, "(4)(3 (2)(1))"},
		{"the same subject: an answer goes below", []fakeMessage{
			mail(1, "Message-ID: <b@x>", "Subject: Re: Lunch"),
			mail(2, "Message-ID: <a@x>", "Subject: LUNCH"),
			mail(3, "Message-ID: <c@x>", "Subject: [list] lunch (fwd)"),
		}, "(2 (1)(3))"},
		{"the same subject: two that are no answers", []fakeMessage{
			mail(1, "Message-ID: <a@x>", "Subject: lunch"),
			mail(2, "Message-ID: <b@x>", "Subject: lunch"),
			mail(3, "Message-ID: <c@x>", "Subject: lunch"),
		}, "((1)(2)(3))"},
		{"the same subject: two dummies", []fakeMessage{
			mail(1, "Message-ID: <b@x>", "References: <a@x>", "Subject: Re: s"),
			mail(2, "Message-ID: <c@x>", "References: <a@x>", "Subject: Re: s"),
			mail(3, "Message-ID: <e@x>", "References: <d@x>", "Subject: Re: s"),
			mail(4, "Message-ID: <f@x>", "References: <d@x>", "Subject: Re: s"),
			mail(5, "Message-ID: <g@x>", "Subject: s"),
		}, "((1)(2)(3)(4)(5))"},
		{"no subject", []fakeMessage{
			mail(1, "Message-ID: <a@x>"),
			mail(2, "Message-ID: <b@x>", "Subject: Re:"),
		}, "(1)(2)"},
		{"the sent date counts", []fakeMessage{
			mail(3, "Message-ID: <a@x>", "Subject: a", "Date: Sat, 1 Jan 2000 02:00:00 +0000"),
			mail(1, "Message-ID: <b@x>", "Subject: b", "Date: Sat, 1 Jan 2000 03:30:00 +0200"),
			mail(1, "Message-ID: <c@x>", "Subject: c", "Date: nonsense"),
		}, "(3)(2)(1)"},
	}
	for _, test := range tests {
		if got := threadOf(t, "REFERENCES", test.messages); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestOrderedSubject(t *testing.T) {
	got := threadOf(t, "ORDEREDSUBJECT", []fakeMessage{
		mail(5, "Subject: b"),
		mail(4, "Subject: Re: a"),
		mail(3, "Subject: c"),
		mail(2, "Subject: A"),
		mail(6, "Subject: Fwd: a"),
		mail(7, "Subject: Re: B"),
	})
	if want := "(4 (2)(5))(3)(1 6)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// However messages refer to each other, each is told once.
func TestThreadsAreWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + rng.IntN(25)
		ids := 1 + rng.IntN(n)
		id := func() string { return fmt.Sprintf("<%d@x>", rng.IntN(ids)) }
		messages := make([]fakeMessage, n)
		for i := range messages {
			refs := "References:"
			for range rng.IntN(5) {
				refs += " " + id()
			}
			subject := []string{"", "a", "Re: a", "b", "Fwd: b"}[rng.IntN(5)]
			messages[i] = mail(rng.IntN(10), "Message-ID: "+id(), refs, "Subject: "+subject)
		}
		for _, algorithm := range []string{"REFERENCES", "ORDEREDSUBJECT"} {
			got := threadOf(t, algorithm, messages)
			told := make(map[string]bool)
			for _, word := range strings.FieldsFunc(got, func(r rune) bool { return r == '(' || r == ')' || r == ' ' }) {
				if told[word] {
					t.Errorf("%s told twice: %s", word, got)
				}
				told[word] = true
			}
			if len(told) != n || strings.Count(got, "(") != strings.Count(got, ")") || strings.Contains(got, "()") {
				t.Fatalf("%s of %d: %s", algorithm, n, got)
			}
		}
	}
}

// A thread may be as deep as the mailbox is large.
func TestDeepThread(t *testing.T) {
	const n = 20000
	posts := make([]post, n)
	for i := range posts {
		posts[i] = post{place: i, date: int64(i), id: msgID(i + 1), subject: fmt.Sprint(i)}
		if i > 0 {
			posts[i].refs = []msgID{msgID(i)}
		}
	}
	roots, err := references(context.Background(), posts, n+1)
	if err != nil || len(roots) != 1 {
		t.Fatal(len(roots), err)
	}
	got := written(func(e *imapwire.Encoder) { writeThreads(e, roots, func(p int) uint32 { return 7 }) })
	if want := "(" + strings.Repeat("7 ", n-1) + "7)"; got != want {
		t.Errorf("%d octets, want %d", len(got), len(want))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := references(ctx, posts, n+1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
