package mailbox

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"facteur/server/maildir"
)

// Content is an open message, as served: with CRLF. It may be read by several
// at once, and stays readable when the message is expunged.
type Content struct {
	file *os.File
	size int64
	crlf *crlfIndex // nil: the file is served as it is
}

var _ io.ReaderAt = (*Content)(nil)

// Open opens a message for reading. The Content must be closed.
func (m *Mailbox) Open(uid UID) (*Content, error) {
	var c *Content
	err := m.onFile(uid, func(r *record, path string) error {
		f, err := maildir.OpenFile(path)
		if err != nil {
			return err
		}
		if c, err = newContent(f, r.name, r.size); err != nil {
			f.Close()
		}
		return err
	})
	return c, err
}

// newContent looks how a file is to be served.
func newContent(f *os.File, name string, served int64) (*Content, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := maildir.ParseName(name).Size
	if info.Size() == size && size == served {
		return &Content{file: f, size: size}, nil
	}
	// It has bare LF, or is not what the name says (written in place by another
	// program).
	index, err := indexCRLF(f)
	if err != nil {
		return nil, err
	}
	return &Content{file: f, size: index.size, crlf: index}, nil
}

// ReadAt is that of io.ReaderAt.
func (c *Content) ReadAt(p []byte, off int64) (int, error) {
	if c.crlf != nil {
		return c.crlf.readAt(c.file, p, off)
	}
	return c.file.ReadAt(p, off)
}

// Size is the length in octets. It may differ from Message.Size when another
// program wrote to the file.
func (c *Content) Size() int64 { return c.size }

// Close closes the file.
func (c *Content) Close() error { return c.file.Close() }

// InternalDate returns the time of arrival: the mtime of the file, in seconds.
func (m *Mailbox) InternalDate(uid UID) (time.Time, error) {
	var date uint32
	err := m.onFile(uid, func(r *record, path string) error {
		if r.date != 0 {
			date = r.date
			return nil
		}
		mtime, err := maildir.Mtime(path)
		if err == nil {
			date = uint32(min(max(1, mtime/int64(time.Second)), math.MaxUint32))
			m.noteDate(uid, date)
		}
		return err
	})
	return time.Unix(int64(date), 0), err
}

func (m *Mailbox) noteDate(uid UID, date uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		return
	}
	if i, ok := m.list.find(uid); ok {
		m.list.recs[i].date = date
	}
}

// onFile calls f with a copy of a record and its path, without a lock. When
// the file is not there any more it looks for its new name and tries again.
func (m *Mailbox) onFile(uid UID, f func(r *record, path string) error) error {
	last := ""
	for range 5 {
		if err := m.lockList(); err != nil {
			return err
		}
		i, ok := m.list.find(uid)
		if !ok {
			m.mu.Unlock()
			return errNoUID
		}
		r := m.list.recs[i]
		path := m.path(r.inNew, r.name)
		m.mu.Unlock()
		if path == last {
			// Nobody here renamed it.
			if r.missing {
				return errNoUID
			}
			if err := m.rescan(); err != nil {
				return diskFault(err)
			}
			last = ""
			continue
		}
		err := f(&r, path)
		if !errors.Is(err, fs.ErrNotExist) {
			return diskFault(err)
		}
		last = path
	}
	return errNoUID
}
