package message

import (
	"archive/zip"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The general purpose bits of a file in a zip (APPNOTE 4.4.4).
const (
	zipEncrypted = 1 << 0
	zipMasked    = 1 << 13 // the directory is encrypted
)

// zip lists a zip file: its directory, of which nothing is inflated. Office documents are
// zip files too.
func (l *lister) zip(r io.ReaderAt, size int64) {
	bounded := &boundedAt{r, maxDirectory}
	z, err := zip.NewReader(bounded, size)
	if err != nil {
		l.opaque = true
		return
	}
	bounded.left = math.MaxInt64
	for _, f := range z.File {
		name := zipName(f)
		if !l.add(name) {
			return
		}
		switch {
		case f.Flags&(zipEncrypted|zipMasked) != 0:
			l.encrypted = true
		case !strings.HasSuffix(name, "/") && l.peek():
			l.inside(name, func() { l.zipped(r, f, name) })
		}
	}
}

// zipped looks into a file of a zip. One that is not compressed is read where it lies.
func (l *lister) zipped(r io.ReaderAt, f *zip.File, name string) {
	if f.Method == zip.Store {
		if at, err := f.DataOffset(); err == nil {
			size := int64(min(f.CompressedSize64, math.MaxInt64))
			l.file(io.NewSectionReader(r, at, size), size, name)
			return
		}
	}
	in, err := f.Open()
	if err != nil { // an unknown method, or damage
		l.opaque = true
		return
	}
	defer in.Close()
	l.stream(l.inflate(in), name)
}

// zipName returns the name of a file as UTF-8: without the flag for it (APPNOTE appendix
// D) it is most often code page 437, or UTF-8 all the same.
func zipName(f *zip.File) string {
	if !f.NonUTF8 || utf8.ValidString(f.Name) {
		return strings.ToValidUTF8(f.Name, "\uFFFD")
	}
	var b strings.Builder
	for i := range len(f.Name) {
		b.WriteRune(charmap.CodePage437.DecodeByte(f.Name[i]))
	}
	return b.String()
}

// boundedAt bounds how much is read, so that a directory takes little memory.
type boundedAt struct {
	r    io.ReaderAt
	left int64
}

func (b *boundedAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, io.ErrNoProgress
	}
	return b.r.ReadAt(p, off)
}
