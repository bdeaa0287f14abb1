package imapsearch

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/imapwire"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// naive tells whether a message matches a key, the long way.
func naive(b *fakeBox, env *Env, k *key, i int) bool {
	m := &b.messages[i]
	switch k.op {
	case opAll:
		return true
	case opAnd:
		return !slices.ContainsFunc(k.keys, func(k key) bool { return !naive(b, env, &k, i) })
	case opOr:
		return slices.ContainsFunc(k.keys, func(k key) bool { return naive(b, env, &k, i) })
	case opNot:
		return !naive(b, env, &k.keys[0], i)
	case opNumbers:
		return k.set.Resolve(uint32(len(b.messages))).Contains(uint32(i + 1))
	case opUIDs:
		return k.set.Resolve(uint32(b.messages[len(b.messages)-1].uid)).Contains(uint32(m.uid))
	case opSaved:
		return env.Saved.Contains(uint32(m.uid))
	case opFlag:
		if flag, ok := systemFlags[k.word]; ok {
			return m.flags&flag != 0
		}
		return slices.ContainsFunc(b.flags(env.Snapshot.At(i)), func(f string) bool { return strings.EqualFold(f, k.word) })
	case opRecent:
		return env.Recent.Contains(uint32(m.uid))
	case opOlder:
		return !m.internal.After(env.Now.Add(-time.Duration(k.number) * time.Second))
	case opYounger:
		return !m.internal.Before(env.Now.Add(-time.Duration(k.number) * time.Second))
	case opLarger:
		return uint64(len(m.raw)) > k.number
	case opSmaller:
		return uint64(len(m.raw)) < k.number
	case opModSeq:
		return uint64(m.modSeq) >= k.number
	case opEmailID:
		return EmailID(b.summaries[i].EmailID) == k.word
	case opField, opBody, opText:
		return naiveText(b, k, i)
	case opNone:
		return false
	}
	return naiveDate(k, m, env.zone())
}

func naiveText(b *fakeBox, k *key, i int) bool {
	if k.op != opField {
		return bytes.Contains(b.text(i, k.op), k.text)
	}
	h, err := message.ReadHeader(strings.NewReader(b.messages[i].raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.ContainsFunc(h.Values(k.word), func(v string) bool {
		return bytes.Contains(message.Fold(nil, []byte(v)), k.text)
	})
}

func naiveDate(k *key, m *fakeMessage, zone *time.Location) bool {
	date := m.internal.In(zone)
	switch k.op {
	case opSavedBefore, opSavedOn, opSavedSince:
		if !m.saved.IsZero() {
			date = m.saved.In(zone)
		}
	case opSentBefore, opSentOn, opSentSince:
		h, err := message.ReadHeader(strings.NewReader(m.raw))
		if err != nil {
			return false
		}
		if date = h.Date(); date.IsZero() {
			return false
		}
	}
	day := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, time.UTC)
	switch k.op {
	case opBefore, opSavedBefore, opSentBefore:
		return day.Before(k.date)
	case opOn, opSavedOn, opSentOn:
		return day.Equal(k.date)
	}
	return !day.Before(k.date)
}

// chance makes messages and programs.
type chance struct{ *rand.Rand }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

func (c chance) word() string {
	return pick(c, "alpha", "Alpha", "STRASSE", "straße", "Ünïcode", "re", "x", "ab", "long word", "ﬁsh", "fish", "ΣΊΣΥΦΟΣ", "日本語", "e\u0301", "é")
}

func (c chance) words() string {
	var words []string
	for range c.IntN(6) {
		words = append(words, c.word())
	}
	return strings.Join(words, " ")
}

func (c chance) day() time.Time {
	return time.Date(2024, 1, 1+c.IntN(8), c.IntN(24), c.IntN(60), c.IntN(60), 0, time.UTC)
}

// value is the value of a header field, raw.
func (c chance) value() string {
	words := c.words()
	switch c.IntN(4) {
	case 0:
		return words
	case 1:
		return strings.ReplaceAll(words, " ", "\n ")
	case 2:
		return "=?utf-8?q?" + encodeQ(words) + "?="
	}
	return strings.ToUpper(words)
}

// encodeQ is the Q encoding of RFC 2047.
func encodeQ(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "=%02X", s[i])
	}
	return b.String()
}

func (c chance) message(uid msgindex.UID) fakeMessage {
	m := fakeMessage{uid: uid, flags: maildir.Flags(c.IntN(1 << 9)), more: uint32(c.IntN(3)), modSeq: msgindex.ModSeq(1 + c.IntN(20)), internal: c.day()}
	if c.IntN(2) == 0 {
		m.saved = c.day()
	}
	var raw strings.Builder
	for range c.IntN(6) {
		fmt.Fprintf(&raw, "%s: %s\n", pick(c, "From", "To", "Cc", "Subject", "subject", "X-Note", "x-note", "Bcc"), c.value())
	}
	if c.IntN(3) > 0 {
		fmt.Fprintf(&raw, "Date: %s\n", c.day().Add(time.Hour).In(time.FixedZone("", (c.IntN(24)-12)*3600)).Format(time.RFC1123Z))
	}
	if c.IntN(20) == 0 { // more than a summary keeps
		for range 40 {
			fmt.Fprintf(&raw, "Subject: %s\n", strings.Repeat("filler ", 150))
		}
	}
	raw.WriteString("Content-Type: text/plain; charset=utf-8\n\n" + c.words() + "\n" + c.words() + "\n")
	m.raw = raw.String()
	return m
}

func (c chance) key(depth int, b *fakeBox) key {
	if depth > 0 && c.IntN(3) == 0 {
		k := key{op: pick(c, opAnd, opOr, opNot)}
		n := 1
		if k.op != opNot {
			n += c.IntN(3)
		}
		for range n {
			k.keys = append(k.keys, c.key(depth-1, b))
		}
		return k
	}
	k := key{op: op(c.IntN(int(opText) + 1)), number: uint64(c.IntN(25)), date: time.Date(2024, 1, c.IntN(10), 0, 0, 0, 0, time.UTC)}
	switch k.op {
	case opAnd, opOr, opNot:
		return key{op: opAll}
	case opNumbers, opUIDs:
		for range 1 + c.IntN(3) {
			k.set = append(k.set, imapwire.Range{Start: uint32(c.IntN(40)), Stop: uint32(c.IntN(40))})
		}
	case opFlag:
		k.word = pick(c, `\SEEN`, `\FLAGGED`, `\DELETED`, `\DRAFT`, `\ANSWERED`, "work", "Later", "$forwarded", "more1", "none")
	case opLarger, opSmaller:
		k.number = uint64(c.IntN(400))
	case opOlder, opYounger:
		k.number = uint64(c.IntN(10 * 86400))
	case opEmailID:
		k.word = EmailID(b.summaries[c.IntN(len(b.summaries))].EmailID)
	case opField, opBody, opText:
		k.word = pick(c, "FROM", "To", "SUBJECT", "X-Note", "Cc", "Bcc")
		k.text = message.Fold(nil, []byte(c.word()))
	}
	return k
}

// Whatever the index knows, the answer is that of a plain reading.
func TestRunIsNaive(t *testing.T) {
	c := chance{rand.New(rand.NewPCG(3, 4))}
	hits := 0
	for round := range 25 {
		var messages []fakeMessage
		uid := msgindex.UID(0)
		for range 1 + c.IntN(150) {
			uid += msgindex.UID(1 + c.IntN(2))
			messages = append(messages, c.message(uid))
		}
		b := newFakeBox(t, messages)
		for range 40 {
			env := b.env()
			env.Now = time.Date(2024, 1, 9, 0, 0, 0, 0, time.UTC)
			env.Zone = time.FixedZone("", (c.IntN(24)-12)*3600)
			env.Recent = imapwire.NumSet{{Start: 1 + uint32(c.IntN(40)), Stop: 60}}
			env.Saved = imapwire.NumSet{{Start: 1 + uint32(c.IntN(20)), Stop: 1}, {Start: 30, Stop: 35}}.Resolve(0)
			b.through = msgindex.UID(c.IntN(int(uid) + 10))
			wrong := c.IntN(5)
			b.extra = func(u msgindex.UID) bool { return int(u)%5 == wrong }
			k := key{op: opAnd}
			for range 1 + c.IntN(3) {
				k.keys = append(k.keys, c.key(3, b))
			}
			var want []int
			for i := range messages {
				if naive(b, &env, &k, i) {
					want = append(want, i)
				}
			}
			got, err := Run(context.Background(), env, &Program{root: k})
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("round %d: %s\n got %v, %v\nwant %v", round, k, got, err, want)
			}
			hits += len(want)
		}
	}
	if hits < 500 {
		t.Errorf("only %d messages were found", hits)
	}
}
