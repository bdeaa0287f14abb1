package mailbox

import (
	"io"
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
	e := m.Entries()
	defer e.Close()
	return e.open(uid)
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

// File returns the file when it is served as it is, for sendfile.
func (c *Content) File() (*os.File, bool) { return c.file, c.crlf == nil }

// InternalDate returns the time of arrival: the mtime of the file, in seconds.
func (m *Mailbox) InternalDate(uid UID) (time.Time, error) {
	snap, err := m.Snapshot()
	if err != nil {
		return time.Time{}, err
	}
	i, ok := snap.Find(uid)
	if !ok {
		return time.Time{}, errNoUID
	}
	return time.Unix(int64(snap.At(i).InternalDate), 0), nil
}
