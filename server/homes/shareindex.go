package homes

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// grant is a collection that an account may use.
type grant struct {
	account address.Key
	owner   address.Address
	name    string
	rights  Rights
}

// shares knows what owners share themselves, and what they subscribed to. It reads the properties of all collections
// once, when first asked, and from then on those of a home in which something changed.
type shares struct {
	mu      sync.Mutex
	read    bool
	missed  map[address.Key]address.Address // owners that could not be read
	grants  map[address.Key][]grant         // by owner
	secrets map[address.Key][]link          // by owner
	feeds   map[address.Key][]feed          // by owner
}

// link is a collection that is published.
type link struct {
	sum   [sha256.Size]byte // of the secret
	owner address.Address
	name  string
}

// Refresh has the properties of the collections of an account or shared mailbox read
// anew: who changed them otherwise than through this package (a collection was brought
// back) calls it.
func (h *Homes) Refresh(owner address.Address) { h.shares.refresh(h, owner) }

func (s *shares) refresh(h *Homes, owner address.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read {
		s.try(h, owner)
	}
}

// forget has all be read anew, when next asked.
func (s *shares) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = false
}

// InVain is a table of [sharing] that does not do what it says.
type InVain struct {
	Key string
	Why string // for people: what is wrong, and what to do
}

// SharedInVain returns the tables of [sharing] that name no collection, with those that there are, for the
// name that a client chose may be anything; and those that tell when an address book takes time.
func (h *Homes) SharedInVain() (out []InVain) {
	for _, s := range h.opt.Directory().Sharings() {
		if !h.opt.Store.Has(s.Owner) {
			continue // nobody has used it yet
		}
		home, err := h.opt.Store.Home(s.Owner)
		if err != nil {
			continue // who looks there is told
		}
		c, err := home.Open(s.Collection)
		if err == nil && len(s.FreeBusy) > 0 && c.Kind() == collection.AddressBook {
			out = append(out, InVain{s.Key, "has freebusy, but an address book takes no time: name a calendar, or put them into readers"})
		}
		if !fault.Is(err, fault.NotFound) {
			continue
		}
		var names []string
		all, err := home.Collections()
		for _, c := range all {
			p, _ := c.Props() // else without its name for people
			if p.DisplayName != "" && p.DisplayName != c.Name() {
				names = append(names, fmt.Sprintf("%s (%s)", c.Name(), p.DisplayName))
			} else {
				names = append(names, c.Name())
			}
		}
		if err != nil {
			names = append(names, err.Error())
		}
		out = append(out, InVain{s.Key, "shares nothing: there is no such calendar or address book, only " + strings.Join(names, ", ")})
	}
	return out
}

// warnOfSharing tells the log what is shared in vain.
func (h *Homes) warnOfSharing() {
	for _, s := range h.SharedInVain() {
		h.opt.Log.Warn("homes.sharing", "key", s.Key, "result", s.Why)
	}
}

// Forget takes away what is shared with an account that is gone for good: another of the
// same address must not have it.
func (h *Homes) Forget(account address.Address) error {
	h.shares.mu.Lock()
	h.shares.all(h)
	var all []grant
	for _, list := range h.shares.grants {
		for _, g := range list {
			if g.account == account.Key() {
				all = append(all, g)
			}
		}
	}
	h.shares.mu.Unlock()
	var wrong []error
	for _, g := range all {
		home, err := h.opt.Store.Home(g.owner)
		if err == nil {
			err = unshareAll(home, g.name, account)
		}
		wrong = append(wrong, err)
		h.Refresh(g.owner)
	}
	return errors.Join(wrong...)
}

// unshareAll removes all that a collection says of an account.
func unshareAll(home *collection.Home, name string, account address.Address) error {
	c, err := home.Open(name)
	if err == nil {
		err = c.SetProps(func(p *collection.Props) error {
			delete(p.Other, sharePrefix+string(account.Key()))
			delete(p.Other, viewPrefix+string(account.Key()))
			return nil
		})
	}
	if fault.Is(err, fault.NotFound) {
		return nil // it is gone itself
	}
	return err
}

// try reads what an owner shares; when that fails it is tried again when next asked. With mu
// held.
func (s *shares) try(h *Homes, owner address.Address) {
	delete(s.missed, owner.Key())
	if err := s.readHome(h, owner); err != nil {
		h.opt.Log.Warn("homes.sharing", "owner", owner, "err", err)
		s.missed[owner.Key()] = owner
	}
}

// all reads what was not read yet. With mu held.
func (s *shares) all(h *Homes) {
	if s.read {
		for _, owner := range maps.Clone(s.missed) {
			s.try(h, owner)
		}
		return
	}
	s.missed = make(map[address.Key]address.Address)
	s.grants, s.secrets, s.feeds = make(map[address.Key][]grant), make(map[address.Key][]link), make(map[address.Key][]feed)
	for _, owner := range h.opt.Directory().Boxes() {
		s.try(h, owner)
	}
	s.read = true
}

// readHome reads what an owner shares. With mu held.
func (s *shares) readHome(h *Homes, owner address.Address) error {
	delete(s.grants, owner.Key())
	delete(s.secrets, owner.Key())
	delete(s.feeds, owner.Key())
	if !h.opt.Store.Has(owner) {
		return nil
	}
	home, err := h.opt.Store.Home(owner)
	if err != nil {
		return err
	}
	all, err := home.Collections()
	if err != nil {
		return err
	}
	for _, c := range all {
		p, err := c.Props()
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			h.opt.Log.Warn("homes.properties", "owner", owner, "collection", c.Name(), "err", err)
			continue // one broken file must not hide what others share
		}
		for account, sh := range sharesOf(p) {
			s.grants[owner.Key()] = append(s.grants[owner.Key()], grant{account, owner, c.Name(), sh.rights()})
		}
		if secret := p.Other[publishedName]; secret != "" {
			s.secrets[owner.Key()] = append(s.secrets[owner.Key()], link{sha256.Sum256([]byte(secret)), owner, c.Name()})
		}
		if source := p.Other[sourceName]; source != "" && c.Kind() == collection.Calendar {
			s.feeds[owner.Key()] = append(s.feeds[owner.Key()], feed{owner, c.Name(), source})
		}
	}
	return nil
}

func sharesOf(p collection.Props) map[address.Key]*share {
	out := make(map[address.Key]*share)
	for name, value := range p.Other {
		account, ok := strings.CutPrefix(name, sharePrefix)
		var s share
		if ok && json.Unmarshal([]byte(value), &s) == nil {
			out[address.Key(account)] = &s
		}
	}
	return out
}

// grantsTo returns what an account may use of others beside its roles, sorted, each
// collection once.
func (h *Homes) grantsTo(account address.Address) []grant {
	d := h.opt.Directory()
	var out []grant
	add := func(g grant) {
		i := slices.IndexFunc(out, func(o grant) bool { return o.owner.Key() == g.owner.Key() && o.name == g.name })
		if i < 0 {
			out = append(out, g)
		} else {
			out[i].rights |= g.rights
		}
	}
	for _, g := range d.Granted(account) {
		add(grant{account.Key(), g.Owner, g.Collection, grantRights(g.Rights)})
	}
	for _, g := range h.shares.to(h, account) {
		// Who was removed from mail.toml shares nothing any more.
		if box, ok := d.Box(g.owner); ok && g.rights != 0 && box.Address.Key() != account.Key() {
			g.owner = box.Address
			add(g)
		}
	}
	slices.SortStableFunc(out, func(a, b grant) int {
		return strings.Compare(string(a.owner.Key())+mountMark+a.name, string(b.owner.Key())+mountMark+b.name)
	})
	return out
}

// to returns what owners share with an account.
func (s *shares) to(h *Homes, account address.Address) (out []grant) {
	a, ok := h.opt.Directory().Account(account)
	if !ok || a.Disabled {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all(h)
	for _, all := range s.grants {
		for _, g := range all {
			if g.account == a.Address.Key() {
				out = append(out, g)
			}
		}
	}
	return out
}

// grantRights reads rights of the directory in a single collection.
func grantRights(rights string) Rights {
	switch rights {
	case directory.MemberRights:
		return WriterRights
	case directory.BusyRights:
		return Busy
	}
	return ReaderRights
}

// grantsBy returns the collections of an owner that an account may use though it has no
// rights in the whole home.
func (h *Homes) grantsBy(viewer, owner address.Address) []grant {
	return slices.DeleteFunc(h.grantsTo(viewer), func(g grant) bool { return g.owner.Key() != owner.Key() })
}

// grantOf returns the rights of an account in one collection, beside those in the home, as
// mail.toml and the collection itself have them now.
func (h *Homes) grantOf(viewer, owner address.Address, c *collection.Collection) (rights Rights, err error) {
	d := h.opt.Directory()
	account, ok := d.Account(viewer)
	if !ok || account.Disabled {
		return 0, nil
	}
	for _, g := range d.Grants(owner, c.Name()) {
		if g.Account.Key() == account.Address.Key() {
			rights |= grantRights(g.Rights)
		}
	}
	p, err := c.Props()
	return rights | sharesOf(p)[account.Address.Key()].rights(), err
}
