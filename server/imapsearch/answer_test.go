package imapsearch

import (
	"bytes"
	"slices"
	"testing"

	"facteur/server/imapwire"
	"facteur/server/msgindex"
)

// answerOf makes the answer to a command that found these messages of a mailbox.
func answerOf(t *testing.T, line string, s *msgindex.Snapshot, places ...int) *Answer {
	return &Answer{command: mustParse(t, line), snapshot: s, places: places}
}

func written(write func(*imapwire.Encoder)) string {
	var out bytes.Buffer
	e := imapwire.NewEncoder(&out, nil)
	write(e)
	if err := e.Flush(); err != nil {
		return err.Error()
	}
	return out.String()
}

// uidsBox is a mailbox with these UIDs; each MODSEQ is 900000000 and the UID.
func uidsBox(t *testing.T, uids ...msgindex.UID) *msgindex.Snapshot {
	var messages []fakeMessage
	for _, uid := range uids {
		messages = append(messages, fakeMessage{uid: uid, modSeq: 900000000 + msgindex.ModSeq(uid)})
	}
	return newFakeBox(t, messages).snapshot()
}

func TestWrite(t *testing.T) {
	s := uidsBox(t, 3, 4, 7, 8, 9, 20, 21, 23, 40)
	tests := []struct {
		line   string
		form   Form
		places []int
		want   string
	}{
		{"SEARCH SEEN", Form{}, []int{1, 3, 5}, "* SEARCH 2 4 6\r\n"},
		{"UID SEARCH SEEN", Form{UID: true}, []int{1, 3, 5}, "* SEARCH 4 8 20\r\n"},
		{"SEARCH SEEN", Form{}, nil, "* SEARCH\r\n"},
		{"SEARCH MODSEQ 1", Form{}, []int{1, 3, 5}, "* SEARCH 2 4 6 (MODSEQ 900000020)\r\n"}, // RFC 7162 3.1.5
		{"SEARCH MODSEQ 1", Form{}, nil, "* SEARCH\r\n"},
		{"SEARCH SEEN", Form{Tag: "A1", Extended: true}, []int{1, 2, 3, 5}, "* ESEARCH (TAG \"A1\") ALL 2:4,6\r\n"}, // RFC 9051 6.4.4
		{"SEARCH SEEN", Form{Tag: "A1", Extended: true}, nil, "* ESEARCH (TAG \"A1\")\r\n"},
		{"SEARCH RETURN (MIN COUNT) SEEN", Form{Tag: "A282"}, []int{1, 4, 5}, "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3\r\n"}, // RFC 4731 3.1
		{"SEARCH RETURN () SEEN", Form{Tag: "A283"}, []int{1, 7, 8}, "* ESEARCH (TAG \"A283\") ALL 2,8:9\r\n"},
		{"UID SEARCH RETURN (MIN MAX) SEEN", Form{Tag: "A285", UID: true}, []int{2, 5, 7}, "* ESEARCH (TAG \"A285\") UID MIN 7 MAX 23\r\n"},
		{"SEARCH RETURN (MIN MAX ALL COUNT) SEEN", Form{Tag: "A"}, nil, "* ESEARCH (TAG \"A\") COUNT 0\r\n"},
		{"SEARCH RETURN (SAVE) SEEN", Form{Tag: "A"}, []int{1}, ""}, // RFC 5182 1
		{"SEARCH RETURN (SAVE COUNT) SEEN", Form{Tag: "A"}, []int{1}, "* ESEARCH (TAG \"A\") COUNT 1\r\n"},
		{"SEARCH RETURN (MIN) MODSEQ 1", Form{Tag: "a1"}, []int{1, 3, 5}, "* ESEARCH (TAG \"a1\") MIN 2 MODSEQ 900000004\r\n"}, // RFC 4731 3.2
		{"SEARCH RETURN (MAX) MODSEQ 1", Form{Tag: "a2"}, []int{1, 3, 5}, "* ESEARCH (TAG \"a2\") MAX 6 MODSEQ 900000020\r\n"},
		{"SEARCH RETURN (MIN COUNT) MODSEQ 1", Form{Tag: "a4"}, []int{1, 3, 5}, "* ESEARCH (TAG \"a4\") MIN 2 COUNT 3 MODSEQ 900000020\r\n"},
		{"SEARCH RETURN (PARTIAL 1:2) MODSEQ 1", Form{Tag: "a"}, []int{1, 3, 5}, "* ESEARCH (TAG \"a\") PARTIAL (1:2 2,4) MODSEQ 900000008\r\n"},
		{"UID SEARCH RETURN (PARTIAL -1:-100) SEEN", Form{Tag: "A01", UID: true}, []int{1, 3, 5}, "* ESEARCH (TAG \"A01\") UID PARTIAL (-1:-100 4,8,20)\r\n"}, // RFC 9394 3.1
		{"UID SEARCH RETURN (PARTIAL 24000:24500) SEEN", Form{Tag: "A04", UID: true}, []int{1, 3}, "* ESEARCH (TAG \"A04\") UID PARTIAL (24000:24500 NIL)\r\n"},
		{"SEARCH RETURN (PARTIAL 3:2 COUNT) SEEN", Form{Tag: "a"}, []int{1, 3, 5, 8}, "* ESEARCH (TAG \"a\") COUNT 4 PARTIAL (3:2 4,6)\r\n"},
		{"SORT (SUBJECT) UTF-8 SEEN", Form{}, []int{4, 2, 3, 0, 1}, "* SORT 5 3 4 1 2\r\n"}, // RFC 5256 3
		{"SORT (SUBJECT) UTF-8 SEEN", Form{Extended: true}, nil, "* SORT\r\n"},
		{"SORT (SUBJECT) UTF-8 MODSEQ 1", Form{UID: true}, []int{4, 2}, "* SORT 9 7 (MODSEQ 900000009)\r\n"},
		{"UID SORT RETURN () (REVERSE DATE) UTF-8 SEEN", Form{Tag: "E01", UID: true}, []int{4, 3, 2, 5, 6, 1}, "* ESEARCH (TAG \"E01\") UID ALL 9,8,7,20:21,4\r\n"}, // RFC 5267 3.3
		{"SORT RETURN (MIN MAX) (SIZE) UTF-8 SEEN", Form{Tag: "E"}, []int{4, 3, 2}, "* ESEARCH (TAG \"E\") MIN 5 MAX 3\r\n"},
		{"ESEARCH IN (personal) unseen", Form{Tag: "tag1", Mailbox: "folder1", UIDValidity: 1}, []int{0, 1, 3}, "* ESEARCH (TAG \"tag1\" MAILBOX folder1 UIDVALIDITY 1) UID ALL 3:4,8\r\n"}, // RFC 7377 3
		{"ESEARCH IN (personal) RETURN (COUNT) unseen", Form{Tag: "tag1", Mailbox: "x", UIDValidity: 1}, nil, ""},
	}
	for _, test := range tests {
		a := answerOf(t, test.line, s, test.places...)
		if got := written(func(e *imapwire.Encoder) { a.Write(e, test.form) }); got != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.line, got, test.want)
		}
	}
}

func TestSaved(t *testing.T) {
	s := uidsBox(t, 3, 4, 7, 8, 9, 20)
	all := []int{0, 1, 2, 4, 5}
	tests := []struct{ options, want string }{
		{"SAVE", "3:4,7,9,20"},
		{"SAVE MIN", "3"}, // RFC 5182 2.4
		{"SAVE MAX", "20"},
		{"SAVE MIN MAX", "3,20"},
		{"SAVE ALL MIN", "3:4,7,9,20"},
		{"SAVE COUNT MAX", "3:4,7,9,20"},
		{"SAVE PARTIAL 2:3", "4,7"}, // RFC 9394 3.2
		{"SAVE PARTIAL 2:3 MIN", "3:4,7"},
		{"SAVE PARTIAL 2:3 MAX", "4,7,20"},
		{"SAVE PARTIAL -1:-2 MIN MAX", "3,9,20"},
		{"SAVE PARTIAL 2:3 COUNT MIN", "3:4,7,9,20"},
		{"SAVE PARTIAL 20:30", "$"}, // none
	}
	for _, test := range tests {
		a := answerOf(t, "SEARCH RETURN ("+test.options+") SEEN", s, all...)
		if got, ok := a.Saved(); !ok || got.String() != test.want {
			t.Errorf("%s: %s, %v, want %s", test.options, got, ok, test.want)
		}
	}
	if got, ok := answerOf(t, "SEARCH RETURN (SAVE MIN) SEEN", s).Saved(); !ok || len(got) != 0 {
		t.Errorf("nothing found: %v, %v", got, ok)
	}
	if _, ok := answerOf(t, "SEARCH RETURN (MIN) SEEN", s, 1).Saved(); ok {
		t.Error("saved without SAVE")
	}
	sorted := answerOf(t, "SORT RETURN (SAVE MIN) (SIZE) UTF-8 SEEN", s, 4, 1, 2)
	if got, _ := sorted.Saved(); got.String() != "9" {
		t.Errorf("MIN of SORT: %s", got)
	}
}

func TestPartialPlaces(t *testing.T) {
	tests := []struct {
		p        Partial
		n        int
		from, to int
	}{
		{Partial{1, 500, false}, 800, 0, 500},
		{Partial{501, 1000, false}, 800, 500, 800},
		{Partial{1000, 501, false}, 800, 500, 800},
		{Partial{801, 900, false}, 800, 800, 800},
		{Partial{1, 1, true}, 800, 799, 800},
		{Partial{1, 100, true}, 800, 700, 800},
		{Partial{100, 1, true}, 50, 0, 50},
		{Partial{51, 100, true}, 50, 0, 0},
		{Partial{1<<32 - 1, 1<<32 - 1, false}, 3, 3, 3},
	}
	for _, test := range tests {
		if from, to := test.p.Places(test.n); from != test.from || to != test.to {
			t.Errorf("%+v of %d: %d to %d, want %d to %d", test.p, test.n, from, to, test.from, test.to)
		}
	}
}

func TestWriteThreads(t *testing.T) {
	a := func(n int, children ...*article) *article {
		x := &article{children: children}
		if n > 0 {
			x.post = &post{place: n}
		}
		return x
	}
	tests := []struct {
		roots []*article
		want  string
	}{
		{nil, ""},
		// RFC 5256 4, THREAD response
		{[]*article{a(2), a(3, a(6, a(4, a(23)), a(44, a(7, a(96)))))}, "(2)(3 6 (4 23)(44 7 96))"},
		{[]*article{a(0, a(3), a(5))}, "((3)(5))"},
		{[]*article{a(0, a(177), a(183), a(188, a(184), a(189)), a(185, a(186)), a(187)), a(190)}, "((177)(183)(188 (184)(189))(185 186)(187))(190)"},
	}
	for _, test := range tests {
		got := written(func(e *imapwire.Encoder) { writeThreads(e, test.roots, func(p int) uint32 { return uint32(p) }) })
		if got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestPicksAreInRange(t *testing.T) {
	r := Return{Given: true, Min: true, Max: true, Partial: &Partial{2, 3, false}}
	var got []int
	r.picks(1, func(from, to int) {
		for i := from; i < to; i++ {
			got = append(got, i)
		}
	})
	if !slices.Equal(got, []int{0, 0}) {
		t.Errorf("%v", got)
	}
}
