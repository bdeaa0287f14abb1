package imapsearch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// fakeMessage is a message of a fakeBox.
type fakeMessage struct {
	uid      msgindex.UID
	flags    maildir.Flags
	more     uint32
	modSeq   msgindex.ModSeq
	internal time.Time
	saved    time.Time
	gone     bool
	raw      string // with LF line ends
}

// fakeBox is a mailbox in memory, with an index of the text that knows the
// messages up to a UID and names too many.
type fakeBox struct {
	t         testing.TB
	messages  []fakeMessage
	byUID     map[msgindex.UID]int
	summaries []message.Summary
	snap      *msgindex.Snapshot
	through   msgindex.UID
	extra     func(msgindex.UID) bool // named wrongly
}

var keywordNames = []string{"$Forwarded", "Work", "Later"}

func newFakeBox(t testing.TB, messages []fakeMessage) *fakeBox {
	b := &fakeBox{t: t, messages: messages, byUID: make(map[msgindex.UID]int)}
	x, _ := msgindex.Open(msgindex.Options{Dir: t.TempDir()})
	batch := x.Begin()
	for i := range messages {
		m := &b.messages[i]
		if m.uid == 0 {
			m.uid = msgindex.UID(i + 1)
		}
		m.raw = strings.ReplaceAll(m.raw, "\n", "\r\n")
		s, err := message.Summarize(strings.NewReader(m.raw), int64(len(m.raw)))
		if err != nil {
			t.Fatal(err)
		}
		b.summaries = append(b.summaries, s)
		b.byUID[m.uid] = i
		r := msgindex.Record{UID: m.uid, Flags: m.flags, More: m.more, ModSeq: m.modSeq}
		if !m.internal.IsZero() {
			r.InternalDate = uint32(m.internal.Unix())
		}
		if !m.saved.IsZero() {
			r.SaveDate = uint32(m.saved.Unix())
		}
		r.SetSize(int64(len(m.raw)))
		batch.Append(r)
	}
	b.snap = batch.Commit(msgindex.Commit{})
	x.Close(maildir.Stamp{})
	return b
}

func (b *fakeBox) snapshot() *msgindex.Snapshot { return b.snap }

func (b *fakeBox) env() Env {
	return Env{Snapshot: b.snap, Now: time.Unix(1_700_000_000, 0), src: b}
}

func (b *fakeBox) flags(r *msgindex.Record) []string {
	var names []string
	for i, name := range keywordNames[1:] {
		if r.Flags&maildir.Keyword(i) != 0 {
			names = append(names, name)
		}
	}
	if r.Flags&maildir.Passed != 0 {
		names = append(names, keywordNames[0])
	}
	if r.More != 0 {
		names = append(names, fmt.Sprint("more", r.More))
	}
	return names
}

func (b *fakeBox) candidates(folded []byte) (uids []msgindex.UID, through msgindex.UID, ok bool) {
	if len(folded) < 3 || b.through == 0 {
		return nil, 0, false
	}
	for i, m := range b.messages {
		if m.uid <= b.through && (b.extra != nil && b.extra(m.uid) || bytes.Contains(b.text(i, opText), folded)) {
			uids = append(uids, m.uid)
		}
	}
	return uids, b.through, true
}

// text returns all the folded text of a message, a NUL between its pieces.
func (b *fakeBox) text(i int, what op) []byte {
	var all []byte
	m := &b.messages[i]
	err := message.Words(strings.NewReader(m.raw), int64(len(m.raw)), func(kind message.TextKind, text []byte) error {
		if kind == message.BodyText || what == opText {
			all = append(message.Fold(all, text), 0)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *fakeBox) reader() reader { return fakeReader{b} }

type fakeReader struct{ b *fakeBox }

func (r fakeReader) at(rec *msgindex.Record) (int, error) {
	i := r.b.byUID[rec.UID]
	if r.b.messages[i].gone {
		return 0, fault.New(fault.NotFound, "")
	}
	return i, nil
}

func (r fakeReader) summary(rec *msgindex.Record) (*message.Summary, error) {
	i, err := r.at(rec)
	if err != nil {
		return nil, err
	}
	return &r.b.summaries[i], nil
}

func (r fakeReader) open(rec *msgindex.Record) (content, error) {
	i, err := r.at(rec)
	if err != nil {
		return nil, err
	}
	return fakeContent{strings.NewReader(r.b.messages[i].raw)}, nil
}

func (fakeReader) close() {}

type fakeContent struct{ *strings.Reader }

func (fakeContent) Close() error { return nil }
