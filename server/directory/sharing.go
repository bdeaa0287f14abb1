package directory

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"facteur/server/address"
)

// Sharing is what mail.toml says of one calendar or address book: who may use it
// beside those who may use all that its owner has.
type Sharing struct {
	Key              string
	Owner            address.Address // an account or shared mailbox
	Collection       string          // by the last segment of its href
	Members, Readers []Target        // accounts
	FreeBusy         []Target        // accounts that see when a calendar takes time, and no more
	Published        Secret          // of the link under which everybody may read it; "": none
}

// Grant is what an account may do with a calendar or address book of another.
type Grant struct {
	Account    address.Address
	Owner      address.Address // of the collection
	Collection string
	Rights     string // MemberRights, ReaderRights or BusyRights
}

// held is a collection.
type held struct {
	owner *entry
	name  string
}

// sharings are the entries of [sharing], found from each side.
type sharings struct {
	entries map[held]*Sharing
	grants  map[held][]Grant
	granted map[*entry][]Grant // by account
	secrets map[[sha256.Size]byte]*Sharing
}

// Granted returns what mail.toml lets an account use of what others have, in the order of
// mail.toml. A disabled account has nothing. The slice must not be changed.
func (d *Directory) Granted(account address.Address) []Grant {
	return d.shares.granted[d.exact(account)]
}

// Grants returns what mail.toml lets others do with a collection: members, readers, then those of freebusy,
// each account once. The slice must not be changed.
func (d *Directory) Grants(owner address.Address, collection string) []Grant {
	return d.shares.grants[held{d.exact(owner), collection}]
}

// Sharing returns the entry of a collection.
func (d *Directory) Sharing(owner address.Address, collection string) (Sharing, bool) {
	if s := d.shares.entries[held{d.exact(owner), collection}]; s != nil {
		return *s, true
	}
	return Sharing{}, false
}

// Published returns the collection that everybody may read who knows a secret.
func (d *Directory) Published(secret string) (Sharing, bool) {
	// By a hash, so that the time it takes tells nothing.
	if s := d.shares.secrets[sha256.Sum256([]byte(secret))]; s != nil && secret != "" {
		return *s, true
	}
	return Sharing{}, false
}

// Sharings returns all entries, in the order of mail.toml. The slice must not be changed.
func (d *Directory) Sharings() []Sharing { return d.options.Sharing }

func (d *Directory) addSharing() {
	d.shares = sharings{make(map[held]*Sharing), make(map[held][]Grant), make(map[*entry][]Grant), make(map[[sha256.Size]byte]*Sharing)}
	for i := range d.options.Sharing {
		s := &d.options.Sharing[i]
		owner := d.exact(s.Owner)
		place := held{owner, s.Collection}
		if owner == nil || !owner.isBox() || d.shares.entries[place] != nil {
			continue
		}
		d.shares.entries[place] = s
		d.grant(place, s.Members, MemberRights)
		d.grant(place, s.Readers, ReaderRights)
		d.grant(place, s.FreeBusy, BusyRights)
		if sum := sha256.Sum256([]byte(s.Published)); s.Published != "" && d.shares.secrets[sum] == nil {
			d.shares.secrets[sum] = s
		}
	}
}

// grant gives rights to those who have none yet. The owner needs none.
func (d *Directory) grant(place held, people []Target, rights string) {
	for _, t := range people {
		e := d.account(t)
		if e == nil || e.account.Disabled || e == place.owner || granted(d.shares.grants[place], e.address) {
			continue
		}
		g := Grant{Account: e.address, Owner: place.owner.address, Collection: place.name, Rights: rights}
		d.shares.grants[place] = append(d.shares.grants[place], g)
		d.shares.granted[e] = append(d.shares.granted[e], g)
	}
}

func granted(all []Grant, account address.Address) bool {
	for _, g := range all {
		if g.Account == account {
			return true
		}
	}
	return false
}

// sharing checks that those who share and those who are shared with exist.
func (c *checker) sharing() {
	first := make(map[held]string)
	secrets := make(map[Secret]string)
	for _, s := range c.options.Sharing {
		path := []string{"sharing", s.Key}
		owner := c.dir.exact(s.Owner)
		if owner == nil || !owner.isBox() {
			c.add(Problem{path, true, fmt.Sprintf("%s is no account and no shared mailbox, and so has no calendars", s.Owner),
				c.guess(Target{Address: s.Owner}, "correct the spelling")})
			continue
		}
		place := held{owner, s.Collection}
		if other, taken := first[place]; taken {
			c.add(Problem{path, true, fmt.Sprintf("%s is there twice: here and as %q", s.Key, other), "put all its lines into one table"})
			continue
		}
		first[place] = s.Key
		c.granted(s.Key, "members", s.Members)
		c.granted(s.Key, "readers", s.Readers)
		c.granted(s.Key, "freebusy", s.FreeBusy)
		if other, taken := secrets[s.Published]; taken && s.Published != "" {
			c.add(Problem{append(path, "published"), false, fmt.Sprintf("this is also the secret of %q", other), "each link needs a secret of its own"})
			continue
		}
		secrets[s.Published] = s.Key
	}
}

// granted checks that people are accounts.
func (c *checker) granted(key, role string, people []Target) {
	for i, t := range people {
		if c.dir.account(t) == nil {
			c.add(Problem{[]string{"sharing", key, role, strconv.Itoa(i)}, false, fmt.Sprintf("%s is no account", t),
				c.guess(t, "a calendar can be shared with accounts; for everybody there is published")})
		}
	}
}
