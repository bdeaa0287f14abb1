package imapsearch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"facteur/server/maildir"
	"facteur/server/msgindex"
)

// benchmarkRun runs a search over a mailbox and reports the time a message.
func benchmarkRun(b *testing.B, box *fakeBox, args string) { benchmarkEnv(b, box.env(), args) }

func benchmarkEnv(b *testing.B, env Env, args string) {
	p := mustParse(b, "SEARCH "+args).Program
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(context.Background(), env, p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(env.Snapshot.Len()), "ns/message")
}

// BenchmarkRecords is what records alone decide, over 50,000 messages.
func BenchmarkRecords(b *testing.B) {
	box := &fakeBox{t: b}
	x, _ := msgindex.Open(msgindex.Options{Dir: b.TempDir()})
	batch := x.Begin()
	rng := rand.New(rand.NewPCG(1, 1))
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for i := range 50000 {
		r := msgindex.Record{UID: msgindex.UID(2*i + 1), ModSeq: msgindex.ModSeq(i/10 + 1), InternalDate: uint32(start + int64(i)*1000)}
		if rng.IntN(10) > 0 {
			r.Flags = maildir.Seen
		}
		if rng.IntN(50) == 0 {
			r.Flags |= maildir.Keyword(rng.IntN(2))
		}
		r.SetSize(rng.Int64N(50000))
		batch.Append(r)
	}
	box.snap = batch.Commit(msgindex.Commit{ModSeq: 6000})
	x.Close(maildir.Stamp{})
	for _, args := range []string{
		"UNSEEN SINCE 1-Jan-2021", "UNSEEN", "KEYWORD Work", "OR FLAGGED (NOT SINCE 1-Jan-2021 LARGER 30000)",
		"UID 90000:* UNSEEN", "MODSEQ 4990", "1:25000",
	} {
		b.Run(strings.ReplaceAll(args, " ", "_"), func(b *testing.B) { benchmarkRun(b, box, args) })
	}
}

// BenchmarkFields is what cached header fields decide.
func BenchmarkFields(b *testing.B) {
	box := newFakeBox(b, benchmarkMessages(10000))
	for _, args := range []string{"SUBJECT nowhere", "FROM alice49", "HEADER Message-ID 9999.example", "SENTSINCE 2-Jan-2000", "OR SUBJECT nowhere FROM nobody"} {
		b.Run(strings.ReplaceAll(args, " ", "_"), func(b *testing.B) { benchmarkRun(b, box, args) })
	}
}

// BenchmarkFieldHolds is the comparison of one field of a summary, in one goroutine.
func BenchmarkFieldHolds(b *testing.B) {
	box := newFakeBox(b, benchmarkMessages(1))
	p := mustParse(b, "SEARCH SUBJECT nowhere").Program
	env := box.env()
	plan := newPlan(&env, box, p)
	j := newJudge(plan, box)
	b.ReportAllocs()
	for b.Loop() {
		if j.fieldsHold(box.summaries[0].Fields, &plan.fields[0]) {
			b.Fatal("found")
		}
	}
}

// BenchmarkTexts is TEXT over 2,000 messages of 10 KB: read all, and with an index
// that names 20 of them.
func BenchmarkTexts(b *testing.B) {
	messages := make([]fakeMessage, 2000)
	for i := range messages {
		m := mail(i%100, "Subject: x", "Content-Type: text/plain; charset=utf-8")
		m.raw += strings.Repeat("The quick brown fox jumps over the lazy dog, et cetera.\n", 180)
		if i%100 == 0 {
			m.raw += "needle\n"
		}
		messages[i] = m
	}
	box := newFakeBox(b, messages)
	b.Run("scanned", func(b *testing.B) { benchmarkRun(b, box, "TEXT needle") })
	var named []msgindex.UID
	for i := 0; i < len(messages); i += 100 {
		named = append(named, messages[i].uid)
	}
	b.Run("indexed", func(b *testing.B) {
		env := box.env()
		env.src = indexedBox{box, named}
		p := mustParse(b, "SEARCH TEXT needle").Program
		for b.Loop() {
			if places, err := Run(context.Background(), env, p); err != nil || len(places) != 20 {
				b.Fatal(fmt.Sprint(len(places)), err)
			}
		}
	})
}

// indexedBox has an index that knows all of its messages.
type indexedBox struct {
	*fakeBox
	named []msgindex.UID
}

func (b indexedBox) candidates([]byte) ([]msgindex.UID, msgindex.UID, bool) {
	return b.named, b.snap.UIDNext() - 1, true
}
