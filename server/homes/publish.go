package homes

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"facteur/server/address"
	"facteur/server/collection"
)

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
