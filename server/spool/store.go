package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"facteur/server/safefile"
)

// store is the folder queue. Its methods may be called at once for different entries.
type store struct {
	dir    string
	fs     safefile.FS
	syncer *safefile.Syncer
	log    *slog.Logger
}

// The kinds of files of an entry.
const (
	oneFile = ".one" // the message with its first record behind it: it is an entry alone
	envFile = ".env" // the record that counts in place of that one
	newFile = ".new" // a record that is about to become .env
	badFile = ".bad" // a record that can't be read
)

func (st *store) path(id, kind string) string { return filepath.Join(st.dir, id+kind) }

// add makes an entry of a draft, to which it appends, and returns its id when it is
// durable.
func (st *store) add(r *record, d *safefile.Draft) (id string, err error) {
	data, err := r.encode()
	if err != nil {
		return "", err
	}
	if _, err := d.Write(appendix(data)); err != nil {
		return "", err
	}
	if err := d.Sync(); err != nil {
		return "", err
	}
	if id, err = st.link(r.ID, d); err != nil {
		return "", err
	}
	if err = st.syncer.Sync(st.dir); err != nil {
		// Not added, whatever reached the disk: what can't be removed now is an entry
		// after a crash, which is better than none.
		return "", errors.Join(err, st.remove(id, r))
	}
	return id, nil
}

// link links a draft under an id that is not taken.
func (st *store) link(id string, d *safefile.Draft) (string, error) {
	free := id
	for n := 1; ; n++ {
		err := d.Link(st.path(free, oneFile))
		if err == nil {
			// An entry whose message was lost may have left its record.
			if !st.taken(free) {
				return free, nil
			}
			err = errors.Join(fs.ErrExist, st.fs.Remove(st.path(free, oneFile)))
		}
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return "", err
		}
		free = numbered(id, n)
	}
}

// numbered is the id of a further entry of a message.
func numbered(id string, n int) string { return id + "-" + strconv.Itoa(n) }

func (st *store) taken(id string) bool {
	for _, kind := range []string{envFile, badFile} {
		if _, err := os.Lstat(st.path(id, kind)); err == nil {
			return true
		}
	}
	return false
}

// linkRecord writes a new file with that name, not durable yet.
func (st *store) linkRecord(path string, data []byte) error {
	d, err := safefile.NewDraft(st.fs, st.dir)
	if err != nil {
		return err
	}
	defer d.Discard()
	if _, err := d.Write(data); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return d.Link(path)
}

// save replaces the record of an entry; it is durable when it returns.
func (st *store) save(id string, r *record) error {
	r.Saved = true
	data, err := r.encode()
	if err != nil {
		return err
	}
	next := st.path(id, newFile)
	err = st.linkRecord(next, data)
	if errors.Is(err, fs.ErrExist) { // left by an error before
		if err = st.fs.Remove(next); err == nil {
			err = st.linkRecord(next, data)
		}
	}
	if err == nil {
		err = st.fs.Rename(next, st.path(id, envFile))
	}
	if err == nil {
		err = st.syncer.Sync(st.dir)
	}
	return err
}

// maxRecord bounds what is read: 10,000 recipients with all they can have.
const maxRecord = 64 << 20

// errBad is wrapped by the error of an entry that can't be used.
var (
	errBad       = errors.New("the entry is damaged")
	errGone      = fmt.Errorf("the entry was dropped: %w", fs.ErrNotExist)
	errNoMessage = fmt.Errorf("%w: the message is missing", errBad)
)

// read reads the record of an entry. It is fs.ErrNotExist when there is no such
// entry, and errBad when it is damaged.
func (st *store) read(id string) (*record, error) {
	b, err := st.readEnv(id)
	saved := !errors.Is(err, fs.ErrNotExist)
	if !saved {
		b, err = st.readOne(id)
	}
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBad, err)
	}
	r.Saved = saved
	return r, nil
}

func (st *store) readEnv(id string) ([]byte, error) {
	f, err := os.Open(st.path(id, envFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRecord))
}

func (st *store) readOne(id string) ([]byte, error) {
	f, err := os.Open(st.path(id, oneFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readAppendix(f)
	if errors.Is(err, errNoRecord) {
		err = fmt.Errorf("%w: %w", errBad, err)
	}
	return b, err
}

// body is the message of an entry.
type body struct {
	file *os.File
	size int64
}

// Close closes the file.
func (b body) Close() error { return b.file.Close() }

// Size is that of the message: a record may stand behind it.
func (b body) Size() int64 { return b.size }

// ReadAt reads the message alone.
func (b body) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.size {
		return 0, io.EOF
	}
	if rest := b.size - off; int64(len(p)) > rest {
		n, err := b.file.ReadAt(p[:rest], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return b.file.ReadAt(p, off)
}

// open opens the message of an entry. It is errBad when it is missing or cut.
func (st *store) open(id string, r *record) (body, error) {
	f, err := os.Open(st.path(id, oneFile))
	if errors.Is(err, fs.ErrNotExist) {
		return body{}, errNoMessage
	}
	if err != nil {
		return body{}, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < r.Size {
		err = fmt.Errorf("%w: the message has %d octets of %d", errBad, info.Size(), r.Size)
	}
	if err != nil {
		f.Close()
		return body{}, err
	}
	return body{f, r.Size}, nil
}

// remove ends an entry; that it is gone is durable when it returns. The message goes
// first, for the record behind it must not count again; a record that a crash leaves is
// swept at the next start.
func (st *store) remove(id string, r *record) error {
	if err := st.fs.Remove(st.path(id, oneFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := st.syncer.Sync(st.dir); err != nil || !r.Saved {
		return err
	}
	if err := st.fs.Remove(st.path(id, envFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		st.log.Warn("spool.leftover", "file", st.path(id, envFile), "err", err)
	}
	return nil
}

// setAside keeps a damaged entry for the operator.
func (st *store) setAside(id string, why error) {
	st.log.Error("spool.damaged", "id", id, "err", why, "kept_as", st.path(id, badFile))
	err := st.fs.RenameNoReplace(st.path(id, envFile), st.path(id, badFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = st.fs.RenameNoReplace(st.path(id, oneFile), st.path(id, badFile))
	}
	if err == nil {
		err = st.syncer.Sync(st.dir)
	}
	if err != nil {
		st.log.Error("spool.damaged", "id", id, "err", err)
	}
}

// scanners is how many records are read at once at the start.
const scanners = 4

// scan calls found for each entry, several at once, and sweeps what a crash left. It
// reads records, not messages.
func (st *store) scan(found func(id string, r *record)) error {
	d, err := os.Open(st.dir)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	slices.Sort(names) // the files of an entry follow each other: bad, env, new, one
	entries := make(chan []string, 10*scanners)
	var scanning sync.WaitGroup
	for range scanners {
		scanning.Go(func() {
			for files := range entries {
				st.found(entryID(files[0]), files, found)
			}
		})
	}
	for len(names) > 0 {
		id := entryID(names[0])
		n := 1
		for n < len(names) && entryID(names[n]) == id {
			n++
		}
		entries <- names[:n]
		names = names[n:]
	}
	close(entries)
	scanning.Wait()
	return nil
}

// entryID is a file name without its kind.
func entryID(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// found looks at the files of one entry.
func (st *store) found(id string, names []string, found func(string, *record)) {
	has := func(kind string) bool { return slices.Contains(names, id+kind) }
	if has(newFile) { // not yet .env: never told to anybody
		st.sweep(id + newFile)
	}
	switch {
	case has(badFile): // for the operator
	case has(oneFile):
		st.load(id, found)
	case has(envFile): // done
		st.sweep(id + envFile)
	}
}

func (st *store) load(id string, found func(string, *record)) {
	r, err := st.read(id)
	switch {
	case err == nil:
		found(id, r)
	case errors.Is(err, errBad):
		st.setAside(id, err)
	default:
		st.log.Error("spool.unreadable", "id", id, "err", err)
	}
}

func (st *store) sweep(name string) {
	err := st.fs.Remove(filepath.Join(st.dir, name))
	st.log.Info("spool.swept", "file", name, "err", err)
}
