package msgindex

import (
	"reflect"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"facteur/server/maildir"
)

// memory returns an index without files.
func memory() *Index {
	x := &Index{closed: true}
	x.snap.Store(&Snapshot{next: 1, recent: 1, floor: unknownFloor})
	return x
}

func TestRecordSize(t *testing.T) {
	if n := unsafe.Sizeof(Record{}); n != recordSize {
		t.Fatalf("a record has %d octets", n)
	}
	typ := reflect.TypeFor[Record]()
	for i := range typ.NumField() {
		if k := typ.Field(i).Type.Kind(); k != reflect.Uint64 && k != reflect.Uint32 {
			t.Errorf("field %s is a %v", typ.Field(i).Name, k)
		}
	}
}

func TestRecordFields(t *testing.T) {
	var r Record
	r.SetMarks(InNew | Exact)
	r.SetSize(1<<48 - 1)
	if !r.Has(InNew) || !r.Has(InNew|Exact) || r.Has(Missing) || r.Has(InNew|Missing) || r.Size() != 1<<48-1 {
		t.Errorf("marks %b, size %d", r.Marks(), r.Size())
	}
	r.SetSize(-1)
	r.SetMarks(Missing)
	if r.Size() != 0 || r.Marks() != Missing {
		t.Errorf("marks %b, size %d", r.Marks(), r.Size())
	}
	ref := newRef(maxOffset, maxEntry)
	if ref.offset() != maxOffset || ref.Len() != maxEntry {
		t.Errorf("%d, %d", ref.offset(), ref.Len())
	}
}

// TestModel makes random batches and compares each snapshot with a model, and
// Diff between snapshots of any age with one that compares all.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		d := newDriver(t, seed, memory())
		type kept struct {
			s    *Snapshot
			text string
		}
		keep := []kept{{d.x.Snapshot(), contents(d.x.Snapshot())}}
		for step := range 150 {
			var s *Snapshot
			switch n := d.rng.IntN(100); {
			case n < 40:
				s = d.step(0, 0, 1+d.rng.IntN(4))
			case n < 55:
				s = d.step(d.rng.IntN(5), d.rng.IntN(3), d.rng.IntN(3))
			case n < 75:
				s = d.step(0, d.rng.IntN(120), 0)
			case n < 90:
				s = d.step(d.rng.IntN(40), 0, d.rng.IntN(200))
			case n < 94:
				s = d.step(0, len(d.m.recs), 1)
			default:
				s = d.step(0, 0, d.rng.IntN(700))
			}
			d.check(s)
			for _, k := range keep {
				if got, want := Diff(k.s, s), naiveDiff(k.s, s); !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d, step %d: Diff is %v, want %v", seed, step, got, want)
				}
				checkRefresh(t, k.s, s)
			}
			if d.rng.IntN(20) == 0 {
				keep = append(keep, kept{s, contents(s)})
				if len(keep) > 3 {
					keep = keep[1:]
				}
			}
		}
		for _, k := range keep {
			if contents(k.s) != k.text {
				t.Fatalf("seed %d: a snapshot has changed", seed)
			}
		}
	}
}

// checkRefresh compares Refresh with looking at each message.
func checkRefresh(t *testing.T, old, now *Snapshot) {
	t.Helper()
	got := Refresh(old, now)
	if got.Len() != old.Len() {
		t.Fatalf("Refresh has %d messages, not %d", got.Len(), old.Len())
	}
	for i, r := range got.Range(0, got.Len()) {
		want := *old.At(i)
		if k, ok := now.Find(want.UID); ok {
			want = *now.At(k)
		}
		if r.UID != want.UID || r.differs(&want) {
			t.Fatalf("Refresh has %+v at %d, want %+v", *r, i, want)
		}
	}
}

func TestDiffTouchesOnlyWhatChanged(t *testing.T) {
	d := newDriver(t, 1, memory())
	d.fill(100 * chunkSize)
	old := d.x.Snapshot()
	s := d.step(3, 2, 5)
	same := 0
	for k := range s.spans {
		if k < len(old.spans) && s.spans[k].chunk == old.spans[k].chunk {
			same++
		}
	}
	if same < 94 {
		t.Errorf("%d of 100 chunks are shared", same)
	}
	if got, want := Diff(old, s), naiveDiff(old, s); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSparse removes most of a mailbox: the chunks that are left are merged.
func TestSparse(t *testing.T) {
	d := newDriver(t, 1, memory())
	s := d.fill(50 * chunkSize)
	for left := s.Len(); left > 100; left = s.Len() {
		b := d.x.Begin()
		var recs []Record
		for i := range d.m.recs {
			if i%3 == 0 {
				b.Remove(i)
			} else {
				recs = append(recs, d.m.recs[i])
			}
		}
		d.m.recs = recs
		d.m.modSeq++
		s = d.commit(b)
		d.check(s)
		if need := s.Len()/chunkSize + 1; len(s.spans) > 2*need+2 {
			t.Fatalf("%d chunks for %d messages", len(s.spans), s.Len())
		}
	}
}

// TestDiffInserted: no batch puts a message into the middle, but when Reset does,
// the sequence numbers that follow from Diff are still those of new.
func TestDiffInserted(t *testing.T) {
	x := memory()
	commit := func(uids ...UID) *Snapshot {
		b := x.Begin()
		var recs []Record
		for _, uid := range uids {
			recs = append(recs, Record{UID: uid})
		}
		b.Reset(recs)
		return b.Commit(Commit{})
	}
	for _, test := range []struct{ old, new []UID }{
		{[]UID{1, 3, 5}, []UID{1, 2, 3, 5}},
		{[]UID{3, 5}, []UID{1}},
		{nil, []UID{1, 2}},
		{[]UID{1, 2}, nil},
		{[]UID{2, 3}, []UID{1, 2, 3, 4}},
	} {
		old, new := commit(test.old...), commit(test.new...)
		c := Diff(old, new)
		if old.Len()-len(c.Gone)+c.Added != new.Len() {
			t.Errorf("%v to %v: %v", test.old, test.new, c)
		}
	}
}

func TestVanishedBound(t *testing.T) {
	x := memory()
	b := x.Begin()
	var recs []Record
	for i := range 3 * maxVanished {
		recs = append(recs, Record{UID: UID(i + 1), ModSeq: 1})
	}
	b.Reset(recs)
	s := b.Commit(Commit{ModSeq: 1})
	for m := ModSeq(2); s.Len() > maxVanished; m++ {
		b := x.Begin()
		b.Remove(s.Len() / 2)
		s = b.Commit(Commit{ModSeq: m})
		if len(s.vanished) > maxVanished {
			t.Fatalf("%d ranges", len(s.vanished))
		}
		if m%64 != 0 {
			continue
		}
		if _, complete := s.Vanished(s.floor); !complete {
			t.Fatal("not complete from the floor on")
		}
	}
	if _, complete := s.Vanished(1); complete || s.floor == 1 {
		t.Error("complete from the beginning, in a bounded log")
	}
	uids, complete := s.Vanished(s.highest - 1)
	if !complete || len(uids) != 1 || uids[0].First != uids[0].Last {
		t.Errorf("after the last: %v, %v", uids, complete)
	}
}

func TestBatchOrder(t *testing.T) {
	d := newDriver(t, 3, memory())
	d.fill(10)
	b := d.x.Begin()
	for _, i := range []int{7, 2, 7, 9, 2} {
		d.m.recs[i].Flags ^= maildir.Flagged
		r := d.m.recs[i]
		r.UID = 4711 // the place counts
		b.Change(i, r)
	}
	for _, i := range []int{5, 0, 5} {
		b.Remove(i)
	}
	d.m.recs = append(append(d.m.recs[1:5:5], d.m.recs[6:]...), d.record(d.newUID()))
	b.Append(d.m.recs[len(d.m.recs)-1])
	d.m.modSeq++
	d.check(d.commit(b))

	for name, f := range map[string]func(){
		"Append": func() { d.x.Begin().Append(Record{UID: 3}) },
		"Change": func() { d.x.Begin().Change(100, Record{}) },
		"Remove": func() { d.x.Begin().Remove(100) },
		"Reset":  func() { d.x.Begin().Reset([]Record{{UID: 2}, {UID: 2}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of what can't be went on", name)
				}
			}()
			f()
		}()
	}
	d.check(d.x.Snapshot()) // batches that were not committed left nothing
	d.check(d.step(1, 1, 1))
}

// TestReaders has readers go through snapshots while a writer makes new ones;
// the race detector watches.
func TestReaders(t *testing.T) {
	d := newDriver(t, 1, memory())
	d.fill(700)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			old := d.x.Snapshot()
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := d.x.Snapshot()
				unseen := 0
				for _, r := range s.Range(0, s.Len()) {
					if r.Flags&maildir.Seen == 0 {
						unseen++
					}
				}
				if unseen != s.Unseen() {
					t.Errorf("%d unseen of %d", unseen, s.Unseen())
				}
				if c := Diff(old, s); old.Len()-len(c.Gone)+c.Added != s.Len() {
					t.Errorf("Diff is %v", c)
				}
				s.Vanished(0)
				old = s
				runtime.Gosched()
			}
		})
	}
	for i := range 400 {
		switch i % 4 {
		case 0:
			d.step(2, 2, 0)
		default:
			d.step(0, 0, 1+i%9)
		}
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
	d.check(d.x.Snapshot())
}
