package homes

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/fault"
)

// What the owner of a collection shares himself stands among its properties: so it goes
// where the collection goes, and is gone with it.
const (
	sharePrefix   = hidden + "share:" // with the address of an account
	publishedName = hidden + "published"
)

// maxShares bounds with how many a collection is shared.
const maxShares = 500

// share is what the owner gave an account.
type share struct {
	Write    bool `json:",omitempty"`
	Declined bool `json:",omitempty"` // the account took it out of its home
}

func (s *share) rights() Rights {
	switch {
	case s == nil || s.Declined:
		return 0
	case s.Write:
		return WriterRights
	}
	return ReaderRights
}

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
	if rights == directory.MemberRights {
		return WriterRights
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

// Invitee is an account with which a collection is shared.
type Invitee struct {
	Account  address.Address
	Name     string // of the person; "": none
	Write    bool
	Declined bool // the account took it out of its home
	Fixed    bool // mail.toml says so, and it can't be changed here
}

// Invitees returns with whom the collection is shared by itself, sorted by address.
func (c *Collection) Invitees() ([]Invitee, error) {
	if c.Origin != Kept && c.Origin != Subscribed {
		return nil, nil
	}
	p, err := c.described.Props()
	if err != nil {
		return nil, err
	}
	d := c.home.homes.opt.Directory()
	var out []Invitee
	for _, g := range d.Grants(c.Owner, c.described.Name()) {
		out = append(out, Invitee{Account: g.Account, Write: g.Rights == directory.MemberRights, Fixed: true})
	}
	for key, s := range sharesOf(p) {
		a, err := address.Parse(string(key))
		account, ok := d.Account(a)
		if err != nil || !ok || slices.ContainsFunc(out, func(i Invitee) bool { return i.Account.Key() == account.Address.Key() }) {
			continue
		}
		out = append(out, Invitee{Account: account.Address, Write: s.Write, Declined: s.Declined})
	}
	for i := range out {
		if a, ok := d.Account(out[i].Account); ok {
			out[i].Name = a.Name
		}
	}
	slices.SortFunc(out, func(a, b Invitee) int { return strings.Compare(string(a.Account.Key()), string(b.Account.Key())) })
	return out, nil
}

// Share lets an account of this server use the collection, with rights to write or not,
// durably. It stands in the account's home from then on. The error is a fault, NotFound for
// what is no account.
func (c *Collection) Share(with address.Address, write bool) error {
	account, ok := c.home.homes.opt.Directory().Account(with)
	if !ok {
		return fault.Newf(fault.NotFound, "%s is no account of this server", with)
	}
	if account.Address.Key() == c.Owner.Key() {
		return fault.New(fault.NotPossible, "It is the owner's already")
	}
	return c.changeShares(func(p *collection.Props) error {
		name := sharePrefix + string(account.Address.Key())
		if _, ok := p.Other[name]; !ok && len(sharesOf(*p)) >= maxShares {
			return fault.Newf(fault.TooMany, "A collection can be shared with %d accounts at most", maxShares)
		}
		b, err := json.Marshal(share{Write: write})
		p.Other[name] = string(b)
		return err
	})
}

// Unshare takes the collection away from an account, durably. What mail.toml gives stays.
func (c *Collection) Unshare(from address.Address) error {
	if a, ok := c.home.homes.opt.Directory().Account(from); ok {
		from = a.Address
	}
	return c.changeShares(func(p *collection.Props) error {
		delete(p.Other, sharePrefix+string(from.Key()))
		return nil
	})
}

// decline takes a mount out of the viewer's home.
func (c *Collection) decline() error {
	errFixed := fault.New(fault.Policy, "mail.toml has it in this home")
	h := c.home.homes
	if h.rights(c.Viewer, c.Owner) != 0 {
		return errFixed
	}
	for _, g := range h.opt.Directory().Grants(c.Owner, c.described.Name()) {
		if g.Account.Key() == c.Viewer.Key() {
			return errFixed
		}
	}
	return c.changeShares(func(p *collection.Props) error {
		name := sharePrefix + string(c.Viewer.Key())
		s, ok := sharesOf(*p)[c.Viewer.Key()]
		if !ok {
			return errNoCollection()
		}
		s.Declined = true
		b, err := json.Marshal(s)
		p.Other[name] = string(b)
		delete(p.Other, viewPrefix+string(c.Viewer.Key()))
		return err
	})
}

func (c *Collection) changeShares(change func(*collection.Props) error) error {
	if c.Origin != Kept && c.Origin != Subscribed {
		return fault.New(fault.Policy, "This is made by the server, and can't be shared")
	}
	if err := c.described.SetProps(change); err != nil {
		return err
	}
	c.home.homes.shares.refresh(c.home.homes, c.Owner)
	return nil
}

// Secrets returns the secrets of the links under which everybody may read the collection:
// that of mail.toml, and that which Publish made; "": none.
func (c *Collection) Secrets() (fixed, own string, err error) {
	if c.Origin != Kept && c.Origin != Subscribed {
		return "", "", nil
	}
	if s, ok := c.home.homes.opt.Directory().Sharing(c.Owner, c.described.Name()); ok {
		fixed = string(s.Published)
	}
	p, err := c.described.Props()
	return fixed, p.Other[publishedName], err
}

// Publish makes a link under which everybody may read the collection who knows the secret
// that is returned, durably. There is one at most beside that of mail.toml.
func (c *Collection) Publish() (secret string, err error) {
	err = c.changeShares(func(p *collection.Props) error {
		if secret = p.Other[publishedName]; secret == "" {
			var b [16]byte
			rand.Read(b[:]) // it never fails (crypto/rand)
			secret = hex.EncodeToString(b[:])
			p.Other[publishedName] = secret
		}
		return nil
	})
	return secret, err
}

// Unpublish ends the link that Publish made, durably.
func (c *Collection) Unpublish() error {
	return c.changeShares(func(p *collection.Props) error {
		delete(p.Other, publishedName)
		return nil
	})
}

// Published returns the collection that everybody may read who knows a secret, with the
// rights of a reader. The error is a fault, NotFound for a secret of none.
func (h *Homes) Published(secret string) (*Collection, error) {
	if secret == "" {
		return nil, errNoCollection()
	}
	owner, name, err := h.publishedAs(secret)
	if err != nil {
		return nil, err
	}
	home, err := h.Own(owner)
	if err != nil {
		return nil, err
	}
	c, err := home.openOwned(name)
	if err != nil {
		return nil, err
	}
	if fixed, own, err := c.Secrets(); err != nil || secret != fixed && secret != own {
		return nil, errors.Join(err, errNoCollection()) // it was changed by another program
	}
	c.Rights, c.Viewer = ReaderRights, address.Address{}
	return c, nil
}

func (h *Homes) publishedAs(secret string) (owner address.Address, name string, err error) {
	if s, ok := h.opt.Directory().Published(secret); ok {
		return s.Owner, s.Collection, nil
	}
	h.shares.mu.Lock()
	defer h.shares.mu.Unlock()
	h.shares.all(h)
	sum := sha256.Sum256([]byte(secret)) // so that the time it takes tells nothing
	for _, links := range h.shares.secrets {
		for _, l := range links {
			if l.sum == sum {
				return l.owner, l.name, nil
			}
		}
	}
	return owner, "", errNoCollection()
}

// Shared tells whether the collection is shared by itself, without reading anything.
func (c *Collection) Shared() bool {
	if c.Origin != Kept && c.Origin != Subscribed {
		return false
	}
	h := c.home.homes
	name := c.described.Name()
	if len(h.opt.Directory().Grants(c.Owner, name)) > 0 {
		return true
	}
	h.shares.mu.Lock()
	defer h.shares.mu.Unlock()
	h.shares.all(h)
	return slices.ContainsFunc(h.shares.grants[c.Owner.Key()], func(g grant) bool { return g.name == name })
}
