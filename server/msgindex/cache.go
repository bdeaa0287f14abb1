package msgindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"

	"facteur/server/safefile"
)

// The cache begins with a header: magic, a random generation, UIDVALIDITY, and
// a CRC-32C of these. An entry is its length, a CRC-32C of what follows that goes
// on from that of the header, the UID, the length of the name, the name and the
// summary. So an entry of another file, mailbox or message never fits.
const (
	cacheMagic  = "fctcach1"
	cacheHeader = 24
	entryHead   = 14
)

// maxEntry bounds an entry, in octets.
const maxEntry = 4 << 20

// cacheFile is an open cache. Its fields belong to Index.cacheMu, but for file,
// seed and reading, which do not change.
type cacheFile struct {
	file    safefile.File
	seed    uint32 // CRC of the header
	size    int64
	buf     []byte
	users   int  // readers, and the index itself
	spoiled bool // it was cut or fails: to be made anew
}

var errNoCache = errors.New("the cache can't be written")

// PutEntry appends an entry to the cache with one write, from any goroutine: the
// name of the file as it is on disk, and the summary, which may be empty. On
// error the Ref is 0, and the caller goes on without an entry.
func (x *Index) PutEntry(uid UID, name string, summary []byte) (Ref, error) {
	size := entryHead + len(name) + len(summary)
	if len(name) > 0xffff || size > maxEntry {
		return 0, fmt.Errorf("an entry of %d octets is too long", size)
	}
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	c, err := x.openCache(true)
	if err != nil {
		return 0, err
	}
	if c.size+int64(size) > maxOffset {
		return 0, errNoCache
	}
	c.buf = appendEntry(c.buf[:0], uid, name, summary, c.seed)
	n, err := c.file.Write(c.buf)
	ref := newRef(c.size, len(c.buf))
	c.size += int64(max(n, 0))
	if cap(c.buf) > windowSize {
		c.buf = nil
	}
	if err != nil {
		return 0, err
	}
	return ref, nil
}

func appendEntry[B []byte | string](b []byte, uid UID, name B, summary []byte, seed uint32) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(uid))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = append(append(b, name...), summary...)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Update(seed, castagnoli, b[start+8:]))
	return b
}

// parseEntry reads the entry of a message, which b is as a whole.
func parseEntry(b []byte, uid UID, seed uint32) (name, summary []byte, ok bool) {
	if len(b) < entryHead || binary.LittleEndian.Uint32(b) != uint32(len(b)) {
		return nil, nil, false
	}
	end := entryHead + int(binary.LittleEndian.Uint16(b[12:]))
	if UID(binary.LittleEndian.Uint32(b[8:])) != uid || end > len(b) ||
		crc32.Update(seed, castagnoli, b[8:]) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, nil, false
	}
	return b[entryHead:end:end], b[end:], true
}

// openCache returns the open cache; it opens that which is there, and makes one
// to write to. With cacheMu held.
func (x *Index) openCache(write bool) (*cacheFile, error) {
	c := x.cache
	if c != nil && (!c.spoiled || !write) {
		return c, nil
	}
	if x.cacheClosed || x.compacting || x.noCache && !write || x.opt.Now().Before(x.cacheRetry) {
		return nil, errNoCache
	}
	var err error
	if c != nil {
		c = nil // it is spoiled
	} else {
		c, err = x.existingCache()
		x.noCache = c == nil
	}
	if c == nil && err == nil && write {
		if c, err = x.newCache(); err == nil {
			err = x.installCache(c)
		}
	}
	if err != nil {
		x.cacheRetry = x.opt.Now().Add(retryAfter)
		return nil, err
	}
	if c == nil {
		return nil, errNoCache
	}
	x.releaseCache(x.cache)
	x.cache, x.noCache = c, false
	return c, nil
}

// existingCache opens the cache that is there. It is nil when there is none, or
// none that is of use.
func (x *Index) existingCache() (*cacheFile, error) {
	info, err := os.Lstat(x.path(cacheName))
	if err != nil || !info.Mode().IsRegular() || info.Size() < cacheHeader {
		return nil, nil
	}
	f, err := x.opt.FS.Append(x.path(cacheName))
	if err != nil {
		return nil, err
	}
	var b [cacheHeader]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		f.Close()
		return nil, nil
	}
	crc := crc32.Checksum(b[:20], castagnoli)
	if string(b[:8]) != cacheMagic || binary.LittleEndian.Uint32(b[16:]) != x.opt.Validity || binary.LittleEndian.Uint32(b[20:]) != crc {
		f.Close()
		return nil, nil
	}
	return &cacheFile{file: f, seed: crc, size: info.Size(), users: 1}, nil
}

// newCache makes a cache with a header beside the one that is there.
func (x *Index) newCache() (*cacheFile, error) {
	f, err := x.create(cacheName + suffix)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint64([]byte(cacheMagic), rand.Uint64())
	b = binary.LittleEndian.AppendUint32(b, x.opt.Validity)
	c := &cacheFile{file: f, seed: crc32.Checksum(b, castagnoli), size: cacheHeader, users: 1}
	if _, err := f.Write(binary.LittleEndian.AppendUint32(b, c.seed)); err != nil {
		x.discardCache(c)
		return nil, err
	}
	return c, nil
}

// installCache puts a new cache in the place of the old one.
func (x *Index) installCache(c *cacheFile) error {
	err := x.opt.FS.Rename(x.path(cacheName+suffix), x.path(cacheName))
	if err != nil {
		x.discardCache(c)
	}
	return err
}

func (x *Index) discardCache(c *cacheFile) {
	c.file.Close()
	x.opt.FS.Remove(x.path(cacheName + suffix))
}

// useCache returns the open cache for a reader, nil when there is none.
func (x *Index) useCache() *cacheFile {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	c, err := x.openCache(false)
	if err != nil {
		return nil
	}
	c.users++
	return c
}

// leaveCache ends the use of a reader.
func (x *Index) leaveCache(c *cacheFile) {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	x.releaseCache(c)
}

func (x *Index) releaseCache(c *cacheFile) {
	if c == nil {
		return
	}
	if c.users--; c.users == 0 {
		c.file.Close()
	}
}

// doubtCache is called when a cache could not be read up to some place. It is spoiled when it
// fails, or is shorter than it was; a Ref of another file, from before or after a compaction,
// may point behind its end, which may have moved since.
func (x *Index) doubtCache(c *cacheFile, err error) {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	if err == nil || errors.Is(err, io.EOF) {
		var last [1]byte
		_, err = c.file.ReadAt(last[:], c.size-1)
	}
	if err != nil {
		c.spoiled = true
	}
}

// closeCache ends the use of the index; readers go on.
func (x *Index) closeCache() {
	x.cacheMu.Lock()
	defer x.cacheMu.Unlock()
	x.releaseCache(x.cache)
	x.cache, x.cacheClosed = nil, true
}
