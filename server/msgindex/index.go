package msgindex

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/maildir"
	"facteur/server/safefile"
)

// Options are those of Open.
type Options struct {
	Dir      string           // of the two files; made when it is needed
	FS       safefile.FS      // nil: safefile.OS
	Log      *slog.Logger     // nil: none
	Validity uint32           // UIDVALIDITY: files of another are not used
	BootID   string           // of the running system
	Now      func() time.Time // nil: time.Now
}

// Found is what Open found.
type Found struct {
	// Empty: there was no usable list. The caller fills the index with Reset,
	// also when there is no message.
	Empty bool
	// Clean: the list was closed by Close, and nothing was written since.
	Clean bool
	// SameBoot: the list was last written under this BootID and nothing of it
	// is damaged. It has every batch that was committed, unless the disk failed
	// or someone cut the file between two batches.
	SameBoot bool
	// Stamp is that of the last Commit, Stamp or Close.
	Stamp         maildir.Stamp
	UIDNext       UID
	HighestModSeq ModSeq
}

// The names of the files. While one is written anew it has suffix behind it.
const (
	listName  = "list"
	cacheName = "cache"
	suffix    = ".new"
)

// retryAfter is the time after which files that failed are tried anew.
const retryAfter = 5 * time.Second

// Index is the two files of a mailbox and its newest snapshot.
type Index struct {
	opt   Options
	boot  bootID
	snap  atomic.Pointer[Snapshot]
	batch Batch
	work  sync.WaitGroup // goroutines that Close waits for

	mu          sync.Mutex
	stamp       maildir.Stamp
	list        *listFile // nil: there is none that could be appended to
	buf         []byte    // of frames
	closed      bool
	checkpoint  bool   // one is being written
	since       []byte // frames since it began; their CRCs are set at its end
	epoch       int    // counts the Resets: a checkpoint of before is of no use
	retry       time.Time
	checkpoints int // for tests

	cacheMu     sync.Mutex
	cache       *cacheFile // nil: not open
	noCache     bool       // there is none to be opened
	cacheClosed bool
	cacheRetry  time.Time
	compacting  bool
	windows     sync.Pool // *[]byte of windowSize
}

// Open reads the index in a directory. Whatever is wrong with its files, there
// is an index afterwards, if an empty one.
func Open(opt Options) (*Index, Found) {
	if opt.FS == nil {
		opt.FS = safefile.OS
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	x := &Index{opt: opt}
	sum := sha256.Sum256([]byte(opt.BootID))
	copy(x.boot[:], sum[:])
	l, err := x.read()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			opt.Log.Info("the index of a mailbox is made anew", "dir", opt.Dir, "reason", err)
		}
		x.snap.Store(&Snapshot{next: 1, recent: 1, floor: unknownFloor})
		return x, Found{Empty: true, UIDNext: 1}
	}
	x.snap.Store(&l.snap)
	x.stamp = l.stamp
	if !l.torn {
		x.list = &listFile{header: l.header.octets, crc: l.crc, table: l.header.tableSize(), size: l.size, clean: l.clean, boot: l.boot}
	}
	return x, Found{
		Clean: l.clean, SameBoot: l.boot == x.boot && !l.torn,
		Stamp: l.stamp, UIDNext: l.snap.next, HighestModSeq: l.snap.highest,
	}
}

func (x *Index) path(name string) string { return filepath.Join(x.opt.Dir, name) }

// read reads the list.
func (x *Index) read() (*loaded, error) {
	f, err := os.Open(x.path(listName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errDamaged
	}
	// What is read in large pieces goes past the buffer.
	return readList(bufio.NewReaderSize(f, 4096), info.Size(), x.opt.Validity)
}

// Snapshot returns the newest snapshot, from any goroutine.
func (x *Index) Snapshot() *Snapshot { return x.snap.Load() }

// commit logs a batch and publishes the snapshot after it.
func (x *Index) commit(b *Batch, next *Snapshot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if b.commit.Stamp != (maildir.Stamp{}) {
		x.stamp = b.commit.Stamp
	}
	if b.reset && !x.closed {
		x.drop()
		x.epoch++
		x.retry = time.Time{}
	} else if x.logs() {
		start := x.frame(kindBatch)
		x.buf = appendEdit(x.buf, &b.edit, b.base)
		x.append(start)
	}
	x.snap.Store(next)
	x.startCheckpoint()
}

// Stamp notes a newer stamp of the directories. It belongs to the writer, as
// Begin does.
func (x *Index) Stamp(s maildir.Stamp) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stamp == s {
		return
	}
	x.stamp = s
	if x.logs() {
		start := x.frame(kindStamp)
		x.buf = appendStamp(x.buf, s)
		x.append(start)
	}
	x.startCheckpoint()
}

// Close ends the index and marks it as clean. A long log is written into a new
// table, so that the next Open is fast. It waits for what runs in the background.
// Afterwards snapshots can still be read; nothing may be committed.
func (x *Index) Close(s maildir.Stamp) {
	if !x.end() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.list
	if x.Snapshot().floor == unknownFloor || l != nil && l.clean && l.file == nil && x.stamp == s {
		return // there is nothing that the files don't say
	}
	x.stamp = s
	there := l != nil && x.inPlace()
	if !there || l.size-l.table > max(minLog, l.table/32) {
		err := x.rewrite()
		if err != nil {
			x.opt.Log.Warn("the index of a mailbox can't be written", "dir", x.opt.Dir, "err", err)
		}
		if err != nil && !there {
			x.drop()
			return
		}
	}
	start := x.frame(kindClean)
	x.buf = appendStamp(x.buf, s)
	x.append(start)
	if x.list != nil {
		x.list.close()
		x.list = nil
	}
}

// rewrite writes the list anew. With mu held, and no checkpoint running.
func (x *Index) rewrite() error {
	l, err := x.writeList(x.Snapshot(), x.newHeader())
	if err != nil {
		return err
	}
	return x.install(l)
}

// Drop ends the index without a write, and removes its files.
func (x *Index) Drop() {
	if !x.end() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop()
	x.opt.FS.Remove(x.path(cacheName))
}

// end stops what runs in the background. It is false when that was done before.
func (x *Index) end() bool {
	x.mu.Lock()
	was := x.closed
	x.closed = true
	x.mu.Unlock()
	x.work.Wait()
	x.closeCache()
	return !was
}
