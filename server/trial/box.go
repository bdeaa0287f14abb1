package trial

import (
	"slices"

	"facteur/server/address"
	"facteur/server/hook"
)

// Box is a mailbox as somebody says that it is (hook.Box).
type Box struct {
	Of       address.Address
	Own      []address.Address // Addresses
	Used     int64             // octets
	Max      int64             // 0: no limit
	Names    []string          // of the folders
	Counts   map[string]map[string]int
	Contacts map[address.Key]hook.Contact
	Threads  []string // Message-IDs that the box sent
}

var _ hook.Box = (*Box)(nil)

// NewBox returns the mailbox of a new account.
func NewBox(a address.Address) *Box {
	return &Box{
		Of: a, Own: []address.Address{a},
		Names: []string{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"},
	}
}

// Address is that of hook.Box.
func (b *Box) Address() address.Address { return b.Of }

// Addresses is that of hook.Box.
func (b *Box) Addresses() []address.Address { return b.Own }

// Quota is that of hook.Box.
func (b *Box) Quota() (used, limit int64) { return b.Used, b.Max }

// Folders is that of hook.Box.
func (b *Box) Folders() []string { return b.Names }

// Exists is that of hook.Box.
func (b *Box) Exists(folder string) bool { return slices.Contains(b.Names, folder) }

// Count returns what was said for the same query, or 0.
func (b *Box) Count(folder, query string) (int, error) { return b.Counts[folder][query], nil }

// Contact is that of hook.Box.
func (b *Box) Contact(a address.Address) hook.Contact { return b.Contacts[a.Key()] }

// ThreadKnown is that of hook.Box.
func (b *Box) ThreadKnown(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(b.Threads, id) })
}
