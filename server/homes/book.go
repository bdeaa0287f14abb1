package homes

import (
	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/directory"
	"facteur/server/vcard"
)

// bookOwner is whose derived home has the address book of a domain. An account of this
// address may be there too: it has no collection of the name.
func bookOwner(domain address.Domain) address.Address {
	return address.Address{Local: "book", Domain: domain}
}

// book returns the address book of a domain: a card for each person, shared mailbox and
// list. It is made of the directory, when that is another than last time.
func (h *Homes) book(domain address.Domain) (*collection.Collection, error) {
	home, err := h.opt.Derived.Home(bookOwner(domain))
	if err != nil {
		return nil, err
	}
	c, err := openOrMake(home, bookName, collection.AddressBook, collection.Props{})
	if err != nil {
		return nil, err
	}
	m := h.makers.get("book " + string(domain))
	m.mu.Lock()
	defer m.mu.Unlock()
	d := h.opt.Directory()
	if m.current(c, m.of == d) {
		return c, nil
	}
	want := make(map[string][]byte)
	for _, l := range d.Listed(domain) {
		id := madeID("book", string(l.Address.Key()))
		want[id+".vcf"] = listedCard(id, l)
	}
	if err := m.reconcile(c, want); err != nil {
		h.opt.Log.Warn("homes.book", "domain", domain, "err", err)
		return c, nil // it is tried again when somebody looks again
	}
	m.of = d
	return c, nil
}

// listedCard is the card of an address. It is a vCard 3.0 (RFC 2426), which every client
// reads; davd converts it for those that ask for 4.0.
func listedCard(id string, l directory.Listed) []byte {
	name := l.Name
	if name == "" {
		name = l.Address.Local
	}
	card := vcard.Card{Props: []vcard.Prop{
		{Name: "VERSION", Value: "3.0"},
		{Name: "PRODID", Value: product},
		{Name: "UID", Value: id},
		{Name: "FN", Value: contentline.EscapeText(name)},
	}}
	if l.Person {
		// Which part of a name is the family's nobody told us: all of it is given.
		card.Props = append(card.Props, vcard.Prop{Name: "N", Value: ";" + contentline.EscapeText(name) + ";;;"})
	} else {
		card.Props = append(card.Props, vcard.Prop{Name: "N", Value: ";;;;"},
			vcard.Prop{Name: "ORG", Value: contentline.EscapeText(name)}, vcard.Prop{Name: "X-ABSHOWAS", Value: "COMPANY"})
	}
	for i, a := range append([]address.Address{l.Address}, l.Others...) {
		types := []string{"INTERNET"}
		if i == 0 {
			types = append(types, "PREF")
		}
		card.Props = append(card.Props, vcard.Prop{Name: "EMAIL", Params: []contentline.Param{{Name: "TYPE", Values: types}},
			Value: contentline.EscapeText(a.String())})
	}
	return card.Append(nil)
}

// product is the PRODID of what is made here (RFC 5545 3.7.3, RFC 6350 6.7.3).
const product = "-//facteur//facteur//EN"
