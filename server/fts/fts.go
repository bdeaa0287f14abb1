// Package fts finds the messages of one mail folder that may hold a string: a
// trigram index. It knows UIDs and folded text (message.Fold), nothing of mail.
//
// What it says is a superset: whoever asks reads the candidates and looks. A
// message that is not a candidate, and whose UID is not above Through, does not
// hold the string. The index is a cache: never synced, gone without loss, and
// each doubt about a file (a checksum, a gap in the UIDs, a file that vanished)
// lowers Through or makes the answer "can't tell"; it never hides a message.
//
// Messages are added by ascending UID. Their distinct trigrams (octets of UTF-8)
// are gathered in memory, and written as an immutable file (segment.go) when a
// bound is reached or Flush is called. Each segment covers a range of UIDs; the
// ranges follow each other without a gap, from 0 to Through. Segments of like
// size are merged in the background, in bounded memory (merge.go). No file is
// held open and nothing of a file is kept in memory between two questions, so an
// idle index costs next to nothing.
//
// Locks: add is held by what adds and writes (one at a time), mu guards the
// list of segments and the segment in memory; add is taken before mu. Candidates
// reads files without a lock. All methods may be called from any goroutine. At
// most one goroutine merges; Close ends it.
//
// It does not do: ranking, words, strings under 3 octets, one folder in two
// processes.
package fts

import (
	"errors"
	"log/slog"
	"os"
	"sync"

	"facteur/server/safefile"
)

// ErrLost is returned by what adds, after files of the index were found damaged
// or gone: Through is lower now. Call Resume and go on after what it returns.
var ErrLost = errors.New("fts: a part of the index was lost")

// ErrOrder is returned for a UID that does not ascend, or while another message
// is not done.
var ErrOrder = errors.New("fts: messages are added one after the other, by UID")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("fts: the index is closed")

// defaultMemory is Options.Memory when it is 0.
const defaultMemory = 16 << 20

// Options say where an index is.
type Options struct {
	Dir string // a directory of its own; made when needed, may be deleted at any time

	// Tag ties the files to what the text came from: UIDVALIDITY, and the version
	// of the rules by which the caller extracts and folds text. Files with another
	// tag are removed.
	Tag uint64

	Memory int          // octets that the segment in memory may take before it is written; 0: 16 MiB
	FS     safefile.FS  // nil: safefile.OS
	Log    *slog.Logger // nil: slog.Default()
}

// Index is the trigram index of one folder.
type Index struct {
	opt Options

	add     sync.Mutex
	set     trigramSet // of the message that is not done
	pending uint32     // its UID, or 0

	mu      sync.RWMutex
	segs    []*segment // by UID, without gaps; replaced, never changed
	mem     *memory    // what follows them
	seq     uint64     // the highest number of a file
	live    func(uint32) bool
	recheck bool          // live changed: look for files that are mostly dead
	merging chan struct{} // nil: no merge runs; closed when it has ended
	lost    bool          // until Resume
	closed  bool
}

// Open opens the index of a directory. There is no error: what can't be read is
// not covered.
func Open(opt Options) *Index {
	if opt.Memory == 0 {
		opt.Memory = defaultMemory
	}
	if opt.FS == nil {
		opt.FS = safefile.OS
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	x := &Index{opt: opt}
	x.load()
	x.mem = newMemory(x.written())
	return x
}

// written is the UID up to which files cover the messages. Called with mu, or
// before x is shared.
func (x *Index) written() uint32 {
	if len(x.segs) == 0 {
		return 0
	}
	return x.segs[len(x.segs)-1].through
}

// Through is the highest UID up to which every message is in the index.
func (x *Index) Through() uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mem.through
}

// Drop says which messages are still there. What is not is left out of files
// that are merged from now on; files that are mostly dead are written anew. live
// is called from another goroutine, without a lock, at the latest until Close
// returns; it may say that what is gone is live, never the reverse.
func (x *Index) Drop(live func(uid uint32) bool) {
	x.mu.Lock()
	x.live, x.recheck = live, live != nil
	x.startMerge()
	x.mu.Unlock()
}

// Close flushes, ends a merge and waits for it. Closing again does nothing. To
// remove an index: Close it, then remove its directory.
func (x *Index) Close() error {
	x.add.Lock()
	defer x.add.Unlock()
	x.mu.Lock()
	already := x.closed
	x.closed = true // ends the merge
	x.mu.Unlock()
	if already {
		return nil
	}
	err := x.flush()
	x.waitMerge()
	return err
}

func (x *Index) isClosed() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.closed
}

// lose forgets a segment that is damaged or gone, and all that follows it.
func (x *Index) lose(s *segment, cause error) {
	x.mu.Lock()
	at := x.place(s)
	if at < 0 {
		x.mu.Unlock()
		return // merged, or lost already
	}
	gone := x.segs[at:]
	x.segs = append([]*segment(nil), x.segs[:at]...)
	x.mem = newMemory(x.written())
	x.lost = true
	x.mu.Unlock()
	x.opt.Log.Warn("search index damaged, it will be made anew", "file", s.path, "after", s.after, "err", cause)
	x.remove(gone)
}

// place is where s stands in the list, or -1. Called with mu.
func (x *Index) place(s *segment) int {
	for i, have := range x.segs {
		if have == s {
			return i
		}
	}
	return -1
}

// remove removes files that are no longer used. One that stays is removed by the
// next Open.
func (x *Index) remove(segs []*segment) {
	for _, s := range segs {
		if err := x.opt.FS.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			x.opt.Log.Debug("can't remove a file of the search index", "file", s.path, "err", err)
		}
	}
}
