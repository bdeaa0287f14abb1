package collection

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// record is a state of an object, or that it is gone, from the change that made
// it to the next change of the same href. But for until and content it never changes.
type record struct {
	Entry
	file        string // its name, when it is not that of fileName
	stat        stat
	seq         uint64 // number of the change that made it
	gone        bool
	first, last int64                   // of the facts, in seconds
	until       atomic.Uint64           // number of the change that ended it; 0: none did
	content     atomic.Pointer[content] // nil: its file has it alone; see contents
}

// stat is how a file looked when it was read.
type stat struct {
	size, mtime int64
	inode       uint64
}

const (
	minSecond = math.MinInt64
	maxSecond = math.MaxInt64
)

// seconds is the time in seconds; of a zero time, what stands for no bound.
func seconds(t time.Time, none int64) int64 {
	if t.IsZero() {
		return none
	}
	return t.Unix()
}

func (r *record) setSpan() {
	r.first, r.last = seconds(r.Facts.First, minSecond), seconds(r.Facts.Last, maxSecond)
	if r.Facts.Infinite {
		r.last = maxSecond
	}
}

// Snapshot is a collection at one moment. It never changes and needs no lock.
//
// It shares the list of all records with later ones, which append to it: a record
// is part of a snapshot when it was made by then and had not been ended.
type Snapshot struct {
	order  []*record // by seq
	epoch  string
	seq    uint64 // of the last change
	floor  uint64 // removals up to it may be forgotten
	count  int
	octets int64
}

func (s *Snapshot) live(r *record) bool {
	until := r.until.Load()
	return until == 0 || until > s.seq
}

// Len is the number of objects.
func (s *Snapshot) Len() int { return s.count }

// Octets is the size of all objects.
func (s *Snapshot) Octets() int64 { return s.octets }

// Token returns the token of this state.
func (s *Snapshot) Token() SyncToken { return s.token(s.seq) }

// CTag returns the tag of this state.
func (s *Snapshot) CTag() CTag { return CTag(s.Token()) }

func (s *Snapshot) token(seq uint64) SyncToken {
	return SyncToken(s.epoch + "-" + strconv.FormatUint(seq, 10))
}

// parse returns the number of the change that a token is of.
func (s *Snapshot) parse(t SyncToken) (uint64, error) {
	epoch, number, ok := strings.Cut(string(t), "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || epoch != s.epoch || seq > s.seq || seq < s.floor || s.token(seq) != t {
		return 0, ErrToken
	}
	return seq, nil
}

// Changes returns what changed since a token, at most limit of it (0: all); "" is
// before all: every object, and nothing removed. An object that was removed may be
// one that the client never saw. The error is ErrToken.
func (s *Snapshot) Changes(since SyncToken, limit int) (Changes, error) {
	seq := uint64(0)
	if since != "" {
		var err error
		if seq, err = s.parse(since); err != nil {
			return Changes{}, err
		}
	}
	if limit <= 0 {
		limit = math.MaxInt
	}
	c := Changes{Token: s.Token()}
	at, _ := slices.BinarySearchFunc(s.order, seq+1, func(r *record, seq uint64) int { return cmp.Compare(r.seq, seq) })
	last := seq
	for _, r := range s.order[at:] {
		if !s.live(r) || r.gone && since == "" {
			continue
		}
		if len(c.Changed)+len(c.Removed) == limit {
			c.Token, c.Truncated = s.token(last), true
			break
		}
		if last = r.seq; r.gone {
			c.Removed = append(c.Removed, r.Href)
		} else {
			c.Changed = append(c.Changed, &r.Entry)
		}
	}
	return c, nil
}

// maxGone is the number of removals that are remembered.
const maxGone = 20000

// table is the newest state of a collection, by href, by UID and by what is counted.
type table struct {
	snap   Snapshot
	byHref map[string]*record // those that are gone too
	byUID  map[string][]*record
	counts counts
	ended  int // records in snap.order that are none any more
	gone   int // live ones that say that an object is gone
}

func newTable(epoch string) *table {
	return &table{snap: Snapshot{epoch: epoch}, byHref: make(map[string]*record), byUID: make(map[string][]*record), counts: make(counts)}
}

// find returns the object at an href, nil when there is none.
func (t *table) find(href string) *record {
	if r := t.byHref[href]; r != nil && !r.gone {
		return r
	}
	return nil
}

// apply adds a record, whose seq is above all others.
func (t *table) apply(r *record) {
	if old := t.byHref[r.Href]; old != nil {
		t.end(old, r.seq)
	}
	t.byHref[r.Href] = r
	t.snap.order = append(t.snap.order, r)
	t.snap.seq = r.seq
	if r.gone {
		t.gone++
		return
	}
	t.snap.count++
	t.snap.octets += r.Size
	t.link(r)
}

// link has an object found by its facts.
func (t *table) link(r *record) {
	t.counts.add(&r.Facts, 1)
	if uid := r.Facts.UID; uid != "" {
		t.byUID[uid] = append(t.byUID[uid], r)
	}
}

func (t *table) end(old *record, seq uint64) {
	old.until.Store(seq)
	t.ended++
	if old.gone {
		t.gone--
		return
	}
	t.snap.count--
	t.snap.octets -= old.Size
	t.unlink(old)
}

func (t *table) unlink(old *record) {
	t.counts.add(&old.Facts, -1)
	if uid := old.Facts.UID; uid != "" {
		rest := slices.DeleteFunc(slices.Clone(t.byUID[uid]), func(r *record) bool { return r == old })
		if t.byUID[uid] = rest; len(rest) == 0 {
			delete(t.byUID, uid)
		}
	}
}

// tidy drops ended records when they are many, and the oldest removals above maxGone.
func (t *table) tidy() {
	if t.ended <= len(t.snap.order)/2+1000 && t.gone <= maxGone {
		return
	}
	forget := 0
	if t.gone > maxGone {
		forget = t.gone - maxGone/2
	}
	kept := make([]*record, 0, len(t.snap.order)-t.ended)
	for _, r := range t.snap.order {
		switch {
		case r.until.Load() != 0:
		case r.gone && forget > 0:
			forget--
			t.gone--
			t.snap.floor = r.seq
			delete(t.byHref, r.Href)
		default:
			kept = append(kept, r)
		}
	}
	t.snap.order, t.ended = kept, 0
}

// snapshot returns the state as it is now.
func (t *table) snapshot() *Snapshot {
	s := t.snap
	s.order = s.order[:len(s.order):len(s.order)]
	return &s
}
