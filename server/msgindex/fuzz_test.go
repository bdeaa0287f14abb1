package msgindex

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"testing"
)

// FuzzList reads arbitrary octets as a list. Whatever is read is a sound
// snapshot, and survives being written. Inputs with the right CRCs get further:
// mend sets them.
func FuzzList(f *testing.F) {
	list, _ := small(f)
	f.Add(list, false)
	f.Add(list, true)
	f.Fuzz(func(t *testing.T, data []byte, mended bool) {
		if mended {
			data = mend(bytes.Clone(data))
		}
		l, err := readList(bytes.NewReader(data), int64(len(data)), 7)
		if err != nil {
			return
		}
		s := &l.snap
		sound(t, s)
		if l.size > int64(len(data)) || l.torn == (l.size == int64(len(data))) || l.torn && l.clean {
			t.Fatalf("%d of %d octets are good, torn %v, clean %v", l.size, len(data), l.torn, l.clean)
		}
		if s.Len() > 0 && s.next <= s.At(s.Len()-1).UID {
			return // UIDs ended
		}
		var out bytes.Buffer
		if _, err := writeTable(&out, &header{validity: 7}, s); err != nil {
			t.Fatal(err)
		}
		again, err := readList(&out, int64(out.Len()), 7)
		if err != nil || !reflect.DeepEqual(all(&again.snap), all(s)) {
			t.Fatalf("written and read, it is another: %v", err)
		}
	})
}

func all(s *Snapshot) []Record {
	recs := []Record{}
	for _, r := range s.Range(0, s.Len()) {
		recs = append(recs, *r)
	}
	return recs
}

// sound checks what must hold for every snapshot.
func sound(t *testing.T, s *Snapshot) {
	last, unseen := UID(0), 0
	for i, r := range s.Range(0, s.Len()) {
		if r.UID <= last || r.ModSeq > s.highest || r != s.At(i) {
			t.Fatalf("at %d is %+v after UID %d, HIGHESTMODSEQ %d", i, r, last, s.highest)
		}
		if at, ok := s.Find(r.UID); !ok || at != i {
			t.Fatalf("UID %d is found at %d, not at %d", r.UID, at, i)
		}
		last = r.UID
		if r.Flags&16 == 0 {
			unseen++
		}
	}
	if unseen != s.unseen || len(s.vanished) > maxVanished {
		t.Fatalf("%d unseen, not %d; %d ranges", unseen, s.unseen, len(s.vanished))
	}
	s.Vanished(0)
	if c := Diff(s, s); len(c.Gone)+len(c.Changed)+c.Added != 0 {
		t.Fatalf("%v", c)
	}
}

// mend sets the CRCs of a list, as far as its lengths let it be one.
func mend(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	copy(b, listMagic)
	crc := crc32.Checksum(b[:88], castagnoli)
	binary.LittleEndian.PutUint32(b[88:], crc)
	n := headerSize + int64(binary.LittleEndian.Uint32(b[20:]))*recordSize + int64(binary.LittleEndian.Uint32(b[24:]))*vanishedSize
	if n+crcSize > int64(len(b)) {
		return b
	}
	crc = crc32.Update(crc, castagnoli, b[headerSize:n])
	binary.LittleEndian.PutUint32(b[n:], crc)
	for log := b[n+crcSize:]; len(log) > frameHead; {
		size := int64(binary.LittleEndian.Uint32(log))
		if size == 0 || size > int64(len(log)-frameHead) {
			break
		}
		crc = crc32.Update(crc, castagnoli, log[frameHead:frameHead+size])
		binary.LittleEndian.PutUint32(log[4:], crc)
		log = log[frameHead+size:]
	}
	return b
}

// FuzzEntry reads arbitrary octets as an entry of the cache.
func FuzzEntry(f *testing.F) {
	f.Add(appendEntry(nil, 1, "1700000000.M1P2Q3.host,S=12:2,S", []byte("summary"), 4711), uint32(1), false)
	f.Add(appendEntry(nil, 2, "", nil, 4711), uint32(2), true)
	f.Fuzz(func(t *testing.T, b []byte, uid uint32, mended bool) {
		if mended && len(b) >= entryHead {
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint32(b, uint32(len(b)))
			binary.LittleEndian.PutUint32(b[8:], uid)
			binary.LittleEndian.PutUint32(b[4:], crc32.Update(4711, castagnoli, b[8:]))
		}
		name, summary, ok := parseEntry(b, UID(uid), 4711)
		if !ok {
			return
		}
		if again := appendEntry(nil, UID(uid), name, summary, 4711); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}
