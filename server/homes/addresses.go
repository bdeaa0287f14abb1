package homes

import (
	"strings"
	"sync"

	"facteur/server/collection"
)

// maxBooks bounds the address books of which the addresses are remembered.
const maxBooks = 500

// addresses are who stands in an address book, as long as nothing in it changes: so a
// delivery looks one sender up, not through all cards.
type addresses struct {
	tag    collection.CTag
	of     map[string]*collection.Entry // by the term of EMAIL
	unsure []string                     // hrefs of cards with more than the index has; at most maxRead
}

// books remembers the addresses of address books.
type books struct {
	mu   sync.Mutex
	kept map[*collection.Collection]*addresses
}

// addresses returns those of an address book at one moment.
func (b *books) addresses(c *collection.Collection, s *collection.Snapshot) *addresses {
	tag := s.CTag()
	b.mu.Lock()
	known := b.kept[c]
	b.mu.Unlock()
	if known != nil && known.tag == tag {
		return known
	}
	read := readAddresses(s)
	read.tag = tag
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil || len(b.kept) >= maxBooks {
		b.kept = make(map[*collection.Collection]*addresses)
	}
	b.kept[c] = read
	return read
}

func readAddresses(s *collection.Snapshot) *addresses {
	a := &addresses{of: make(map[string]*collection.Entry)}
	for e := range s.All() {
		for _, p := range e.Facts.Props {
			switch {
			case strings.HasPrefix(p, emailPrefix):
				a.of[p] = e
			case p == MoreTerms && len(a.unsure) < maxRead:
				a.unsure = append(a.unsure, e.Href)
			}
		}
	}
	return a
}
