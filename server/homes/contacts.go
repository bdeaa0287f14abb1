package homes

import (
	"io"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/fault"
	"facteur/server/vcard"
)

// maxRead bounds the cards of an address book that are read for one answer: of those the
// index has not all values.
const maxRead = 20

// Contact looks somebody up in the address books that an account or shared mailbox keeps,
// and in those that others share with it. false: the address stands in none of them. name is
// that of the card, or the address where it has none. It asks the indexes, and makes nothing
// that is not there yet. The book that is made of mail.toml is not looked at.
func (h *Homes) Contact(owner, who address.Address) (name string, ok bool, err error) {
	books, err := h.contactBooks(owner)
	if err != nil {
		return "", false, err
	}
	w := newWanted(who)
	for _, c := range books {
		if name, ok, err = h.lookUp(w, c); ok || err != nil {
			return name, ok, err
		}
	}
	return "", false, nil
}

// contactBooks returns the address books that make somebody known to a mailbox, its own first.
func (h *Homes) contactBooks(owner address.Address) ([]*collection.Collection, error) {
	d := h.opt.Directory()
	box, ok := d.Box(owner)
	if !ok {
		return nil, nil
	}
	var books []*collection.Collection
	homes := []address.Address{box.Address}
	for _, role := range d.Shared(box.Address) {
		homes = append(homes, role.Address)
	}
	for _, a := range homes {
		if !h.opt.Store.Has(a) {
			continue
		}
		home, err := h.opt.Store.Home(a)
		if err != nil {
			return nil, err
		}
		all, err := home.Collections()
		if err != nil {
			return nil, err
		}
		books = append(books, all...)
	}
	for _, g := range h.grantsTo(box.Address) {
		if !g.rights.Has(Read) || !h.opt.Store.Has(g.owner) || slices.ContainsFunc(homes, func(a address.Address) bool { return a.Key() == g.owner.Key() }) {
			continue
		}
		home, err := h.opt.Store.Home(g.owner)
		if err != nil {
			return nil, err
		}
		c, err := home.Open(g.name)
		switch {
		case err == nil:
			books = append(books, c)
		case !fault.Is(err, fault.NotFound): // mail.toml may name what is not there
			return nil, err
		}
	}
	return slices.DeleteFunc(books, func(c *collection.Collection) bool { return c.Kind() != collection.AddressBook }), nil
}

// wanted is an address that is looked for, in the terms of the forms in which a card may
// have it: with the domain as in the DNS, and as people write it.
type wanted struct {
	address       address.Address
	plain, spoken string
}

func newWanted(a address.Address) wanted {
	plain := a.String()
	spoken := strings.TrimSuffix(plain, string(a.Domain)) + a.Domain.Unicode()
	return wanted{a, Term("EMAIL", plain), Term("EMAIL", spoken)}
}

// lookUp looks into an address book.
func (h *Homes) lookUp(w wanted, c *collection.Collection) (name string, ok bool, err error) {
	s, err := c.Snapshot()
	if fault.Is(err, fault.NotFound) {
		return "", false, nil // deleted meanwhile
	}
	if err != nil {
		return "", false, err
	}
	a := h.books.addresses(c, s)
	for _, term := range []string{w.plain, w.spoken} {
		if e := a.of[term]; e != nil {
			return w.nameIn(e.Facts.Props), true, nil
		}
	}
	for _, href := range a.unsure {
		if name, ok, err = w.inCard(c, href); ok || err != nil {
			return name, ok, err
		}
	}
	return "", false, nil
}

// nameIn is the name that the index has of a card.
func (w wanted) nameIn(terms []string) string {
	for _, t := range terms {
		if name, ok := strings.CutPrefix(t, namePrefix); ok {
			return name
		}
	}
	return w.address.String()
}

// inCard looks into a card itself.
func (w wanted) inCard(c *collection.Collection, href string) (name string, ok bool, err error) {
	r, _, err := c.Get(href)
	if fault.Is(err, fault.NotFound) {
		return "", false, nil // deleted meanwhile
	}
	if err != nil {
		return "", false, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxCard))
	if err != nil {
		return "", false, err
	}
	v, err := vcard.ParseBytes(data)
	if err != nil {
		return "", false, nil // another program is writing it
	}
	for _, p := range v.All("EMAIL") {
		if term := Term("EMAIL", strings.TrimSpace(contentline.Text(p.Value))); term == w.plain || term == w.spoken {
			if name = fullName(v); name == "" {
				name = w.address.String()
			}
			return name, true, nil
		}
	}
	return "", false, nil
}

// fullName is the name of a card, in one line.
func fullName(c *vcard.Card) string {
	return strings.Join(strings.Fields(contentline.Text(c.Value("FN"))), " ")
}
