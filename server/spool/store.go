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
	msgFile = ".msg" // the message
	envFile = ".env" // the record: the entry exists if and only if this does
	newFile = ".new" // a record that is about to become .env
	badFile = ".bad" // a record that can't be read
)

func (st *store) path(id, kind string) string { return filepath.Join(st.dir, id+kind) }

// add makes an entry and returns its id when it is durable.
func (st *store) add(r *record, d *safefile.Draft) (id string, err error) {
	if err := d.Sync(); err != nil {
		return "", err
	}
	data, err := r.encode()
	if err != nil {
		return "", err
	}
	if id, err = st.linkMessage(r.ID, d); err != nil {
		return "", err
	}
	if err = st.linkRecord(st.path(id, envFile), data); err == nil {
		err = st.syncer.Sync(st.dir)
	}
	if err != nil {
		// Not added, whatever reached the disk: what can't be removed now is an entry
		// after a crash, which is better than none.
		return "", errors.Join(err, st.remove(id))
	}
	return id, nil
}

// linkMessage links a message under an id that is not taken.
func (st *store) linkMessage(id string, d *safefile.Draft) (string, error) {
	free := id
	for n := 1; ; n++ {
		err := d.Link(st.path(free, msgFile))
		if err == nil {
			// An entry whose message was lost may have left its record.
			if st.taken(free) {
				err = errors.Join(fs.ErrExist, st.fs.Remove(st.path(free, msgFile)))
			} else {
				return free, nil
			}
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
	f, err := os.Open(st.path(id, envFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBad, err)
	}
	return r, nil
}

// body is the message of an entry.
type body struct {
	*os.File
	size int64
}

// Size is that of the file.
func (b body) Size() int64 { return b.size }

// open opens the message of an entry. It is errBad when it is missing.
func (st *store) open(id string) (body, error) {
	f, err := os.Open(st.path(id, msgFile))
	if errors.Is(err, fs.ErrNotExist) {
		return body{}, errNoMessage
	}
	if err != nil {
		return body{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return body{}, err
	}
	return body{f, info.Size()}, nil
}

// remove ends an entry; that it is gone is durable when it returns. The message goes
// last: without its record it is swept at the next start.
func (st *store) remove(id string) error {
	err := st.fs.Remove(st.path(id, envFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := st.syncer.Sync(st.dir); err != nil {
		return err
	}
	if err := st.fs.Remove(st.path(id, msgFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		st.log.Warn("spool.leftover", "file", st.path(id, msgFile), "err", err)
	}
	return nil
}

// setAside keeps a damaged entry for the operator.
func (st *store) setAside(id string, why error) {
	st.log.Error("spool.damaged", "id", id, "err", why, "kept_as", st.path(id, badFile))
	err := st.fs.RenameNoReplace(st.path(id, envFile), st.path(id, badFile))
	if err == nil {
		err = st.syncer.Sync(st.dir)
	}
	if err != nil {
		st.log.Error("spool.damaged", "id", id, "err", err)
	}
}

// scan calls found for each entry, and sweeps what a crash left. It reads records,
// not messages.
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
	slices.Sort(names) // the files of an entry follow each other: bad, env, msg, new
	for len(names) > 0 {
		id := entryID(names[0])
		n := 1
		for n < len(names) && entryID(names[n]) == id {
			n++
		}
		st.found(id, names[:n], found)
		names = names[n:]
	}
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
	case has(envFile) && !has(msgFile):
		st.setAside(id, errNoMessage)
	case has(envFile):
		r, err := st.read(id)
		switch {
		case err == nil:
			found(id, r)
		case errors.Is(err, errBad):
			st.setAside(id, err)
		default:
			st.log.Error("spool.unreadable", "id", id, "err", err)
		}
	case has(msgFile) && !has(badFile): // never added, or done
		st.sweep(id + msgFile)
	}
}

func (st *store) sweep(name string) {
	err := st.fs.Remove(filepath.Join(st.dir, name))
	st.log.Info("spool.swept", "file", name, "err", err)
}
