package collection

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"facteur/server/safefile"
)

// rewriteAfter is the time after which a log that could not be written is tried again.
const rewriteAfter = 5 * time.Second

// journal is the log of a collection that is open for appending. An error of its
// file is none of the collection: the file is removed, for it is out of date, and
// written anew later. With Collection.mu held, but for rewrite.
type journal struct {
	fs      safefile.FS
	path    string
	file    safefile.File // nil: there is none
	crc     uint32
	size    int64
	base    int64     // size when it was written as a whole
	opened  bool      // that it is in use is on disk
	clean   bool      // its last frame says that it was closed
	retry   time.Time // no rewrite before
	loading bool      // who reads the collection into memory writes it afterwards
	writing bool      // it is being rewritten, and side has what was appended since
	side    [][]byte
	err     error // why there is no file
}

// open opens a log that was read for appending.
func (j *journal) open(l *loaded) {
	f, err := j.fs.Append(j.path)
	if err != nil {
		j.err = err
		return
	}
	j.file, j.crc, j.size, j.base, j.clean = f, l.crc, l.size, l.size, l.clean
}

// append appends payloads as frames with one write.
func (j *journal) append(payloads ...[]byte) {
	if j.writing {
		j.side = append(j.side, payloads...)
	}
	if j.file == nil {
		return
	}
	var b []byte
	crc := j.crc
	for _, p := range payloads {
		b, crc = appendFrame(b, p, crc)
	}
	if _, err := j.file.Write(b); err != nil {
		j.drop(err)
		return
	}
	j.crc = crc
	j.size += int64(len(b))
	j.clean = false
}

// drop removes the file.
func (j *journal) drop(err error) {
	if j.file == nil {
		return
	}
	j.file.Close()
	j.file, j.err, j.opened = nil, err, false
	j.fs.Remove(j.path) // what fails here fails at the next rewrite
}

// close says that the log has everything.
func (j *journal) close() {
	if !j.clean {
		j.append([]byte{kindClean})
	}
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

// due tells whether the log should be written anew.
func (j *journal) due(now time.Time) bool {
	if j.loading || j.writing || now.Before(j.retry) {
		return false
	}
	return j.file == nil || j.size > 2*j.base+1<<20
}

func openFrame(boot string) []byte { return append([]byte{kindOpen}, boot...) }

// rewrite writes the log of a snapshot beside the old one, synced, with no lock
// held. replace then puts it in its place.
func (j *journal) rewrite(h header, s *Snapshot, boot string) (next journal, err error) {
	dir := filepath.Dir(j.path)
	if err := j.fs.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return next, err
	}
	f, err := j.fs.Create(safefile.TempName(dir))
	if err != nil {
		return next, err
	}
	next = journal{fs: j.fs, path: f.Name(), file: f}
	var b []byte
	var payload []byte
	flush := func() {
		if err == nil {
			_, err = f.Write(b)
		}
		next.size += int64(len(b))
		b = b[:0]
	}
	b, next.crc = appendFrame(b, appendHeader(payload, h), next.crc)
	for _, r := range s.order {
		if !s.live(r) {
			continue
		}
		b, next.crc = appendFrame(b, appendRecord(payload[:0], r), next.crc)
		if len(b) > 256<<10 {
			flush()
		}
	}
	b, next.crc = appendFrame(b, openFrame(boot), next.crc)
	flush()
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		j.fs.Remove(f.Name())
	}
	return next, err
}

// replace puts a log that was rewritten into its place, with what was appended
// meanwhile.
func (j *journal) replace(next journal, err error, now time.Time) {
	side := j.side
	j.writing, j.side = false, nil
	if err == nil {
		next.append(side...)
		if err = next.err; err == nil {
			err = j.fs.Rename(next.path, j.path)
		}
		if err != nil {
			next.drop(err)
		}
	}
	if err != nil {
		j.retry = now.Add(rewriteAfter)
		if j.file == nil {
			j.err = err
		}
		return
	}
	if j.file != nil {
		j.file.Close()
	}
	path, opened := j.path, j.opened
	*j = next
	j.path, j.base, j.opened = path, next.size, opened
}

// readIndex reads the log at a path. ok is false when there is none to go on from.
func readIndex(path string) (l loaded, ok bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return l, false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil || len(b) > maxIndex {
		return l, false, err
	}
	l, ok = readLog(b)
	return l, ok, nil
}

// maxIndex bounds the octets of a log that is read.
const maxIndex = 1 << 30
