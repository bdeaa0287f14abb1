package msgindex

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"facteur/server/maildir"
)

// The list begins with a header of fixed size:
//
//	 0  magic
//	 8  UIDVALIDITY, UIDNEXT, first recent UID, number of records: 4 octets each
//	24  number of vanished ranges, 0: 4 octets each
//	32  HIGHESTMODSEQ, floor of the vanished ranges: 8 octets each
//	48  mtimes of new and cur: 8 octets each
//	64  boot id, hashed
//	80  random
//	88  CRC-32C of the above
//
// Then come the records, the vanished ranges (ModSeq, first and last UID), and
// a CRC-32C of both that goes on from that of the header. The log follows. All
// numbers are little-endian.
const (
	listMagic    = "fctlist1"
	headerSize   = 92
	vanishedSize = 16
	crcSize      = 4
	pieceSize    = 4 * chunkSize * recordSize // of reading and writing
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged stands for a file that is not as it was written.
var errDamaged = errors.New("the file is damaged, or of another version or mailbox")

// bootID is the id of a boot of the system, hashed.
type bootID [16]byte

// header is that of the list.
type header struct {
	validity     uint32
	count        uint32
	gone         uint32
	next, recent UID
	highest      ModSeq
	floor        ModSeq
	stamp        maildir.Stamp
	boot         bootID
	random       uint64
	octets       [headerSize]byte // the above as on disk
	crc          uint32
}

func (h *header) put() {
	b := h.octets[:]
	copy(b, listMagic)
	for i, v := range []uint32{h.validity, uint32(h.next), uint32(h.recent), h.count, h.gone, 0} {
		binary.LittleEndian.PutUint32(b[8+4*i:], v)
	}
	for i, v := range []uint64{uint64(h.highest), uint64(h.floor), uint64(h.stamp.New), uint64(h.stamp.Cur)} {
		binary.LittleEndian.PutUint64(b[32+8*i:], v)
	}
	copy(b[64:80], h.boot[:])
	binary.LittleEndian.PutUint64(b[80:], h.random)
	h.crc = crc32.Checksum(b[:88], castagnoli)
	binary.LittleEndian.PutUint32(b[88:], h.crc)
}

// get reads the header from octets.
func (h *header) get() error {
	b := h.octets[:]
	h.crc = crc32.Checksum(b[:88], castagnoli)
	if string(b[:8]) != listMagic || binary.LittleEndian.Uint32(b[88:]) != h.crc {
		return errDamaged
	}
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
	u64 := func(i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
	h.validity, h.next, h.recent = u32(8), UID(u32(12)), UID(u32(16))
	h.count, h.gone = u32(20), u32(24)
	h.highest, h.floor = ModSeq(u64(32)), ModSeq(u64(40))
	h.stamp = maildir.Stamp{New: int64(u64(48)), Cur: int64(u64(56))}
	copy(h.boot[:], b[64:80])
	h.random = u64(80)
	return nil
}

// tableSize is the size of the file up to the log.
func (h *header) tableSize() int64 {
	return headerSize + int64(h.count)*recordSize + int64(h.gone)*vanishedSize + crcSize
}

// writeTable writes the list up to the log. It returns the CRC with which the
// log begins.
func writeTable(w io.Writer, h *header, s *Snapshot) (crc uint32, err error) {
	h.count, h.gone = uint32(s.Len()), uint32(len(s.vanished))
	h.next, h.recent, h.highest, h.floor = s.next, s.recent, s.highest, s.floor
	h.put()
	buf := append(make([]byte, 0, pieceSize+headerSize), h.octets[:]...)
	crc = h.crc
	from := headerSize // what is behind it in buf is not in crc yet
	flush := func(room int) {
		if err != nil || len(buf)+room <= pieceSize {
			return
		}
		crc = crc32.Update(crc, castagnoli, buf[from:])
		_, err = w.Write(buf)
		buf, from = buf[:0], 0
	}
	for k := 0; k <= len(s.spans); k++ {
		recs := s.chunk(k)
		for i := range recs {
			flush(recordSize)
			buf = buf[:len(buf)+recordSize]
			recs[i].put(buf[len(buf)-recordSize:])
		}
	}
	for _, v := range s.vanished {
		flush(vanishedSize)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(v.modSeq))
		buf = binary.LittleEndian.AppendUint32(buf, uint32(v.first))
		buf = binary.LittleEndian.AppendUint32(buf, uint32(v.last))
	}
	crc = crc32.Update(crc, castagnoli, buf[from:])
	buf = binary.LittleEndian.AppendUint32(buf, crc)
	if err == nil {
		_, err = w.Write(buf)
	}
	return crc, err
}

// readTable reads the list up to the log, of a file of a size.
func readTable(r io.Reader, size int64, h *header) (s Snapshot, crc uint32, err error) {
	if _, err = io.ReadFull(r, h.octets[:]); err != nil {
		return s, 0, err
	}
	if err = h.get(); err != nil {
		return s, 0, err
	}
	if h.tableSize() > size || h.gone > maxVanished || h.next == 0 {
		return s, 0, errDamaged
	}
	s = Snapshot{next: h.next, recent: h.recent, highest: h.highest, floor: h.floor}
	crc = h.crc
	buf := make([]byte, min(pieceSize, int64(h.count)*recordSize))
	last := UID(0)
	for left := int(h.count) * recordSize; left > 0; left -= len(buf) {
		buf = buf[:min(len(buf), left)]
		if _, err = io.ReadFull(r, buf); err != nil {
			return s, 0, err
		}
		crc = crc32.Update(crc, castagnoli, buf)
		if last, err = s.load(buf, last); err != nil {
			return s, 0, err
		}
	}
	if last >= s.next {
		return s, 0, errDamaged
	}
	crc, err = s.loadVanished(r, int(h.gone), crc)
	return s, crc, err
}

// load appends the records of a piece, which is of whole chunks, or the end.
func (s *Snapshot) load(buf []byte, last UID) (UID, error) {
	for len(buf) > 0 {
		n := min(len(buf)/recordSize, chunkSize)
		recs, highest := make([]Record, n), ModSeq(0)
		for i := range recs {
			r := &recs[i]
			r.get(buf[i*recordSize:])
			if r.UID <= last || r.ModSeq > s.highest {
				return 0, errDamaged
			}
			last = r.UID
			highest = max(highest, r.ModSeq)
			s.count(r, +1)
		}
		if n < chunkSize {
			s.tail, s.tailHighest = recs, highest
		} else {
			s.spans = append(s.spans, span{&chunk{recs, highest}, uint32(s.sealed), recs[0].UID})
			s.sealed += n
		}
		buf = buf[n*recordSize:]
	}
	return last, nil
}

// loadVanished reads the vanished ranges and the CRC behind them.
func (s *Snapshot) loadVanished(r io.Reader, n int, crc uint32) (uint32, error) {
	buf := make([]byte, n*vanishedSize+crcSize)
	if _, err := io.ReadFull(r, buf); err != nil {
		return 0, err
	}
	ranges := buf[:n*vanishedSize]
	crc = crc32.Update(crc, castagnoli, ranges)
	if binary.LittleEndian.Uint32(buf[len(ranges):]) != crc {
		return 0, errDamaged
	}
	last := ModSeq(0)
	for ; len(ranges) > 0; ranges = ranges[vanishedSize:] {
		v := vanished{
			ModSeq(binary.LittleEndian.Uint64(ranges)),
			UID(binary.LittleEndian.Uint32(ranges[8:])), UID(binary.LittleEndian.Uint32(ranges[12:])),
		}
		if v.modSeq < last || v.modSeq > s.highest || v.first > v.last {
			return 0, errDamaged
		}
		last = v.modSeq
		s.vanished = append(s.vanished, v)
	}
	return crc, nil
}
