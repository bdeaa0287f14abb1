package msgindex

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"facteur/server/maildir"
)

// The log is frames: the length of the payload, a CRC-32C of the payload that
// goes on from that of the frame before (of the first: from that of the table),
// the payload. So no frame can be missing, doubled or of another file. The first
// octet of a payload is its kind.
const (
	frameHead = 8

	kindBatch = 'b' // see appendEdit
	kindStamp = 's' // mtimes of new and cur
	kindClean = 'c' // the same: closed, when it is the last frame
	kindOpen  = 'o' // a boot id: what follows was written under that
)

const (
	stampSize  = 16
	flagsSize  = 10             // of a change of flags: UID, flags, marks
	commitSize = 16 + stampSize // ModSeq, UIDNext, Recent, Stamp
)

// beginFrame appends the head of a frame of a kind; endFrame completes it.
func beginFrame(b []byte, kind byte) []byte {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, kind)
}

func endFrame(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-frameHead))
	return b
}

// chain sets the CRCs of frames that follow a frame with crc, and returns the
// last.
func chain(frames []byte, crc uint32) uint32 {
	for len(frames) > 0 {
		end := frameHead + int(binary.LittleEndian.Uint32(frames))
		crc = crc32.Update(crc, castagnoli, frames[frameHead:end])
		binary.LittleEndian.PutUint32(frames[4:], crc)
		frames = frames[end:]
	}
	return crc
}

func appendStamp(b []byte, s maildir.Stamp) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(s.New))
	return binary.LittleEndian.AppendUint64(b, uint64(s.Cur))
}

func readStamp(b []byte) maildir.Stamp {
	return maildir.Stamp{New: int64(binary.LittleEndian.Uint64(b)), Cur: int64(binary.LittleEndian.Uint64(b[8:]))}
}

// appendEdit appends the payload of an edit of base: what Commit has; four
// counts; changes of flags and marks alone that have the ModSeq of the batch;
// other changes, as records; removed messages, as first and last UID of a run of
// places; added records.
func appendEdit(b []byte, e *edit, base *Snapshot) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(e.commit.ModSeq))
	b = le.AppendUint32(b, uint32(e.commit.UIDNext))
	b = le.AppendUint32(b, uint32(e.commit.Recent))
	b = appendStamp(b, e.commit.Stamp)
	short, runs := 0, 0
	for i := range e.changes {
		if e.isShort(&e.changes[i], base) {
			short++
		}
	}
	for i := range e.removed {
		if i == 0 || e.removed[i] != e.removed[i-1]+1 {
			runs++
		}
	}
	for _, n := range []int{short, len(e.changes) - short, runs, len(e.added)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for i := range e.changes {
		if c := &e.changes[i]; e.isShort(c, base) {
			b = le.AppendUint32(b, uint32(c.rec.UID))
			b = le.AppendUint32(b, uint32(c.rec.Flags))
			b = le.AppendUint16(b, uint16(c.rec.Marks()))
		}
	}
	for i := range e.changes {
		if c := &e.changes[i]; !e.isShort(c, base) {
			b = appendRecord(b, &c.rec)
		}
	}
	for i, p := range e.removed {
		if i == 0 || p != e.removed[i-1]+1 {
			b = le.AppendUint32(b, uint32(base.At(p).UID))
		}
		if i+1 == len(e.removed) || e.removed[i+1] != p+1 {
			b = le.AppendUint32(b, uint32(base.At(p).UID))
		}
	}
	for i := range e.added {
		b = appendRecord(b, &e.added[i])
	}
	return b
}

func appendRecord(b []byte, r *Record) []byte {
	b = append(b, make([]byte, recordSize)...)
	r.put(b[len(b)-recordSize:])
	return b
}

// isShort tells whether a change is one of flags and marks alone.
func (e *edit) isShort(c *change, base *Snapshot) bool {
	old := *base.At(c.place)
	old.Flags, old.ModSeq = c.rec.Flags, e.commit.ModSeq
	old.SetMarks(c.rec.Marks())
	return old == c.rec
}

// parseEdit reads the payload of an edit of base into e, whose slices it reuses.
// It is false when the payload is none.
func (e *edit) parse(b []byte, base *Snapshot) bool {
	if len(b) < commitSize {
		return false
	}
	le := binary.LittleEndian
	e.commit = Commit{
		ModSeq: ModSeq(le.Uint64(b)), UIDNext: UID(le.Uint32(b[8:])), Recent: UID(le.Uint32(b[12:])),
		Stamp: readStamp(b[16:]),
	}
	e.changes, e.removed, e.added = e.changes[:0], e.removed[:0], e.added[:0]
	b = b[commitSize:]
	var counts [4]uint64
	need := uint64(0)
	for i, size := range [4]uint64{flagsSize, recordSize, 8, recordSize} {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > uint64(len(b)) {
			return false
		}
		counts[i], b = v, b[n:]
		need += v * size
	}
	if need != uint64(len(b)) {
		return false
	}
	for range counts[0] {
		i, ok := base.Find(UID(le.Uint32(b)))
		if !ok {
			return false
		}
		r := *base.At(i)
		r.Flags, r.ModSeq = maildir.Flags(le.Uint32(b[4:])), e.commit.ModSeq
		r.SetMarks(Marks(le.Uint16(b[8:])))
		e.changes, b = append(e.changes, change{i, r}), b[flagsSize:]
	}
	for range counts[1] {
		var c change
		c.rec.get(b)
		var ok bool
		if c.place, ok = base.Find(c.rec.UID); !ok {
			return false
		}
		e.changes, b = append(e.changes, c), b[recordSize:]
	}
	return e.parseRuns(b[:8*counts[2]], base) && e.parseAdded(b[8*counts[2]:], base)
}

func (e *edit) parseRuns(b []byte, base *Snapshot) bool {
	next := 0 // the least place that may come
	for ; len(b) > 0; b = b[8:] {
		i, ok := base.Find(UID(binary.LittleEndian.Uint32(b)))
		j, there := base.Find(UID(binary.LittleEndian.Uint32(b[4:])))
		if !ok || !there || i < next || j < i {
			return false
		}
		for ; i <= j; i++ {
			e.removed = append(e.removed, i)
		}
		next = j + 1
	}
	return true
}

func (e *edit) parseAdded(b []byte, base *Snapshot) bool {
	last := UID(0)
	if n := base.Len(); n > 0 {
		last = base.At(n - 1).UID
	}
	for ; len(b) > 0; b = b[recordSize:] {
		var r Record
		r.get(b)
		if r.UID <= last {
			return false
		}
		last = r.UID
		e.added = append(e.added, r)
	}
	return true
}

// maxLog bounds the log behind a table of a size, in octets.
func maxLog(table int64) int64 { return max(16<<20, table) }

// loaded is what a list holds.
type loaded struct {
	header header
	snap   Snapshot
	stamp  maildir.Stamp
	boot   bootID
	clean  bool
	torn   bool   // the log ends in octets that are no frame
	crc    uint32 // of the last frame
	size   int64  // of the file as far as it is good
}

// readList reads a list of a size. What is wrong in the log ends it there; any
// other damage is an error.
func readList(r io.Reader, size int64, validity uint32) (*loaded, error) {
	l := new(loaded)
	var err error
	if l.snap, l.crc, err = readTable(r, size, &l.header); err != nil {
		return nil, err
	}
	if l.header.validity != validity {
		return nil, errDamaged
	}
	l.stamp, l.boot, l.size = l.header.stamp, l.header.boot, l.header.tableSize()
	log := make([]byte, min(size-l.size, maxLog(l.size)))
	n, err := io.ReadFull(r, log)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil // the file was cut meanwhile
	}
	if err != nil {
		return nil, err
	}
	torn := size-l.size > int64(n)
	l.replay(log[:n])
	l.torn = l.torn || torn
	l.clean = l.clean && !l.torn
	return l, nil
}

// replay carries out the frames of the log.
func (l *loaded) replay(log []byte) {
	b := builder{s: l.snap, private: true}
	var e edit
	for len(log) > 0 {
		if len(log) <= frameHead {
			break
		}
		n := int64(binary.LittleEndian.Uint32(log))
		if n == 0 || n > int64(len(log)-frameHead) {
			break
		}
		payload := log[frameHead : frameHead+n]
		crc := crc32.Update(l.crc, castagnoli, payload)
		if crc != binary.LittleEndian.Uint32(log[4:]) || !l.frame(payload, &b, &e) {
			break
		}
		l.crc = crc
		l.size += frameHead + n
		log = log[frameHead+n:]
	}
	l.torn = len(log) > 0
	l.snap = b.s
}

// frame carries out one frame; it is false, and nothing was done, when it is
// none that was ever written.
func (l *loaded) frame(payload []byte, b *builder, e *edit) bool {
	kind, rest := payload[0], payload[1:]
	switch {
	case kind == kindBatch && e.parse(rest, &b.s):
		e.applyTo(b)
		if e.commit.Stamp != (maildir.Stamp{}) {
			l.stamp = e.commit.Stamp
		}
	case (kind == kindStamp || kind == kindClean) && len(rest) == stampSize:
		l.stamp = readStamp(rest)
	case kind == kindOpen && len(rest) == len(l.boot):
		copy(l.boot[:], rest)
	default:
		return false
	}
	l.clean = kind == kindClean
	return true
}
