package attachments

import (
	"errors"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/homes"
)

// grace is for how long an attachment has to be seen without an object that names it.
const grace = 30 * time.Minute

// Tidy removes the attachments of a home that nothing has named for a while, and brings back
// what is named again.
func (s *Store) Tidy(owner address.Address) error {
	box, err := s.box(owner)
	if err != nil {
		return err
	}
	some, err := s.some(box)
	if !some || err != nil {
		return err
	}
	h := s.in(box)
	h.Lock()
	defer h.Unlock()
	_, back := s.missing(box)
	return errors.Join(s.sweep(h, box), back)
}

// Restore brings back at once what is named again, as after objects were undeleted, and returns how
// many attachments.
func (s *Store) Restore(owner address.Address) (n int, err error) {
	box, err := s.box(owner)
	if err != nil {
		return 0, err
	}
	h := s.in(box)
	h.Lock()
	defer h.Unlock()
	return s.missing(box)
}

// some tells whether a home has attachments, or had.
func (s *Store) some(box address.Address) (bool, error) {
	u, err := s.opt.Files.Usage(box)
	if err != nil || u.Files > 0 {
		return u.Files > 0, err
	}
	gone, err := s.opt.Files.Deleted(box)
	return len(gone) > 0, err
}

// sweep removes what nothing names. With h locked.
func (s *Store) sweep(h *home, box address.Address) (err error) {
	tree, err := s.opt.Files.Tree(box)
	if err != nil {
		return err
	}
	list, err := tree.List(nil)
	if err != nil {
		return err
	}
	now, idle := s.opt.Now(), make(map[string]time.Time)
	for _, i := range list {
		if !homes.IsAttachmentID(i.Name) || h.held[i.Name] > 0 {
			continue
		}
		named, why := s.named(box, i.Name)
		if why != nil {
			return errors.Join(err, why)
		}
		if named {
			continue
		}
		since, seen := h.idle[i.Name]
		if seen && now.Sub(since) >= grace {
			err = errors.Join(err, s.remove(box, i.Name))
			continue
		}
		if !seen {
			since = now
		}
		idle[i.Name] = since
	}
	h.idle = idle
	return err
}

// missing brings back what is named and not there. With the home locked.
func (s *Store) missing(box address.Address) (n int, err error) {
	gone, err := s.opt.Files.Deleted(box)
	for _, d := range gone {
		if len(d.Path) == 0 || !homes.IsAttachmentID(d.Path[0]) {
			continue
		}
		named, why := s.named(box, d.Path[0])
		if why != nil {
			return n, errors.Join(err, why)
		}
		if !named {
			continue
		}
		if _, found := s.find(box, d.Path[0]); fault.Is(found, fault.NotFound) {
			why := s.bringBack(box, d.Path[0])
			if why == nil {
				n++
			}
			err = errors.Join(err, why)
		}
	}
	return n, err
}
