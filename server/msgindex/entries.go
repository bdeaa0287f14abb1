package msgindex

const (
	windowSize = 64 << 10 // of a sequential read
	singleSize = 4 << 10  // of any other
)

// Entries reads entries of the cache. It belongs to one goroutine.
type Entries struct {
	x      *Index
	c      *cacheFile // nil: none is used
	pooled *[]byte
	large  []byte // for an entry above windowSize
	data   []byte // what was read, at offset start
	start  int64
}

// Entries returns a reader, to be closed.
func (x *Index) Entries() *Entries { return &Entries{x: x} }

// Entry returns the entry of a message: the name of its file when the entry was
// made, and the summary, empty when the message had not been read. The slices are
// valid until the next call. It is false when there is no entry that fits; then
// the caller reads the message. It costs one read for each 64 KiB when entries
// are asked for in the order in which they were put.
func (e *Entries) Entry(r *Record) (name, summary []byte, ok bool) {
	n := r.Entry.Len()
	if n < entryHead || n > maxEntry {
		return nil, nil, false
	}
	if e.c == nil {
		if e.c = e.x.useCache(); e.c == nil {
			return nil, nil, false
		}
	}
	if name, summary, ok = e.entry(r); ok || !e.renew() {
		return name, summary, ok
	}
	return e.entry(r)
}

// entry reads from the window, or the file.
func (e *Entries) entry(r *Record) (name, summary []byte, ok bool) {
	at, n := r.Entry.offset(), r.Entry.Len()
	if from := at - e.start; from >= 0 && from+int64(n) <= int64(len(e.data)) {
		if name, summary, ok = parseEntry(e.data[from:from+int64(n)], r.UID, e.c.seed); ok {
			return name, summary, ok
		}
		// The window may be older than the entry.
	}
	if b := e.read(at, n); b != nil {
		return parseEntry(b, r.UID, e.c.seed)
	}
	return nil, nil, false
}

// read fills the window from an offset on and returns the first n octets, nil
// when there are not so many.
func (e *Entries) read(at int64, n int) []byte {
	size := singleSize
	if len(e.data) > 0 && at >= e.start && at <= e.start+int64(len(e.data)) {
		size = windowSize
	}
	buf := e.buffer(max(n, size))
	got, err := e.c.file.ReadAt(buf, at)
	e.start, e.data = at, buf[:max(got, 0)]
	if got >= n {
		return buf[:n]
	}
	e.x.doubtCache(e.c, err)
	return nil
}

// buffer returns a buffer of a size.
func (e *Entries) buffer(size int) []byte {
	if size > windowSize {
		if cap(e.large) < size {
			e.large = make([]byte, size)
		}
		return e.large[:size]
	}
	if e.pooled == nil {
		if p, ok := e.x.windows.Get().(*[]byte); ok {
			e.pooled = p
		} else {
			b := make([]byte, windowSize)
			e.pooled = &b
		}
	}
	return (*e.pooled)[:size]
}

// renew goes over to the newest cache; it is false when that is in use already.
func (e *Entries) renew() bool {
	e.x.cacheMu.Lock()
	same := e.x.cache == e.c || e.x.cache == nil
	e.x.cacheMu.Unlock()
	if same {
		return false
	}
	e.leave()
	e.c = e.x.useCache()
	return e.c != nil
}

func (e *Entries) leave() {
	if e.c != nil {
		e.x.leaveCache(e.c)
	}
	e.c, e.data, e.start = nil, nil, 0
}

// Close gives the buffer back.
func (e *Entries) Close() {
	e.leave()
	if e.pooled != nil {
		e.x.windows.Put(e.pooled)
		e.pooled = nil
	}
}
