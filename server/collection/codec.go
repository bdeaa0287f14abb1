package collection

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"time"
)

// The index of a collection is a log of frames: the length of the payload, a
// CRC-32C of it that goes on from that of the frame before, the payload. So no
// frame can be missing, doubled or of another file. The first octet of a payload
// is its kind.
const (
	frameHead = 8
	maxFrame  = 64 << 20

	kindHead   = 'h' // the first frame: a header
	kindPut    = 'p' // an object, new or changed
	kindRemove = 'd' // an object is gone
	kindOpen   = 'o' // the boot under which what follows was written
	kindClean  = 'c' // closed, when it is the last frame
)

// format changes with that of the frames.
const format = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the first frame.
type header struct {
	epoch    string
	identity string // of the directory: another has another index
	version  int    // Options.IndexVersion
	floor    uint64
	seq      uint64 // of the last change, which may be forgotten
}

// appendFrame appends a frame and returns its CRC.
func appendFrame(b, payload []byte, crc uint32) ([]byte, uint32) {
	crc = crc32.Update(crc, castagnoli, payload)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc)
	return append(b, payload...), crc
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendHeader(b []byte, h header) []byte {
	b = append(b, kindHead, format)
	b = appendString(b, h.epoch)
	b = appendString(b, h.identity)
	b = binary.AppendVarint(b, int64(h.version))
	b = binary.AppendUvarint(b, h.floor)
	return binary.AppendUvarint(b, h.seq)
}

const (
	markBroken   = 1 << iota
	markInfinite // Facts.Infinite
	markFirst    // Facts.First is not zero
	markLast
)

// appendRecord appends the payload of a record.
func appendRecord(b []byte, r *record) []byte {
	kind, marks := byte(kindPut), byte(0)
	if r.gone {
		kind = kindRemove
	}
	b = binary.AppendUvarint(append(b, kind), r.seq)
	b = appendString(b, r.Href)
	if r.gone {
		return b
	}
	for _, m := range []struct {
		set bool
		bit byte
	}{{r.Broken, markBroken}, {r.Facts.Infinite, markInfinite}, {!r.Facts.First.IsZero(), markFirst}, {!r.Facts.Last.IsZero(), markLast}} {
		if m.set {
			marks |= m.bit
		}
	}
	b = append(b, marks)
	b = appendString(b, r.file)
	b = appendString(b, string(r.ETag))
	b = binary.AppendUvarint(b, uint64(r.stat.size))
	b = binary.AppendVarint(b, r.stat.mtime)
	b = binary.AppendUvarint(b, r.stat.inode)
	b = appendString(b, r.Facts.UID)
	b = appendString(b, r.Facts.Kind)
	b = binary.AppendVarint(b, r.Facts.First.Unix())
	b = binary.AppendVarint(b, r.Facts.Last.Unix())
	b = binary.AppendUvarint(b, uint64(len(r.Facts.Props)))
	for _, p := range r.Facts.Props {
		b = appendString(b, p)
	}
	return b
}

// reader reads the parts of a payload; bad is set when there is too little.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) octet() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func parseHeader(payload []byte) (h header, ok bool) {
	r := reader{b: payload}
	if r.octet() != kindHead || r.octet() != format {
		return h, false
	}
	h = header{epoch: r.string(), identity: r.string(), version: int(r.varint()), floor: r.uvarint(), seq: r.uvarint()}
	return h, !r.bad && len(r.b) == 0 && h.floor <= h.seq && h.seq < math.MaxInt64
}

// parseRecord reads a record.
func parseRecord(payload []byte) (*record, bool) {
	r := reader{b: payload}
	gone := r.octet() == kindRemove
	rec := &record{gone: gone, seq: r.uvarint()}
	rec.Href = r.string()
	if gone {
		return rec, !r.bad && len(r.b) == 0 && rec.Href != ""
	}
	marks := r.octet()
	rec.file = r.string()
	rec.ETag = ETag(r.string())
	rec.stat = stat{size: int64(r.uvarint()), mtime: r.varint(), inode: r.uvarint()}
	rec.Size, rec.Modified = rec.stat.size, time.Unix(0, rec.stat.mtime)
	rec.Facts = Facts{UID: r.string(), Kind: r.string(), Infinite: marks&markInfinite != 0}
	first, last := r.varint(), r.varint()
	if marks&markFirst != 0 {
		rec.Facts.First = time.Unix(first, 0).UTC()
	}
	if marks&markLast != 0 {
		rec.Facts.Last = time.Unix(last, 0).UTC()
	}
	rec.Broken = marks&markBroken != 0
	n := r.uvarint()
	for ; n > 0 && !r.bad; n-- {
		rec.Facts.Props = append(rec.Facts.Props, r.string())
	}
	rec.setSpan()
	return rec, !r.bad && len(r.b) == 0 && rec.Href != "" && rec.Size >= 0
}

// loaded is what a log holds.
type loaded struct {
	header header
	table  *table
	boot   string // the last that it was written under
	clean  bool   // it was closed
	crc    uint32
	size   int64 // of its good frames
}

// readLog reads a log. What is wrong ends it at the frame before; ok is false when
// that leaves nothing to go on from.
func readLog(b []byte) (l loaded, ok bool) {
	for whole := int64(len(b)); len(b) > frameHead; {
		n := int64(binary.LittleEndian.Uint32(b))
		if n == 0 || n > maxFrame || n > int64(len(b)-frameHead) {
			break
		}
		payload := b[frameHead : frameHead+n]
		crc := crc32.Update(l.crc, castagnoli, payload)
		if crc != binary.LittleEndian.Uint32(b[4:]) || !l.frame(payload) {
			break
		}
		b = b[frameHead+n:]
		l.crc, l.size = crc, whole-int64(len(b))
	}
	if l.table == nil || len(b) > 0 {
		return l, false
	}
	l.table.snap.seq = max(l.table.snap.seq, l.header.seq)
	return l, true
}

// frame carries out one frame; it is false when it is none that was ever written.
func (l *loaded) frame(payload []byte) bool {
	kind, rest := payload[0], payload[1:]
	if (kind == kindHead) != (l.table == nil) {
		return false
	}
	l.clean = false
	switch kind {
	case kindHead:
		var ok bool
		if l.header, ok = parseHeader(payload); !ok {
			return false
		}
		l.table = newTable(l.header.epoch)
		l.table.snap.floor = l.header.floor
	case kindPut, kindRemove:
		r, ok := parseRecord(payload)
		if !ok || r.seq <= l.table.snap.seq {
			return false
		}
		l.table.apply(r)
	case kindOpen:
		l.boot = string(rest)
	case kindClean:
		l.clean = true
		return len(rest) == 0
	default:
		return false
	}
	return true
}

// newETag returns the tag of a hash.
func newETag(sum []byte) ETag { return ETag(`"` + hex.EncodeToString(sum) + `"`) }
