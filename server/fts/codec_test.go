package fts

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRice(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	lists := [][]uint32{{1}, {1<<32 - 1}, {1, 1<<32 - 1}, {1, 2, 3, 4}}
	for range 3000 {
		var uids []uint32
		uid := uint64(r.IntN(3))
		for n, span := r.IntN(700), 1+r.IntN(1<<r.IntN(24)); len(uids) <= n; {
			gap := 1 + r.IntN(span)
			if r.IntN(200) == 0 {
				gap *= 1 + r.IntN(1000)
			}
			if uid += uint64(gap); uid > 1<<32-1 {
				break
			}
			uids = append(uids, uint32(uid))
		}
		if len(uids) > 0 {
			lists = append(lists, uids)
		}
	}
	for _, uids := range lists {
		after, through := uint32(r.IntN(int(uids[0]))), uids[len(uids)-1]
		data := appendUIDs([]byte("x"), uids, after, through)[1:]
		got, err := readAll(list{len(uids), newRiceReader(data, len(uids), after, through)})
		if err != nil || !slices.Equal(got, uids) {
			t.Fatalf("%v of (%d, %d]: %v, %v", uids, after, through, got, err)
		}
		if _, err := readAll(list{len(uids), newRiceReader(data[:len(data)-1], len(uids), after, through)}); err == nil {
			t.Fatalf("%v: cut and not noticed", uids)
		}
		if through > uids[0] {
			if _, err := readAll(list{len(uids), &riceReader{data: data, k: riceBits(after, through, len(uids)), left: len(uids), last: after, through: through - 1}}); err == nil {
				t.Fatalf("%v: a UID above the range is not noticed", uids)
			}
		}
	}
}

func TestRetainAndWithout(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	some := func(n int) (uids []uint32) {
		for range r.IntN(n) {
			uids = append(uids, 1+r.Uint32N(500))
		}
		slices.Sort(uids)
		return slices.Compact(uids)
	}
	for range 3000 {
		uids, gone := some(1+r.IntN(200)), some(1+r.IntN(400))
		var want []uint32
		for _, uid := range uids {
			if !slices.Contains(gone, uid) {
				want = append(want, uid)
			}
		}
		if got := without(slices.Clone(uids), gone); !slices.Equal(got, want) {
			t.Fatalf("%v without %v: %v", uids, gone, got)
		}
		want = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return !slices.Contains(gone, uid) })
		data := appendUIDs(nil, gone, 0, 600)
		if kept, err := retain(slices.Clone(uids), list{len(gone), newRiceReader(data, len(gone), 0, 600)}); err != nil || !slices.Equal(kept, want) {
			t.Fatalf("%v in %v: %v, %v", uids, gone, kept, err)
		}
	}
}

// sample is a segment of several groups.
func sample(tb testing.TB) []byte {
	m := newMemory(100)
	text := newMail(5)
	for uid := uint32(101); uid < 112; uid++ {
		var set trigramSet
		set.addText(text.text(nil, int(uid), 300))
		m.put(uid, set.values, uid == 105)
	}
	var buf bytes.Buffer
	w := newWriter(&buf, 100, m.through)
	if err := m.write(w); err != nil {
		tb.Fatal(err)
	}
	if err := w.finish(7); err != nil {
		tb.Fatal(err)
	}
	if int64(buf.Len()) != w.size() {
		tb.Fatalf("%d octets, not %d", buf.Len(), w.size())
	}
	return buf.Bytes()
}

// mend makes the checksums of a segment right, so that a fuzzer comes past them.
func mend(data []byte) {
	if len(data) < trailerLen {
		return
	}
	le := binary.LittleEndian
	end := data[len(data)-trailerLen:]
	copy(end, magic)
	at := int64(le.Uint64(end[len(magic)+20:]))
	if size := int64(len(data) - trailerLen); at >= 0 && at <= size {
		dir := data[at:size]
		le.PutUint64(end[len(magic)+28:], uint64(len(dir)))
		r := &reader{dir: dir[:len(dir)&^7], trailer: trailer{dirOff: at}}
		for i := range r.groups() {
			_, from := r.bounds(i)
			if _, to := r.bounds(i + 1); from+4 <= to && to <= at {
				le.PutUint32(data[to-4:], crc32.Checksum(data[from:to-4], castagnoli))
			}
		}
		le.PutUint32(end[len(magic)+36:], crc32.Checksum(dir, castagnoli))
	}
	le.PutUint32(end[trailerLen-4:], crc32.Checksum(end[:trailerLen-4], castagnoli))
}

// FuzzSegment reads what is not a segment, or a wrong one.
func FuzzSegment(f *testing.F) {
	f.Add(sample(f), true, uint32(0x746865))
	f.Fuzz(func(t *testing.T, data []byte, mended bool, key uint32) {
		data = bytes.Clone(data)
		if mended {
			mend(data)
		}
		r, err := newReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		uids, err := r.uids(key)
		inOrder(t, r, uids, err)
		q := query{keys: []uint32{key % keyAll}}
		uids, err = q.read(r)
		inOrder(t, r, uids, err)
		c := &cursor{r: r}
		if r.groups() == 0 || r.load(0) != nil {
			return
		}
		for last := uint32(0); c.key() != keyEnd; {
			if c.key() < last {
				t.Fatalf("key %d after %d", c.key(), last)
			}
			last = c.key()
			uids, err := c.take(nil)
			if err != nil {
				return
			}
			inOrder(t, r, uids, nil)
		}
	})
}

func inOrder(t *testing.T, r *reader, uids []uint32, err error) {
	t.Helper()
	last := r.after
	for _, uid := range uids {
		if err != nil || uid <= last || uid > r.through {
			t.Fatalf("%v in (%d, %d], %v", uids, r.after, r.through, err)
		}
		last = uid
	}
}

// TestSample checks that what the fuzzer begins with is worth it.
func TestSample(t *testing.T) {
	data := sample(t)
	r, err := newReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if r.groups() < 3 {
		t.Fatalf("%d groups", r.groups())
	}
	all, err := r.uids(keyAll)
	if err != nil || len(all) != 11 {
		t.Fatalf("%v %v", all, err)
	}
	if every, err := r.uids(keyEvery); err != nil || !slices.Equal(every, []uint32{105}) {
		t.Fatalf("%v %v", every, err)
	}
}
