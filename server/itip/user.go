package itip

import (
	"net/url"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/ical"
)

// User is a calendar user: an ORGANIZER or an ATTENDEE (RFC 5545 3.3.3).
type User struct {
	URI     string          // as it stands: "mailto:alice@example.org", "urn:uuid:..."
	Address address.Address // of a mailto; zero: it is none
	// Email is the parameter EMAIL (RFC 7986 6.2) where the URI is no mail address. Beside
	// one it means nothing: anybody can write it there, to speak for somebody else.
	Email address.Address
	Name  string // CN
}

// ParseUser reads the user of an ORGANIZER or ATTENDEE.
func ParseUser(p ical.Prop) User {
	u := User{URI: strings.TrimSpace(p.Value), Name: p.Param("CN")}
	u.Address, _ = mailto(u.URI)
	if e := p.Param("EMAIL"); e != "" && u.Address.IsZero() {
		u.Email, _ = address.Parse(strings.TrimSpace(e))
	}
	return u
}

// Mailto returns the user of a mail address.
func Mailto(a address.Address) User { return User{URI: "mailto:" + a.String(), Address: a} }

// Key is the form in which users are compared; "": it is nobody.
func (u User) Key() string {
	if !u.Address.IsZero() {
		return "mailto:" + string(u.Address.Key())
	}
	return strings.TrimSuffix(strings.ToLower(u.URI), "/")
}

// Mailbox is the address that mail for the user goes to; zero: none is known.
func (u User) Mailbox() address.Address {
	if u.Email.IsZero() {
		return u.Address
	}
	return u.Email
}

// Person says whether a user is a certain person, under any name of that person's. It is
// asked for each user of an object.
type Person func(User) bool

// Addresses is the Person of some mail addresses.
func Addresses(list ...address.Address) Person {
	return func(u User) bool {
		return slices.ContainsFunc(list, func(a address.Address) bool {
			return !a.IsZero() && (a.Key() == u.Address.Key() || a.Key() == u.Email.Key())
		})
	}
}

// mailto returns the address of a mailto URI.
func mailto(value string) (address.Address, bool) {
	const scheme = "mailto:"
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return address.Address{}, false
	}
	plain, err := url.PathUnescape(strings.TrimSpace(value[len(scheme):]))
	if err != nil {
		return address.Address{}, false
	}
	a, err := address.Parse(plain)
	return a, err == nil
}
