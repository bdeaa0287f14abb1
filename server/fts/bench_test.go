package fts

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// mail makes text like that of folded mail, always the same: header fields with
// ids and dates, words of a vocabulary by Zipf's law, quotes, links, numbers.
type mail struct {
	r     *rand.Rand
	zipf  *rand.Zipf
	words []string
}

func newMail(seed uint64) *mail {
	r := rand.New(rand.NewPCG(seed, 1))
	const common, rare = "etaoinshrdlucmfwypvbgkjqxz", "éèàçüößñøœ"
	letter := rand.NewZipf(r, 1.3, 6, uint64(len(common)-1))
	m := &mail{r: r, zipf: rand.NewZipf(r, 1.15, 3, 79_999), words: make([]string, 80_000)}
	for i := range m.words {
		var w []rune
		for range 1 + min(i, 2) + r.IntN(5) + r.IntN(5) {
			if r.IntN(60) == 0 {
				w = append(w, []rune(rare)[r.IntN(10)])
			} else {
				w = append(w, rune(common[letter.Uint64()]))
			}
		}
		m.words[i] = string(w)
	}
	return m
}

func (m *mail) word() string { return m.words[m.zipf.Uint64()] }

// long is a word of at least 9 octets that is no more frequent than the one at i.
func (m *mail) long(i int) string {
	for len(m.words[i]) < 9 {
		i++
	}
	return m.words[i]
}

// text appends a message of about size octets.
func (m *mail) text(dst []byte, n, size int) []byte {
	start := len(dst)
	name := m.words[500+m.r.IntN(300)]
	dst = fmt.Appendf(dst, "from: %s %s <%s@%s.example>\nmessage-id: <%x.%d@%s.example>\ndate: %s\nsubject: re: %s %s %s\n", name, m.word(), name, m.words[900+m.r.IntN(40)],
		m.r.Uint64(), n, m.words[900+m.r.IntN(40)], time.Unix(int64(1.5e9)+int64(n)*977, 0).UTC().Format("mon, 02 jan 2006 15:04:05 -0700"), m.word(), m.word(), m.word())
	for line := 0; len(dst)-start < size; line++ {
		switch m.r.IntN(30) {
		case 0:
			dst = fmt.Appendf(dst, "https://www.%s.example/%s/%s?id=%x\n", m.words[900+m.r.IntN(40)], m.word(), m.word(), m.r.Uint32())
		case 1:
			dst = fmt.Appendf(dst, "%s: %d.%02d eur\n", m.word(), m.r.IntN(2000), m.r.IntN(100))
		case 2:
			dst = append(dst, "> "...)
		default:
			for range 11 {
				dst = append(append(dst, m.word()...), ' ')
			}
			dst = append(dst, ".\n"...)
		}
	}
	return dst[:start+size]
}

const benchSize = 20_000

// fill adds messages until through.
func fill(tb testing.TB, x *Index, m *mail, through uint32) {
	var text []byte
	for uid := x.Through() + 1; uid <= through; uid++ {
		text = m.text(text[:0], int(uid), benchSize)
		if uid%5000 == 77 {
			text = fmt.Appendf(text, " zqxjkv%d wonderfully ", uid)
		}
		if err := x.Add(uid, text); err != nil {
			tb.Fatal(err)
		}
		if err := x.Done(uid); err != nil {
			tb.Fatal(err)
		}
	}
}

func dirSize(tb testing.TB, dir string) (total int64, files int) {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			tb.Fatal(err)
		}
		total += info.Size()
	}
	return total, len(names)
}

// BenchmarkAdd indexes messages of 20 KB, with writing and merging.
func BenchmarkAdd(b *testing.B) {
	m := newMail(1)
	texts := make([][]byte, 2000)
	for i := range texts {
		texts[i] = m.text(nil, i, benchSize)
	}
	dir := b.TempDir()
	x := Open(Options{Dir: dir})
	uid := uint32(0)
	b.SetBytes(benchSize)
	b.ResetTimer()
	for b.Loop() {
		if err := x.Add(uid+1, texts[int(uid)%len(texts)]); err != nil {
			b.Fatal(err)
		}
		uid++
		if err := x.Done(uid); err != nil {
			b.Fatal(err)
		}
	}
	if err := x.Flush(); err != nil {
		b.Fatal(err)
	}
	x.waitMerge()
	b.StopTimer()
	size, files := dirSize(b, dir)
	b.ReportMetric(float64(size)/(float64(uid)*benchSize), "index/text")
	b.ReportMetric(float64(files), "files")
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCandidates asks an index of 50,000 messages of 20 KB (-short: 5,000).
func BenchmarkCandidates(b *testing.B) {
	messages := uint32(50_000)
	if testing.Short() {
		messages = 5000
	}
	dir := b.TempDir()
	x := Open(Options{Dir: dir})
	m := newMail(1)
	start := time.Now()
	fill(b, x, m, messages)
	if err := x.Flush(); err != nil {
		b.Fatal(err)
	}
	x.waitMerge()
	size, files := dirSize(b, dir)
	b.Logf("%d messages of %d octets, made and indexed in %v; index/text %.3f in %d files", messages, benchSize, time.Since(start), float64(size)/float64(messages)/benchSize, files)
	for _, q := range []struct{ name, text string }{
		{"once", "zqxjkv77"}, {"rare", "wonderfully"}, {"rareWord", m.long(60_000)}, {"word", m.words[3000]},
		{"common", m.words[20]}, {"sentence", m.word() + " " + m.long(5000) + " " + m.word()}, {"trigram", "the"}, {"absent", "qqqqqqqqq"},
	} {
		b.Run(q.name, func(b *testing.B) {
			var n int
			for b.Loop() {
				uids, _, ok := x.Candidates([]byte(q.text))
				if !ok {
					b.Fatal("can't tell")
				}
				n = len(uids)
			}
			b.ReportMetric(float64(n), "candidates")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/query")
		})
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}
