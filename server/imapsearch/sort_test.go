package imapsearch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"facteur/server/imapwire"
	"facteur/server/maildir"
)

func TestSort(t *testing.T) {
	b := newFakeBox(t, []fakeMessage{
		mail(5, "From: Zoe <bob@x>", "To: c@x", "Subject: Re: beta", "Date: Sat, 1 Jan 2000 10:00:00 +0000"),
		mail(1, "From: alice@y", "To: =?utf-8?q?=C3=89mile?= <z@x>, a@x", "Cc: m@x", "Subject: alpha", "Date: Sat, 1 Jan 2000 12:00:00 +0500"),
		mail(4, "From: =?utf-8?q?=C3=A9ve?= <carol@x>", "Subject: [list] Alpha", "Date: nonsense"),
		mail(2, "From: Bob Jones <Bob@x>", "To: A@x", "Subject: gamma long", "Cc: k@x"),
		mail(3, "To: undisclosed: ;", "Subject:"),
	})
	tests := []struct{ keys, want string }{
		{"ARRIVAL", "2 4 5 3 1"},
		{"REVERSE ARRIVAL", "1 3 5 4 2"},
		{"DATE", "4 5 3 2 1"}, // by UTC; without a Date field by arrival
		{"SUBJECT", "5 2 3 1 4"},
		{"SUBJECT REVERSE DATE", "5 2 3 1 4"},
		{"SUBJECT DATE", "5 3 2 1 4"},
		{"SIZE", "5 4 3 1 2"},
		{"TO", "3 4 1 5 2"}, // of a group its name, as in ENVELOPE
		{"DISPLAYTO", "3 4 1 2 5"},
		{"REVERSE SUBJECT", "4 1 2 3 5"}, // equal ones stay in mailbox order
		{"FROM", "5 2 1 4 3"},
		{"REVERSE FROM ARRIVAL", "3 4 1 2 5"},
		{"CC", "1 3 5 4 2"},
		{"DISPLAYFROM", "5 2 4 3 1"},
	}
	for _, test := range tests {
		a, err := mustParse(t, "SORT ("+test.keys+") UTF-8 ALL").Run(context.Background(), b.env())
		if err != nil {
			t.Fatal(err)
		}
		got := written(func(e *imapwire.Encoder) { a.Write(e, Form{}) })
		if got = strings.TrimSpace(strings.TrimPrefix(got, "* SORT")); got != test.want {
			t.Errorf("%s: %s, want %s", test.keys, got, test.want)
		}
	}
}

// Fields that are too long for a summary are read from the file.
func TestSortLongHeader(t *testing.T) {
	long := "References:" + strings.Repeat(" <0123456789012345678901234567890123456789@example.org>\n", 200)
	b := newFakeBox(t, []fakeMessage{
		mail(1, "Subject: b", "Message-ID: <b@x>"),
		mail(2, strings.TrimSpace(long)+" <b@x>", "Subject: a", "Message-ID: <a@x>"),
	})
	if !b.summaries[1].FieldsOmitted {
		t.Fatal("the summary has all fields")
	}
	places, err := SortPlaces(context.Background(), b.env(), []SortKey{{Field: BySubject}}, []int{0, 1})
	if err != nil || !slices.Equal(places, []int{1, 0}) {
		t.Errorf("%v, %v", places, err)
	}
	if got := found(t, b.env(), "SUBJECT a HEADER References @EXAMPLE"); got != "2" {
		t.Errorf("found %q", got)
	}
	a, err := mustParse(t, "THREAD REFERENCES UTF-8 ALL").Run(context.Background(), b.env())
	if err != nil {
		t.Fatal(err)
	}
	if got := written(func(e *imapwire.Encoder) { a.Write(e, Form{}) }); got != "* THREAD (1 2)\r\n" {
		t.Error(got)
	}
	b.messages[1].gone = true
	if places, err = SortPlaces(context.Background(), b.env(), []SortKey{{Field: ByFrom}}, []int{0, 1}); err != nil || len(places) != 2 {
		t.Errorf("one is gone: %v, %v", places, err)
	}
}

// The order of i;unicode-casemap is by octets in title case (RFC 5051).
func TestCollate(t *testing.T) {
	for _, same := range [][2]string{{"hello", "HELLO"}, {"é", "E\u0301"}, {"ﬁ", "FI"}, {"ǆ", "ǅ"}} {
		a, b := collate(same[0]), collate(same[1])
		if same[0] == "ﬁ" { // a ligature decomposes behind its case
			b = collate("fi")
			a = strings.ToUpper(a)
		}
		if a != b {
			t.Errorf("%q is %q, %q is %q", same[0], a, same[1], b)
		}
	}
	if !(collate("a_") > collate("aZ")) || !(collate("") < collate(" ")) {
		t.Error("the order of octets is wrong")
	}
}

func BenchmarkSort(b *testing.B) {
	box := newFakeBox(b, benchmarkMessages(10000))
	for _, keys := range []string{"ARRIVAL", "SUBJECT", "REVERSE DATE"} {
		b.Run(strings.ReplaceAll(keys, " ", ""), func(b *testing.B) {
			c, err := parse("SORT ("+keys+") UTF-8 ALL", Options{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if a, err := c.Run(context.Background(), box.env()); err != nil || a.Len() != 10000 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkThread(b *testing.B) {
	box := newFakeBox(b, benchmarkMessages(10000))
	for _, algorithm := range []string{"REFERENCES", "ORDEREDSUBJECT"} {
		b.Run(algorithm, func(b *testing.B) {
			c, err := parse("THREAD "+algorithm+" UTF-8 ALL", Options{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if a, err := c.Run(context.Background(), box.env()); err != nil || a.Len() != 10000 {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchmarkMessages are n messages like those that people get.
func benchmarkMessages(n int) []fakeMessage {
	messages := make([]fakeMessage, n)
	for i := range messages {
		fields := []string{
			fmt.Sprintf("Message-ID: <%d.example@mail.example.org>", i),
			fmt.Sprintf("Subject: Re: Minutes of the meeting %d, second part", i/5),
			fmt.Sprintf("From: Alice Martin %d <alice%d@example.org>", i%50, i%50),
			"To: bob@example.org, Carol <carol@example.net>",
			"Cc: board@example.org",
			fmt.Sprintf("Date: Sat, 1 Jan 2000 %02d:%02d:00 +0100", i%24, i%60),
			"Content-Type: text/plain; charset=utf-8",
		}
		if i%5 > 0 {
			fields = append(fields, fmt.Sprintf("References: <%d.example@mail.example.org>", i-i%5))
		}
		messages[i] = mail(i%1000, fields...)
		if i%3 > 0 {
			messages[i].flags = maildir.Seen
		}
	}
	return messages
}
