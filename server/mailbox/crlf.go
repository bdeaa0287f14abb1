package mailbox

import (
	"bufio"
	"errors"
	"io"
	"sort"

	"facteur/server/maildir"
)

// crlfStep is the distance of the marks of a crlfIndex, in octets of the file.
const crlfStep = 16 << 10

// crlfIndex serves a file with bare LF as one with CRLF. A mark tells for
// every crlfStep octets of the file how many are served before them.
type crlfIndex struct {
	size  int64 // as served
	marks []mark
}

type mark struct {
	served int64
	afterC bool // the octet before is a CR
}

// indexCRLF reads a file through.
func indexCRLF(f io.ReaderAt) (*crlfIndex, error) {
	var x crlfIndex
	buf := make([]byte, crlfStep)
	afterCR := false
	for off := int64(0); ; off += crlfStep {
		n, err := f.ReadAt(buf, off)
		if n > 0 {
			x.marks = append(x.marks, mark{x.size, afterCR})
		}
		for _, c := range buf[:n] {
			if c == '\n' && !afterCR {
				x.size++
			}
			afterCR = c == '\r'
		}
		x.size += int64(n)
		if errors.Is(err, io.EOF) {
			return &x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// readAt is ReadAt on what is served.
func (x *crlfIndex) readAt(f io.ReaderAt, p []byte, off int64) (int, error) {
	if off >= x.size {
		return 0, io.EOF
	}
	i := sort.Search(len(x.marks), func(i int) bool { return x.marks[i].served > off }) - 1
	served, afterCR := x.marks[i].served, x.marks[i].afterC
	r := bufio.NewReader(io.NewSectionReader(f, int64(i)*crlfStep, 1<<62))
	n := 0
	put := func(c byte) {
		if served >= off && n < len(p) {
			p[n] = c
			n++
		}
		served++
	}
	for n < len(p) {
		c, err := r.ReadByte()
		if err != nil {
			return n, err
		}
		if c == '\n' && !afterCR {
			put('\r')
		}
		put(c)
		afterCR = c == '\r'
	}
	return n, nil
}

// servedSize returns the size of a file on disk and as served.
func servedSize(path string) (size, served int64, err error) {
	f, err := maildir.OpenFile(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	x, err := indexCRLF(f)
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), x.size, nil
}
