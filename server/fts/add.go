package fts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"facteur/server/safefile"
)

// backlog is how many segments there may be before what writes waits for the
// merge.
const backlog = 48

// Add adds a piece of the folded text of a message. A match never spans pieces.
// A piece may be added again after an error.
func (x *Index) Add(uid uint32, text []byte) error {
	x.add.Lock()
	defer x.add.Unlock()
	if err := x.begin(uid); err != nil {
		return err
	}
	x.set.addText(text)
	return nil
}

// Done says that all pieces of uid were added, and that no message between the
// last one and uid was left out. After an error of the disk it may be called
// again: the message is not covered, and kept for that.
func (x *Index) Done(uid uint32) error {
	x.add.Lock()
	defer x.add.Unlock()
	if err := x.begin(uid); err != nil {
		return err
	}
	return x.done()
}

// Skip is Done for a message whose text can't be read: it is a candidate for
// every string.
func (x *Index) Skip(uid uint32) error {
	x.add.Lock()
	defer x.add.Unlock()
	if err := x.begin(uid); err != nil {
		return err
	}
	x.set.every = true
	return x.done()
}

// Resume forgets a message that is not done and returns the UID after which
// messages are to be added. Needed after ErrLost; else it says what Through says.
func (x *Index) Resume() uint32 {
	x.add.Lock()
	defer x.add.Unlock()
	x.set.reset()
	x.pending = 0
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lost = false
	return x.mem.through
}

// Flush writes what is only in memory. A message that is not done stays so.
func (x *Index) Flush() error {
	x.add.Lock()
	defer x.add.Unlock()
	if x.isClosed() {
		return ErrClosed
	}
	return x.flush()
}

// begin makes uid the message that is added. Called with add.
func (x *Index) begin(uid uint32) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case x.closed:
		return ErrClosed
	case x.lost:
		return ErrLost
	case uid <= x.mem.through || x.pending != 0 && x.pending != uid:
		return fmt.Errorf("%w: %d after %d, with %d begun", ErrOrder, uid, x.mem.through, x.pending)
	}
	x.pending = uid
	return nil
}

// done takes the message into memory. Called with add.
func (x *Index) done() error {
	x.mu.RLock()
	full := x.mem.size() >= x.opt.Memory
	x.mu.RUnlock()
	if full {
		if err := x.flush(); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost {
		return ErrLost
	}
	x.mem.put(x.pending, x.set.values, x.set.every)
	x.pending = 0
	x.set.reset()
	return nil
}

// flush writes the segment in memory. Called with add, so that it only changes
// by being lost.
func (x *Index) flush() error {
	if x.pending == 0 {
		x.set = trigramSet{}
	}
	x.mu.Lock()
	m := x.mem
	x.mu.Unlock()
	if m.through == m.after {
		return nil
	}
	s, err := x.write(m.after, m.through, m.write)
	if err != nil {
		return err
	}
	x.mu.Lock()
	if x.mem != m {
		x.mu.Unlock()
		x.remove([]*segment{s})
		return ErrLost
	}
	x.segs = append(x.segs[:len(x.segs):len(x.segs)], s)
	x.mem = newMemory(s.through)
	x.startMerge()
	tooMany := len(x.segs) > backlog
	x.mu.Unlock()
	if tooMany {
		x.waitMerge()
	}
	return nil
}

// write makes a file that covers (after, through], with what fill adds.
func (x *Index) write(after, through uint32, fill func(*writer) error) (*segment, error) {
	f, s, err := x.create()
	if err != nil {
		return nil, err
	}
	w := newWriter(f, after, through)
	err = fill(w)
	if err == nil {
		err = w.finish(x.opt.Tag)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		x.remove([]*segment{s})
		return nil, err
	}
	s.after, s.through, s.messages, s.size = after, through, w.messages, w.size()
	return s, nil
}

// create makes the next file. Its number is given to no other one.
func (x *Index) create() (safefile.File, *segment, error) {
	x.mu.Lock()
	x.seq++
	s := &segment{seq: x.seq, path: filepath.Join(x.opt.Dir, fileName(x.seq))}
	x.mu.Unlock()
	f, err := x.opt.FS.Create(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(x.opt.Dir, 0o700); err != nil {
			return nil, nil, err
		}
		f, err = x.opt.FS.Create(s.path)
	case errors.Is(err, fs.ErrExist): // not ours: the directory could not be listed
		x.remove([]*segment{s})
		f, err = x.opt.FS.Create(s.path)
	}
	if err != nil {
		return nil, nil, err
	}
	return f, s, nil
}
