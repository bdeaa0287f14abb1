package collection

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"

	"facteur/server/fault"
)

// Check compares what is in memory with the files and with the index on disk, and
// with the rules: changes are numbered in order, every object is the one file that
// its href says, tags, sizes, facts and counts are right. It reads every object,
// while nothing else changes a collection. For tests and for the verification of a store.
func (h *Home) Check() error {
	all, err := h.Collections()
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if err := c.check(); err != nil && !fault.Is(err, fault.NotFound) { // deleted meanwhile
			errs = append(errs, fmt.Errorf("%s: %w", c.Name(), err))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var sum Usage
	for _, c := range h.known {
		sum.Octets += c.usage.Octets
		sum.Objects += c.usage.Objects
	}
	if sum != h.usage {
		errs = append(errs, fmt.Errorf("the usage is %v, of its collections %v", h.usage, sum))
	}
	return errors.Join(errs...)
}

// checker compares a collection with its files.
type checker struct {
	c    *Collection
	tab  *table
	errs []error
}

func (k *checker) failf(format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf(format, args...))
}

func (c *Collection) check() error {
	if _, err := c.Snapshot(); err != nil {
		return err
	}
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journal == nil {
		return c.fail
	}
	k := checker{c: c, tab: c.tab}
	k.order()
	k.uids()
	k.counts()
	k.log()
	dir, err := os.Open(c.at.Load().dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	files, sides, err := c.files(dir)
	if err != nil {
		return err
	}
	for r := range k.tab.snapshot().All() {
		rec := k.tab.byHref[r.Href]
		if rec == nil || &rec.Entry != r {
			k.failf("%q is listed and not found", r.Href)
			continue
		}
		if files[r.Href] != rec.fileOf(c.kind.ext()) {
			k.failf("%q has the file %q, of which the name is %q", r.Href, files[r.Href], rec.fileOf(c.kind.ext()))
		}
		delete(files, r.Href)
		k.object(rec)
	}
	for file := range sides {
		if !c.sides[hrefOf(file, c.kind.ext())] {
			k.failf("%q has properties that are not known", file)
		}
	}
	if len(sides) != len(c.sides) {
		k.failf("%d objects have properties, really %d", len(c.sides), len(sides))
	}
	for href, file := range files {
		if r := c.readRecord(file); r != nil && !r.gone {
			k.failf("%q of %q is not in the index", file, href)
		}
	}
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	if u := (Usage{k.tab.snap.octets, k.tab.snap.count}); !c.counted || c.usage != u {
		k.failf("the usage is %v, really %v", c.usage, u)
	}
	return errors.Join(k.errs...)
}

// object compares an object with its file.
func (k *checker) object(r *record) {
	data, st, err := readFile(k.c.path(r.fileOf(k.c.kind.ext())), k.c.store.opt.MaxSize)
	if err != nil {
		k.failf("%q: %w", r.Href, err)
		return
	}
	if kept := r.content.Load(); kept != nil && hash(kept.data) != r.ETag {
		k.failf("%q is %+v, in memory it has the octets of %s", r.Href, r.Entry, hash(kept.data))
	}
	facts, err := k.c.store.opt.Index(k.c.kind, data)
	want := newRecord(r.Href, r.fileOf(k.c.kind.ext()), k.c.kind.ext(), hash(data), st)
	want.Facts, want.Broken = facts, err != nil
	want.setSpan()
	if want.ETag != r.ETag || want.stat != r.stat || want.Size != r.Size || !want.Modified.Equal(r.Modified) ||
		want.Broken != r.Broken || want.first != r.first || want.last != r.last || want.Facts.UID != r.Facts.UID ||
		want.Facts.Kind != r.Facts.Kind || !reflect.DeepEqual(want.Facts.Props, r.Facts.Props) || want.file != r.file {
		k.failf("%q is %+v, its file says %+v", r.Href, r.Entry, want.Entry)
	}
}

// order checks the numbers of changes, and what is counted of them.
func (k *checker) order() {
	last := uint64(0)
	count, gone, ended, octets := 0, 0, 0, int64(0)
	for _, r := range k.tab.snap.order {
		if r.seq <= last || r.seq > k.tab.snap.seq {
			k.failf("change %d comes after %d, the last is %d", r.seq, last, k.tab.snap.seq)
		}
		last = r.seq
		switch until := r.until.Load(); {
		case until != 0:
			ended++
			if until <= r.seq {
				k.failf("change %d ended with %d", r.seq, until)
			}
		case r.gone:
			gone++
		default:
			count++
			octets += r.Size
		}
		if r.until.Load() == 0 && k.tab.byHref[r.Href] != r {
			k.failf("change %d of %q is not found", r.seq, r.Href)
		}
	}
	s := k.tab.snap
	if count != s.count || octets != s.octets || gone != k.tab.gone || ended != k.tab.ended || len(k.tab.byHref) != count+gone {
		k.failf("%d objects, %d octets, %d gone, %d ended, %d hrefs; really %d, %d, %d, %d", s.count, s.octets, k.tab.gone, k.tab.ended, len(k.tab.byHref), count, octets, gone, ended)
	}
}

// counts compares what is counted with the objects.
func (k *checker) counts() {
	real := make(counts)
	for r := range k.tab.snapshot().All() {
		real.add(&r.Facts, 1)
	}
	if !maps.Equal(real, k.tab.counts) {
		k.failf("counted are %v, really %v", k.tab.counts, real)
	}
}

func (k *checker) uids() {
	n := 0
	for uid, records := range k.tab.byUID {
		for _, r := range records {
			if r.Facts.UID != uid || r.gone || k.tab.byHref[r.Href] != r {
				k.failf("the UID %q leads to %+v", uid, r.Entry)
			}
		}
		n += len(records)
	}
	for r := range k.tab.snapshot().All() {
		if r.Facts.UID != "" {
			n--
		}
	}
	if n != 0 {
		k.failf("%d more UIDs than objects that have one", n)
	}
}

// log compares the index on disk with that in memory.
func (k *checker) log() {
	j := k.c.journal
	if j.file == nil {
		return
	}
	b, err := os.ReadFile(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return // removed by somebody
	}
	l, ok := readLog(b)
	if err != nil || !ok {
		k.failf("the index can't be read: %v", err)
		return
	}
	s := l.table.snap
	if s.epoch != k.tab.snap.epoch {
		return // another one was put there
	}
	if s.seq != k.tab.snap.seq || s.count != k.tab.snap.count || s.octets != k.tab.snap.octets || l.crc != j.crc || l.size != j.size {
		k.failf("the index has change %d, %d objects, %d octets; in memory %d, %d, %d", s.seq, s.count, s.octets, k.tab.snap.seq, k.tab.snap.count, k.tab.snap.octets)
	}
	for r := range s.All() {
		have := k.tab.find(r.Href)
		if have == nil || have.ETag != r.ETag || have.Facts.UID != r.Facts.UID || have.first != l.table.find(r.Href).first {
			k.failf("%q is %+v in the index on disk", r.Href, r)
		}
	}
}
