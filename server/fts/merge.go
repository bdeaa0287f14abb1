package fts

import (
	"errors"
	"math/bits"
)

// fanIn is how many segments of like size are merged into one. Smaller ones that
// lie between or beside them are merged too. maxRun bounds one merge, and
// tooMany segments are merged whatever their sizes.
const (
	fanIn   = 4
	maxRun  = 4 * fanIn
	tooMany = 6 * fanIn
)

// tier groups segments by size: each tier is four times the one below.
func tier(size int64) int { return bits.Len64(uint64(size)>>15) / 2 }

// likeSize returns neighbours that are to be merged, of the lowest tier where
// there are such; nil: there are none.
func likeSize(segs []*segment) []*segment {
	for t := range tier(1<<62) + 1 {
		from, like := 0, 0
		for i := 0; i <= len(segs); i++ {
			if i < len(segs) && tier(segs[i].size) <= t {
				if tier(segs[i].size) == t {
					like++
				}
				continue
			}
			if like >= fanIn || i-from >= tooMany {
				return segs[from:min(i, from+maxRun)]
			}
			from, like = i+1, 0
		}
	}
	return nil
}

// startMerge starts merging when there is need and no merge runs. Called with mu.
func (x *Index) startMerge() {
	if x.closed || x.merging != nil || !x.recheck && likeSize(x.segs) == nil {
		return
	}
	done := make(chan struct{})
	x.merging = done
	go func() {
		defer close(done)
		x.mergeAll()
	}()
}

// waitMerge waits until a merge that runs has ended.
func (x *Index) waitMerge() {
	x.mu.RLock()
	merging := x.merging
	x.mu.RUnlock()
	if merging != nil {
		<-merging
	}
}

// mergeAll merges until there is nothing to do, an error comes, or the index is
// closed.
func (x *Index) mergeAll() {
	for {
		run, live := x.nextRun()
		if run == nil {
			return
		}
		err := x.merge(run, live)
		if err == nil || errors.Is(err, errMerged) || errors.Is(err, errDamaged) {
			continue // damage made the list shorter
		}
		if !errors.Is(err, ErrClosed) {
			x.opt.Log.Warn("can't merge the search index", "dir", x.opt.Dir, "err", err)
		}
		x.mu.Lock()
		x.merging = nil
		x.mu.Unlock()
		return
	}
}

// nextRun returns the segments to be merged next. Without any, merging is over.
func (x *Index) nextRun() ([]*segment, func(uint32) bool) {
	for {
		x.mu.Lock()
		run, live, recheck, segs := likeSize(x.segs), x.live, x.recheck, x.segs
		if x.closed {
			run, recheck = nil, false
		}
		if run == nil && !recheck {
			x.merging = nil
		}
		x.recheck = recheck && run != nil
		x.mu.Unlock()
		if run != nil || !recheck {
			return run, live
		}
		for _, s := range segs {
			if x.mostlyDead(s, live) {
				x.mu.Lock()
				x.recheck = true // for those after it
				x.mu.Unlock()
				return []*segment{s}, live
			}
		}
	}
}

// mostlyDead tells that more than half of the messages of a segment are gone.
func (x *Index) mostlyDead(s *segment, live func(uint32) bool) bool {
	r, f, err := s.open()
	if err != nil {
		return false // a question will find out
	}
	defer f.Close()
	dead, err := deadOf(r, live)
	return err == nil && 2*len(dead) > int(s.messages)
}

// deadOf returns the messages of a segment that are not live.
func deadOf(r *reader, live func(uint32) bool) ([]uint32, error) {
	if live == nil {
		return nil, nil
	}
	all, err := r.uids(keyAll)
	dead := all[:0]
	for _, uid := range all {
		if !live(uid) {
			dead = append(dead, uid)
		}
	}
	return dead, err
}

// merge replaces neighbours by one segment, without what is not live. It holds
// no lock while it reads and writes.
func (x *Index) merge(run []*segment, live func(uint32) bool) error {
	var from []*cursor
	defer func() {
		for _, c := range from {
			c.file.Close()
		}
	}()
	for _, s := range run {
		c, err := openCursor(s, live)
		if err != nil {
			return x.doubt(s, err)
		}
		from = append(from, c)
	}
	merged, err := x.write(run[0].after, run[len(run)-1].through, func(w *writer) error { return x.mergeInto(w, from) })
	if err != nil {
		return err
	}
	if !x.replace(run, merged) {
		x.remove([]*segment{merged})
		return nil
	}
	x.remove(run)
	return nil
}

// replace puts merged in the place of run, unless a part of run was lost.
func (x *Index) replace(run []*segment, merged *segment) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.place(run[0])
	if at < 0 || x.place(run[len(run)-1]) < 0 {
		return false
	}
	segs := append([]*segment(nil), x.segs[:at]...)
	x.segs = append(append(segs, merged), x.segs[at+len(run):]...)
	return true
}

// mergeInto writes the keys of all cursors, each with the UIDs of all.
func (x *Index) mergeInto(w *writer, from []*cursor) error {
	var uids []uint32
	for keys := 0; ; keys++ {
		key := keyEnd
		for _, c := range from {
			key = min(key, c.key())
		}
		if key == keyEnd {
			return nil
		}
		if keys%1024 == 0 && x.isClosed() {
			return ErrClosed
		}
		uids = uids[:0]
		for _, c := range from {
			if c.key() != key {
				continue
			}
			var err error
			if uids, err = c.take(uids); err != nil {
				return x.doubt(c.seg, err)
			}
		}
		if err := w.add(key, uids); err != nil {
			return err
		}
	}
}
