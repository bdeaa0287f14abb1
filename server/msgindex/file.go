package msgindex

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"

	"facteur/server/safefile"
)

// minLog is the size that the log may have in any case; else it is an eighth of
// the table.
const minLog = 64 << 10

var errLongLog = errors.New("the log is too long")

// listFile is a list that can be appended to.
type listFile struct {
	file   safefile.File // nil: not opened yet
	header [headerSize]byte
	crc    uint32 // of the last frame
	table  int64
	size   int64
	limit  int64  // of the size, before a checkpoint is due; 0: not set yet
	clean  bool   // the last frame is that of Close
	boot   bootID // under which it was last written
}

func (l *listFile) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// open opens the file for appending, and makes sure that it is the one that was
// read.
func (l *listFile) open(fsys safefile.FS, path string) error {
	f, err := fsys.Append(path)
	if err != nil {
		return err
	}
	var header [headerSize]byte
	var end [2]byte
	_, err = f.ReadAt(header[:], 0)
	if err == nil {
		var n int
		n, err = f.ReadAt(end[:], l.size-1)
		if errors.Is(err, io.EOF) && n == 1 {
			err = nil
		} else if err == nil {
			err = errDamaged
		}
	}
	if err == nil && !bytes.Equal(header[:], l.header[:]) {
		err = errDamaged
	}
	if err != nil {
		f.Close()
		return err
	}
	l.file = f
	return nil
}

// logs tells whether a frame that is made now goes anywhere. With mu held, as
// all below.
func (x *Index) logs() bool { return !x.closed && (x.list != nil || x.checkpoint) }

// frame begins a frame of a kind in buf. It returns where it starts.
func (x *Index) frame(kind byte) (start int) {
	if cap(x.buf) > pieceSize {
		x.buf = nil
	}
	x.buf = x.buf[:0]
	if x.list != nil && x.list.boot != x.boot {
		x.buf = beginFrame(x.buf, kindOpen)
		x.buf = endFrame(append(x.buf, x.boot[:]...), 0)
	}
	start = len(x.buf)
	x.buf = beginFrame(x.buf, kind)
	return start
}

// append completes the frame in buf and writes buf with one write. When the file
// fails, the index goes on without, and it is removed: it would be out of date.
func (x *Index) append(start int) {
	x.buf = endFrame(x.buf, start)
	if x.checkpoint {
		x.since = append(x.since, x.buf[start:]...)
	}
	l := x.list
	if l == nil {
		return
	}
	l.crc = chain(x.buf, l.crc)
	var err error
	switch {
	case l.size+int64(len(x.buf)) > l.table+maxLog(l.table):
		err = errLongLog
	case l.file == nil:
		err = l.open(x.opt.FS, x.path(listName))
	}
	if err == nil {
		_, err = l.file.Write(x.buf)
	}
	if err != nil {
		x.opt.Log.Warn("the index of a mailbox can't be written", "dir", x.opt.Dir, "err", err)
		x.drop()
		return
	}
	l.size += int64(len(x.buf))
	l.clean, l.boot = false, x.boot
}

// drop removes the list.
func (x *Index) drop() {
	if x.list != nil {
		x.list.close()
		x.list = nil
	}
	if err := x.opt.FS.Remove(x.path(listName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.spoil()
	}
}

// spoil makes a list that can't be removed unusable, if it can be written to:
// one octet is no frame.
func (x *Index) spoil() {
	if _, err := os.Lstat(x.path(listName)); err != nil {
		return
	}
	if f, err := x.opt.FS.Append(x.path(listName)); err == nil {
		f.Write([]byte{0})
		f.Close()
	}
}

// inPlace tells whether the file in the directory is still ours, by its size.
func (x *Index) inPlace() bool {
	info, err := os.Lstat(x.path(listName))
	return err == nil && info.Mode().IsRegular() && info.Size() == x.list.size
}

// startCheckpoint writes the list anew in the background, when it is time.
func (x *Index) startCheckpoint() {
	if x.closed || x.checkpoint || !x.checkpointDue() {
		return
	}
	x.checkpoint, x.since = true, nil
	s, h, epoch := x.Snapshot(), x.newHeader(), x.epoch
	x.work.Go(func() {
		l, err := x.writeList(s, h)
		x.mu.Lock()
		defer x.mu.Unlock()
		x.checkpoint = false
		if err == nil {
			err = x.finishCheckpoint(l, epoch)
		}
		x.since = nil
		switch {
		case x.epoch != epoch:
			x.startCheckpoint()
		case err != nil:
			x.opt.Log.Warn("the index of a mailbox can't be written", "dir", x.opt.Dir, "err", err)
			if x.list != nil {
				x.list.limit = 2 * x.list.size
			}
		}
	})
}

func (x *Index) checkpointDue() bool {
	if l := x.list; l != nil {
		if l.limit == 0 {
			l.limit = l.table + max(minLog, l.table/8)
		}
		return l.size > l.limit
	}
	if x.Snapshot().floor == unknownFloor {
		return false
	}
	now := x.opt.Now()
	if now.Before(x.retry) {
		return false
	}
	x.retry = now.Add(retryAfter)
	return true
}

// finishCheckpoint adds to a new list what was logged since it was begun, and
// puts it in place.
func (x *Index) finishCheckpoint(l *listFile, epoch int) error {
	var err error
	if x.epoch != epoch {
		err = errDamaged // it is of before a Reset
	}
	if err == nil && len(x.since) > 0 {
		l.crc = chain(x.since, l.crc)
		l.size += int64(len(x.since))
		_, err = l.file.Write(x.since)
	}
	if err != nil {
		l.close()
		x.opt.FS.Remove(x.path(listName + suffix))
		return err
	}
	return x.install(l)
}

// install puts a new list in the place of the old one.
func (x *Index) install(l *listFile) error {
	if err := x.opt.FS.Rename(x.path(listName+suffix), x.path(listName)); err != nil {
		l.close()
		x.opt.FS.Remove(x.path(listName + suffix))
		return err
	}
	if x.list != nil {
		x.list.close()
	}
	x.list = l
	x.checkpoints++
	return nil
}

// newHeader returns the header of a list that is written now.
func (x *Index) newHeader() *header {
	return &header{validity: x.opt.Validity, stamp: x.stamp, boot: x.boot, random: rand.Uint64()}
}

// writeList writes a list of a snapshot beside the one that is there.
func (x *Index) writeList(s *Snapshot, h *header) (*listFile, error) {
	f, err := x.create(listName + suffix)
	if err != nil {
		return nil, err
	}
	crc, err := writeTable(f, h, s)
	if err != nil {
		f.Close()
		x.opt.FS.Remove(f.Name())
		return nil, err
	}
	size := h.tableSize()
	return &listFile{file: f, header: h.octets, crc: crc, table: size, size: size, boot: x.boot}, nil
}

// create makes a new file in the directory, and the directory when it is gone.
// What a crash left under the name goes.
func (x *Index) create(name string) (safefile.File, error) {
	f, err := x.opt.FS.Create(x.path(name))
	switch {
	case errors.Is(err, fs.ErrExist):
		if err = x.opt.FS.Remove(x.path(name)); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrNotExist):
		if err = safefile.MkdirAll(x.opt.FS, x.opt.Dir); err != nil {
			return nil, err
		}
	default:
		return f, err
	}
	return x.opt.FS.Create(x.path(name))
}
