package homes

import (
	"facteur/server/collection"
	"facteur/server/fault"
)

const (
	inboxSegment = "inbox" // of the href
	inboxName    = "messages"
)

// Inbox returns the scheduling inbox of the home's owner (RFC 6638 2.2): a calendar of
// iTIP messages with their METHOD, several of a UID maybe. It is made on first use, and
// lies in the derived store.
func (h *Home) Inbox() (*Collection, error) {
	if !h.Rights.Has(Read) {
		return nil, errNoCollection()
	}
	c, err := h.derived(inboxName, collection.Calendar)
	if err != nil {
		return nil, err
	}
	return &Collection{
		Collection: c, described: c, home: h, Origin: Inbox, Segment: inboxSegment, Owner: h.Owner, Viewer: h.Viewer,
		Rights: h.Rights, Personal: !h.Rights.Has(Describe),
	}, nil
}

// derived returns a collection of the owner in the derived store, made when it is not there.
func (h *Home) derived(name string, kind collection.Kind) (*collection.Collection, error) {
	if h.homes.opt.Derived == nil {
		return nil, errNoCollection()
	}
	home, err := h.homes.opt.Derived.Home(h.Owner)
	if err != nil {
		return nil, err
	}
	return openOrMake(home, name, kind, collection.Props{})
}

// openOrMake returns a collection of a home, which another may make at the same time.
func openOrMake(home *collection.Home, name string, kind collection.Kind, props collection.Props) (*collection.Collection, error) {
	c, err := home.Open(name)
	if !fault.Is(err, fault.NotFound) {
		return c, err
	}
	c, err = home.Create(name, kind, props)
	if fault.Is(err, fault.Exists) {
		return home.Open(name)
	}
	return c, err
}
