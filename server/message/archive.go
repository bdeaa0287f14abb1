package message

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"strings"
)

// The bounds of looking into the archives of one message. What is over one is told as
// opaque.
const (
	maxArchiveDepth = 3         // archives in archives
	maxArchiveNames = 5000      // files
	maxArchiveText  = 256 << 10 // octets of their names
	maxArchiveName  = 1 << 10   // octets of one; a longer one is cut
	maxDirectory    = 1 << 20   // octets read for the directory of one zip
	maxPeeks        = 2000      // files in archives of which the beginning is read
	maxInflated     = 64 << 20  // octets that come out of compression, none of them kept
	maxArchiveRead  = 256 << 20 // octets that are read for all that, some more than once
	maxHeldArchive  = 8 << 20   // octets of a zip within an archive, which is kept while it is read
)

// archiveBudget is what is left of the bounds, for all archives of a message.
type archiveBudget struct {
	names, text, peeks int
	inflated, read     int64
}

func newArchiveBudget() *archiveBudget {
	return &archiveBudget{maxArchiveNames, maxArchiveText, maxPeeks, maxInflated, maxArchiveRead}
}

// lister collects the names in one file that may be an archive.
type lister struct {
	*archiveBudget
	files             []string
	encrypted, opaque bool
	depth             int
}

// archiveKind is what a file is, by its first octets.
type archiveKind uint8

const (
	noArchive archiveKind = iota
	zipArchive
	tarArchive
	gzipArchive
	otherArchive // that is not looked into
)

// sniffed is how many octets sniff looks at.
const sniffed = 512

// otherMagic are the beginnings of archives and disk images that are not looked into.
var otherMagic = []string{
	"7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "\xfd7zXZ\x00", "BZh", "\x28\xb5\x2f\xfd", "MSCF\x00\x00\x00\x00", "\x60\xea", "\x78\x9f\x3e\x22",
	"vhdxfile", "conectix",
}

// sniff tells what a file is.
func sniff(head []byte) archiveKind {
	switch {
	case len(head) >= 4 && head[0] == 'P' && head[1] == 'K' && (string(head[2:4]) == "\x03\x04" || string(head[2:4]) == "\x05\x06" || string(head[2:4]) == "\x07\x08"):
		return zipArchive
	case len(head) >= 3 && string(head[:3]) == "\x1f\x8b\x08": // RFC 1952 2.3.1
		return gzipArchive
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return tarArchive
	case len(head) >= 7 && string(head[2:5]) == "-lh" && head[6] == '-', len(head) >= 14 && string(head[7:14]) == "**ACE**":
		return otherArchive
	}
	for _, magic := range otherMagic {
		if bytes.HasPrefix(head, []byte(magic)) {
			return otherArchive
		}
	}
	return noArchive
}

// imageMagic is that of an ISO 9660 image, which systems open like an archive.
const (
	imageMagic = "CD001"
	imageAt    = 32<<10 + 1
)

// file looks into a file at any place of which can be read.
func (l *lister) file(r io.ReaderAt, size int64, name string) {
	head := make([]byte, min(sniffed, size))
	if n, err := r.ReadAt(head, 0); n < len(head) || err != nil && !errors.Is(err, io.EOF) {
		return
	}
	kind := sniff(head)
	switch {
	case kind == zipArchive:
		l.within(func() { l.zip(r, size) })
		return
	case kind == noArchive && size >= imageAt+int64(len(imageMagic)):
		magic := make([]byte, len(imageMagic))
		if n, _ := r.ReadAt(magic, imageAt); n == len(magic) && string(magic) == imageMagic {
			kind = otherArchive
		}
	}
	l.archive(kind, io.NewSectionReader(r, 0, size), name)
}

// stream looks into a file that can be read from its beginning only.
func (l *lister) stream(r io.Reader, name string) {
	head := make([]byte, sniffed)
	n, _ := io.ReadFull(r, head)
	head = head[:n]
	kind, all := sniff(head), io.MultiReader(bytes.NewReader(head), r)
	if kind == zipArchive {
		held, err := io.ReadAll(io.LimitReader(all, maxHeldArchive+1))
		if err != nil || len(held) > maxHeldArchive {
			l.opaque = true
			return
		}
		l.within(func() { l.zip(&metered{bytes.NewReader(held), l}, int64(len(held))) })
		return
	}
	l.archive(kind, all, name)
}

// archive looks into an archive of a kind other than zip.
func (l *lister) archive(kind archiveKind, r io.Reader, name string) {
	switch kind {
	case tarArchive:
		l.within(func() { l.tar(r) })
	case gzipArchive:
		l.within(func() { l.gzip(r, name) })
	case otherArchive:
		l.opaque = true
	}
}

// within goes into an archive, unless that is too deep.
func (l *lister) within(look func()) {
	if l.depth == maxArchiveDepth {
		l.opaque = true
		return
	}
	l.depth++
	look()
	l.depth--
}

// add adds a name; false: there is no room.
func (l *lister) add(name string) bool {
	if len(name) > maxArchiveName {
		name = trimPartial(name[:maxArchiveName])
	}
	if l.names == 0 || l.text < len(name) {
		l.opaque = true
		return false
	}
	l.names, l.text = l.names-1, l.text-len(name)
	l.files = append(l.files, name)
	return true
}

// peek tells whether one more file in an archive may be looked at.
func (l *lister) peek() bool {
	if l.peeks == 0 || l.inflated <= 0 {
		l.opaque = true
		return false
	}
	l.peeks--
	return true
}

// inside looks into a file of an archive, whose names come behind its own.
func (l *lister) inside(name string, look func()) {
	before := len(l.files)
	look()
	for i := before; i < len(l.files); i++ {
		room := len(name) + 1
		if l.text < room || len(l.files[i])+room > 2*maxArchiveName {
			continue
		}
		l.text -= room
		l.files[i] = name + "/" + l.files[i]
	}
}

// tar lists a tar file (POSIX.1-2001 pax, ustar, GNU).
func (l *lister) tar(r io.Reader) {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err != nil {
			l.opaque = l.opaque || err != io.EOF
			return
		}
		name := toUTF8(h.Name)
		if !l.add(name) {
			return
		}
		if h.Typeflag == tar.TypeReg && h.Size > 0 && l.peek() {
			l.inside(name, func() { l.stream(l.inflate(t), name) })
		}
	}
}

// gzip looks into a gzip file (RFC 1952): a tar file, another archive, or one file, whose
// name may be told.
func (l *lister) gzip(r io.Reader, outer string) {
	z, err := gzip.NewReader(r)
	if err != nil || !l.peek() {
		l.opaque = true
		return
	}
	in := l.inflate(z)
	head, err := io.ReadAll(io.LimitReader(in, sniffed))
	l.opaque = l.opaque || err != nil
	in = io.MultiReader(bytes.NewReader(head), in)
	if sniff(head) == tarArchive {
		l.tar(in)
		return
	}
	if name := cmp.Or(toUTF8(z.Name), strings.TrimSuffix(outer, ".gz")); name == "" || l.add(name) {
		l.inside(name, func() { l.stream(in, name) })
	}
}

// errTooMuch ends reading.
var errTooMuch = errors.New("the archives of this message hold too much")

// inflate bounds what comes out of compression.
func (l *lister) inflate(r io.Reader) io.Reader { return &inflated{r, l} }

type inflated struct {
	r io.Reader
	l *lister
}

func (i *inflated) Read(p []byte) (int, error) {
	if i.l.inflated <= 0 {
		i.l.opaque = true
		return 0, errTooMuch
	}
	n, err := i.r.Read(p)
	i.l.inflated -= int64(n)
	return n, err
}

// metered bounds what is read of archives: places in one may be named many times.
type metered struct {
	r io.ReaderAt
	l *lister
}

func (m *metered) ReadAt(p []byte, off int64) (int, error) {
	if m.l.read -= int64(len(p)); m.l.read < 0 {
		m.l.opaque = true
		return 0, errTooMuch
	}
	return m.r.ReadAt(p, off)
}
