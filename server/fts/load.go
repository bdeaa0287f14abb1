package fts

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const suffix = ".seg"

func fileName(seq uint64) string { return strconv.FormatUint(seq, 10) + suffix }

// load finds the files that cover the UIDs from 0 on without a gap, and removes
// the others.
func (x *Index) load() {
	names, err := os.ReadDir(x.opt.Dir)
	if err != nil {
		return // most often there is none yet
	}
	var found []*segment
	for _, name := range names {
		number, ok := strings.CutSuffix(name.Name(), suffix)
		if !ok {
			continue
		}
		seq, err := strconv.ParseUint(number, 10, 63)
		if err != nil {
			continue
		}
		x.seq = max(x.seq, seq)
		s := &segment{seq: seq, path: filepath.Join(x.opt.Dir, name.Name())}
		if err := x.stat(s); err == nil {
			found = append(found, s)
		} else if errors.Is(err, errDamaged) {
			x.opt.Log.Warn("search index damaged, it will be made anew", "file", s.path, "err", err)
			x.remove([]*segment{s})
		}
	}
	// A crash between a merge and the removal of what was merged leaves both:
	// the longer range is taken, of the same one the newer file.
	slices.SortFunc(found, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(b.through, a.through), cmp.Compare(b.seq, a.seq))
	})
	for _, s := range found {
		if s.after == x.written() {
			x.segs = append(x.segs, s)
		} else {
			x.remove([]*segment{s})
		}
	}
}

// stat learns from the file itself what a segment covers.
func (x *Index) stat(s *segment) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	r, err := newReader(f, s.size)
	if err != nil {
		return err
	}
	if r.tag != x.opt.Tag {
		return damaged("made from other text")
	}
	s.after, s.through, s.messages = r.after, r.through, r.messages
	return nil
}
