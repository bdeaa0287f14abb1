package fts

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// A group ends when it has groupKeys keys or groupOctets octets of lists.
const (
	groupKeys   = 256
	groupOctets = 16 << 10
)

// writer writes a segment, key by key. It holds one group and the directory.
type writer struct {
	out      *bufio.Writer
	after    uint32
	through  uint32
	messages uint32

	off   int64 // of the group
	first uint32
	last  uint32
	keys  int
	table []byte
	lists []byte
	dir   []byte
	sum   uint32 // CRC of the group so far
}

func newWriter(out io.Writer, after, through uint32) *writer {
	return &writer{out: bufio.NewWriterSize(out, 64<<10), after: after, through: through}
}

// add adds a key, above all before it, with its UIDs. Without UIDs it does
// nothing.
func (w *writer) add(key uint32, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	if key == keyAll {
		w.messages = uint32(len(uids))
	}
	if w.keys == 0 {
		w.first, w.last = key, key
	}
	at := len(w.lists)
	w.lists = appendUIDs(w.lists, uids, w.after, w.through)
	w.table = binary.AppendUvarint(w.table, uint64(key-w.last))
	w.table = binary.AppendUvarint(w.table, uint64(len(uids)))
	w.table = binary.AppendUvarint(w.table, uint64(len(w.lists)-at))
	w.last = key
	if w.keys++; w.keys < groupKeys && len(w.lists) < groupOctets {
		return nil
	}
	return w.endGroup()
}

func (w *writer) endGroup() error {
	if w.keys == 0 {
		return nil
	}
	if w.off > maxOffset {
		return errTooLong
	}
	w.dir = binary.BigEndian.AppendUint64(w.dir, dirEntry(w.first, w.off))
	head := binary.AppendUvarint(nil, uint64(w.keys))
	w.sum = 0
	w.write(head)
	w.write(w.table)
	w.write(w.lists)
	w.keys, w.table, w.lists = 0, w.table[:0], w.lists[:0]
	return w.write(binary.LittleEndian.AppendUint32(nil, w.sum))
}

// write writes a part of the group. An error of out stays: the last part tells it.
func (w *writer) write(p []byte) error {
	w.sum = crc32.Update(w.sum, castagnoli, p)
	w.off += int64(len(p))
	_, err := w.out.Write(p)
	return err
}

// finish writes the last group, the directory and the trailer.
func (w *writer) finish(tag uint64) error {
	if err := w.endGroup(); err != nil {
		return err
	}
	w.out.Write(w.dir)
	t := trailer{
		tag: tag, after: w.after, through: w.through, messages: w.messages,
		dirOff: w.off, dirLen: int64(len(w.dir)), dirSum: crc32.Checksum(w.dir, castagnoli),
	}
	w.out.Write(t.append(nil))
	return w.out.Flush()
}

// size is that of the file after finish.
func (w *writer) size() int64 { return w.off + int64(len(w.dir)) + trailerLen }
