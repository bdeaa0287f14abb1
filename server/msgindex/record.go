package msgindex

import (
	"encoding/binary"

	"facteur/server/maildir"
)

// UID is the unique identifier of a message in a mailbox (RFC 9051 2.3.1.1).
type UID uint32

// ModSeq is a modification sequence (RFC 7162 3.1).
type ModSeq uint64

// UIDRange is the UIDs from First to Last, both included.
type UIDRange struct{ First, Last UID }

// Record is what the index keeps of a message in memory: 48 octets without a
// pointer, so that the garbage collector passes over them.
type Record struct {
	ModSeq       ModSeq
	sizeMarks    uint64 // size in the low 48 bits, marks above
	Entry        Ref    // in the cache; 0: none
	UID          UID
	Flags        maildir.Flags // the flags that stand in the file name
	InternalDate uint32        // seconds since 1970
	SaveDate     uint32        // seconds since 1970 (RFC 8514)
	Unique       uint32        // a hash of the unique part of the file name
	More         uint32        // the set of further keywords, numbered by the owner of the index; 0: none
}

// recordSize is the size of a Record in memory and in the list.
const recordSize = 48

// Marks are what is known of the file of a message.
type Marks uint16

// The marks of a record.
const (
	InNew   Marks = 1 << iota // the file is in new, not in cur
	Missing                   // a scan of the directory did not show the file
	Exact                     // the name in the cache is exactly that of the file
)

const (
	sizeBits = 48
	maxSize  = 1<<sizeBits - 1
)

// Size is the number of octets as served.
func (r *Record) Size() int64 { return int64(r.sizeMarks & maxSize) }

// SetSize sets the size, which is at least 0 and below 2^48.
func (r *Record) SetSize(n int64) {
	r.sizeMarks = r.sizeMarks&^maxSize | uint64(min(max(n, 0), maxSize))
}

// Marks returns all marks.
func (r *Record) Marks() Marks { return Marks(r.sizeMarks >> sizeBits) }

// SetMarks replaces all marks.
func (r *Record) SetMarks(m Marks) { r.sizeMarks = r.sizeMarks&maxSize | uint64(m)<<sizeBits }

// Has tells whether all of the marks are set.
func (r *Record) Has(m Marks) bool { return r.Marks()&m == m }

// Ref is the place of an entry in the cache: 40 bits of offset, 24 of length.
// It is 0 for no entry.
type Ref uint64

const (
	refLenBits = 24
	maxOffset  = 1<<40 - 1
)

func newRef(offset int64, length int) Ref { return Ref(offset<<refLenBits) | Ref(length) }

// Len is the number of octets of the entry.
func (r Ref) Len() int { return int(r & (1<<refLenBits - 1)) }

func (r Ref) offset() int64 { return int64(r >> refLenBits) }

// put writes r into b in the form of the list.
func (r *Record) put(b []byte) {
	_ = b[recordSize-1]
	binary.LittleEndian.PutUint64(b[0:], uint64(r.ModSeq))
	binary.LittleEndian.PutUint64(b[8:], r.sizeMarks)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.Entry))
	binary.LittleEndian.PutUint32(b[24:], uint32(r.UID))
	binary.LittleEndian.PutUint32(b[28:], uint32(r.Flags))
	binary.LittleEndian.PutUint32(b[32:], r.InternalDate)
	binary.LittleEndian.PutUint32(b[36:], r.SaveDate)
	binary.LittleEndian.PutUint32(b[40:], r.Unique)
	binary.LittleEndian.PutUint32(b[44:], r.More)
}

// get reads r from b.
func (r *Record) get(b []byte) {
	_ = b[recordSize-1]
	r.ModSeq = ModSeq(binary.LittleEndian.Uint64(b[0:]))
	r.sizeMarks = binary.LittleEndian.Uint64(b[8:])
	r.Entry = Ref(binary.LittleEndian.Uint64(b[16:]))
	r.UID = UID(binary.LittleEndian.Uint32(b[24:]))
	r.Flags = maildir.Flags(binary.LittleEndian.Uint32(b[28:]))
	r.InternalDate = binary.LittleEndian.Uint32(b[32:])
	r.SaveDate = binary.LittleEndian.Uint32(b[36:])
	r.Unique = binary.LittleEndian.Uint32(b[40:])
	r.More = binary.LittleEndian.Uint32(b[44:])
}
