package homes

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"facteur/server/collection"
	"facteur/server/fault"
)

// Names of what is made here: in hrefs, and of the collections in the derived store.
const (
	bookSegment      = mountMark + "book"
	birthdaysSegment = mountMark + "birthdays"
	bookName         = "book"
	birthdaysName    = "birthdays"
)

// makers are the states of all that is made from something else.
type makers struct {
	mu  sync.Mutex
	all map[string]*maker
}

// maker makes the objects of one derived collection. Its lock is held while it does.
type maker struct {
	mu    sync.Mutex
	of    any                  // of what the objects were made last
	token collection.SyncToken // of the collection after that
	sums  map[string][sha256.Size]byte
	cards map[string]cachedCard // of birthdays
}

func (m *makers) get(key string) *maker {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[string]*maker)
	}
	if m.all[key] == nil {
		m.all[key] = new(maker)
	}
	return m.all[key]
}

// reconcile gives a collection the objects of want, by href, and no others. What is there
// as it is wanted is not touched. With mu held.
func (m *maker) reconcile(c *collection.Collection, want map[string][]byte) error {
	s, err := c.Snapshot()
	if err != nil {
		return err
	}
	same, old := m.sums != nil && s.Token() == m.token, m.sums // nobody else changed it
	m.sums = nil
	sums := make(map[string][sha256.Size]byte, len(want))
	have := make(map[string]bool)
	var gone []string
	for e := range s.All() {
		if have[e.Href] = true; want[e.Href] == nil {
			gone = append(gone, e.Href)
		}
	}
	for _, href := range gone { // first, for their UIDs may come again
		if err := c.Remove(href, collection.Condition{}); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	var put []string
	for _, href := range sortedKeys(want) {
		data := want[href]
		sum := sha256.Sum256(data)
		sums[href] = sum
		if have[href] && (same && old[href] == sum || isObject(c, href, data)) {
			continue
		}
		put = append(put, href)
	}
	if err := putAll(c, put, want); err != nil {
		return err
	}
	if s, err = c.Snapshot(); err == nil {
		m.token, m.sums = s.Token(), sums
	}
	return err
}

// putters is how many objects are put at once: they wait for the disk, which serves several
// in the time of one.
const putters = 16

// putAll puts objects. They come in any order.
func putAll(c *collection.Collection, hrefs []string, data map[string][]byte) error {
	var next atomic.Int64
	var all sync.WaitGroup
	wrong := make([]error, min(putters, len(hrefs)))
	for i := range wrong {
		all.Go(func() {
			for wrong[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(hrefs) {
					return
				}
				_, _, wrong[i] = c.Put(hrefs[n], data[hrefs[n]], collection.Condition{})
			}
		})
	}
	all.Wait()
	return errors.Join(wrong...)
}

// current tells whether the objects were made of something, and nobody changed them since.
// With mu held.
func (m *maker) current(c *collection.Collection, same bool) bool {
	if !same || m.sums == nil {
		return false
	}
	s, err := c.Snapshot()
	return err == nil && s.Token() == m.token
}

// isObject tells whether an object has these octets.
func isObject(c *collection.Collection, href string, data []byte) bool {
	if e, err := c.Known(href); err != nil || e.Size != int64(len(data)) {
		return false
	}
	have, _, err := c.Read(href)
	return err == nil && bytes.Equal(have, data)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// madeID is the UID, and the begin of the href, of what is made of something with a name.
func madeID(of, name string) string {
	sum := sha256.Sum256([]byte("facteur " + of + " " + name))
	return hex.EncodeToString(sum[:16])
}

// allMade returns what is made for the owner of the home. What can't be made now is as it
// was: for want of it people must not be without what they keep.
func (h *Home) allMade() []*Collection {
	var out []*Collection
	for _, segment := range []string{birthdaysSegment, bookSegment} {
		c, err := h.openMade(segment)
		switch {
		case err == nil:
			out = append(out, c)
		case !fault.Is(err, fault.NotFound):
			h.homes.opt.Log.Warn("homes.made", "owner", h.Owner, "collection", segment, "err", err)
		}
	}
	return out
}

// openMade returns something that is made here. The error is NotFound when there is nothing
// of it, or the viewer may not see it.
func (h *Home) openMade(segment string) (*Collection, error) {
	if !h.Rights.Has(Read) || h.homes.opt.Derived == nil {
		return nil, errNoCollection()
	}
	switch segment {
	case birthdaysSegment:
		c, err := h.birthdays()
		if err != nil {
			return nil, err
		}
		return h.made(c, Birthdays, segment, "Birthdays"), nil
	case bookSegment:
		if _, person := h.homes.opt.Directory().Account(h.Owner); !person {
			return nil, errNoCollection()
		}
		domain, _ := h.homes.opt.Directory().Primary(h.Owner.Domain)
		c, err := h.homes.book(domain)
		if err != nil {
			return nil, err
		}
		return h.made(c, Book, segment, domain.Unicode()), nil
	}
	return nil, errNoCollection()
}

func (h *Home) made(c *collection.Collection, origin Origin, segment, label string) *Collection {
	return &Collection{
		Collection: c, described: c, home: h, Origin: origin, Segment: segment, Owner: h.Owner, Viewer: h.Viewer,
		Rights: ReaderRights, Personal: true, label: label,
	}
}
