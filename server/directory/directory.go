// Package directory knows who exists and where an address leads: domains and
// their aliases, accounts, shared mailboxes, aliases, catch-alls, redirections,
// postmaster and abuse (RFC 5321 4.5.1, RFC 2142 4 and 5), subaddresses
// (RFC 5233).
//
// It is pure: a Directory is made once of Options and never changes, so any
// number of goroutines may use it without a lock. It reads no file, and runs no
// script.
package directory

import (
	"strings"

	"facteur/server/address"
)

// Unlimited is a quota without a limit.
const Unlimited = -1

// Options is everything that a Directory is made of, as mail.toml has it. The
// Key of an entry is its key there as it is spelled; problems name it.
type Options struct {
	Hostname   address.Domain  // postmaster@ and abuse@ of it are ours too
	Postmaster address.Address // where mail for the postmaster of every domain goes
	Quota      int64           // octets; of a mailbox unless its domain or itself says otherwise; 0 or Unlimited: no limit
	Domains    []Domain
	Accounts   []Account
	Aliases    []Alias
	Shared     []Shared
	Sharing    []Sharing
	// Unwrap returns the sender that an address of the Sender Rewriting Scheme stands
	// for; an error that is no fault.Fault is temporary. nil: there are no such addresses.
	Unwrap func(address.Address) (address.Address, error)
}

// Domain is a mail domain.
type Domain struct {
	Key         string
	Name        address.Domain
	Aliases     []address.Domain // the same mailboxes under other names
	CatchAll    Target           // who gets what is nobody's; zero: nobody
	Quota       int64            // octets; 0: that of Options
	MaxAccounts int              // 0: any number
	Separator   string           // before a subaddress; "": no subaddresses
	Scripts     []string         // run for each of its mailboxes, before the mailbox's own
}

// Account is a person with a mailbox.
type Account struct {
	Key      string
	Address  address.Address
	Name     string // of the person
	Login    string // second name to log in with; "" for none
	Password Secret // a hash as package password has it; "" for no login but those of Devices
	Quota    int64  // octets; 0: that of the domain
	Redirect []Target
	Keep     bool // a copy, when there is a Redirect
	SendAs   []address.Address
	Scripts  []string
	Disabled bool    // no login; mail is kept
	Room     bool    // not a person: invitations are accepted when it is free
	Sending  float64 // multiplies the sending limits; 0: 1
	Devices  []Device
}

// Device is an app password of an account.
type Device struct {
	Name string
	Line Secret // as password.NewDevice made it
}

// Secret is a hash, which no log and no error may show.
type Secret string

// String hides the hash from everything that prints.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString is for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Alias is an address that stands for others.
type Alias struct {
	Key     string
	Address address.Address
	To      []Target
	Posters Posters
}

// Shared is a mailbox without a login of its own.
type Shared struct {
	Key                      string
	Address                  address.Address
	Name                     string
	Quota                    int64    // octets; 0: that of the domain
	Owners, Members, Readers []Target // accounts
}

// Target is what an alias, a catch-all or a redirection leads to: an address,
// here or elsewhere, or a login name.
type Target struct {
	Address address.Address
	Login   string // set when it is no address
}

// IsZero tells whether t is no target.
func (t Target) IsZero() bool { return t == Target{} }

// String returns t as mail.toml has it.
func (t Target) String() string {
	if t.Login != "" {
		return t.Login
	}
	return t.Address.String()
}

// Directory answers who exists and where mail goes.
type Directory struct {
	options Options
	domains map[address.Domain]*Domain // by name and by alias
	entries map[address.Key]*entry     // accounts, shared mailboxes and aliases
	logins  map[string]*entry          // by folded login name
	boxes   map[*entry]*BoxInfo
	sole    map[*entry]*entry // of an alias: the one mailbox that it leads to, or nil
	senders map[*entry]map[address.Key]bool
	roles   map[*entry][]Role // of an account
	members map[*entry][]Role // of a shared mailbox
	posters map[*entry]*posterSet
	shares  sharings
}

// entry is one of account, shared and alias.
type entry struct {
	address address.Address
	account *Account
	shared  *Shared
	alias   *Alias
}

func (e *entry) isBox() bool { return e.alias == nil }

// New makes a Directory. What Check finds fault with has no effect in it, and
// of two entries with one address the first counts.
func New(o Options) *Directory {
	d := &Directory{
		options: o,
		domains: make(map[address.Domain]*Domain),
		entries: make(map[address.Key]*entry),
		logins:  make(map[string]*entry),
		boxes:   make(map[*entry]*BoxInfo),
		sole:    make(map[*entry]*entry),
		senders: make(map[*entry]map[address.Key]bool),
		roles:   make(map[*entry][]Role),
		members: make(map[*entry][]Role),
		posters: make(map[*entry]*posterSet),
	}
	d.addDomains()
	d.addEntries()
	d.addBoxes()
	d.addSenders()
	d.addRoles()
	d.addPosters()
	d.addSharing()
	return d
}

func (d *Directory) addDomains() {
	add := func(name address.Domain, dom *Domain) {
		if _, taken := d.domains[name]; !taken {
			d.domains[name] = dom
		}
	}
	for i := range d.options.Domains {
		add(d.options.Domains[i].Name, &d.options.Domains[i])
	}
	for i := range d.options.Domains {
		for _, name := range d.options.Domains[i].Aliases {
			add(name, &d.options.Domains[i])
		}
	}
}

func (d *Directory) addEntries() {
	for i := range d.options.Accounts {
		a := &d.options.Accounts[i]
		e := &entry{address: a.Address, account: a}
		if !d.addEntry(e) || a.Login == "" {
			continue
		}
		name := address.FoldLocal(a.Login)
		if _, taken := d.logins[name]; !taken {
			d.logins[name] = e
		}
	}
	for i := range d.options.Shared {
		d.addEntry(&entry{address: d.options.Shared[i].Address, shared: &d.options.Shared[i]})
	}
	for i := range d.options.Aliases {
		d.addEntry(&entry{address: d.options.Aliases[i].Address, alias: &d.options.Aliases[i]})
	}
}

func (d *Directory) addEntry(e *entry) bool {
	key := e.address.Key()
	if _, taken := d.entries[key]; taken {
		return false
	}
	d.entries[key] = e
	return true
}

// IsLocal tells whether mail to the domain is ours.
func (d *Directory) IsLocal(name address.Domain) bool {
	return d.domains[name] != nil || name == d.options.Hostname && name != ""
}

// Primary returns the domain that name is an alias of, or name itself. ok is
// false for a domain that is not in mail.toml.
func (d *Directory) Primary(name address.Domain) (primary address.Domain, ok bool) {
	if dom := d.domains[name]; dom != nil {
		return dom.Name, true
	}
	return name, false
}

// canonical returns a with its domain's primary name.
func (d *Directory) canonical(a address.Address) address.Address {
	a.Domain, _ = d.Primary(a.Domain)
	return a
}

// exact returns what has the address itself, under any name of its domain.
func (d *Directory) exact(a address.Address) *entry {
	return d.entries[d.canonical(a).Key()]
}

// Account returns the account with the address, under any name of its domain.
func (d *Directory) Account(a address.Address) (Account, bool) {
	if e := d.exact(a); e != nil && e.account != nil {
		return *e.account, true
	}
	return Account{}, false
}

// Accounts returns all accounts in the order of mail.toml. The slice must not
// be changed.
func (d *Directory) Accounts() []Account { return d.options.Accounts }

// Boxes returns the addresses of all accounts and shared mailboxes.
func (d *Directory) Boxes() []address.Address {
	var all []address.Address
	for i := range d.options.Accounts {
		if a := &d.options.Accounts[i]; d.exact(a.Address) != nil && d.exact(a.Address).account == a {
			all = append(all, a.Address)
		}
	}
	for i := range d.options.Shared {
		if s := &d.options.Shared[i]; d.exact(s.Address) != nil && d.exact(s.Address).shared == s {
			all = append(all, s.Address)
		}
	}
	return all
}

// Login returns the account that somebody logs in to with name: an address,
// under any name of its domain, or a login name. Disabled accounts are
// returned too.
func (d *Directory) Login(name string) (Account, bool) {
	if !strings.Contains(name, "@") {
		if e := d.logins[address.FoldLocal(name)]; e != nil {
			return *e.account, true
		}
		return Account{}, false
	}
	a, err := address.Parse(name)
	if err != nil {
		return Account{}, false
	}
	return d.Account(a)
}

// account returns the account that t names.
func (d *Directory) account(t Target) *entry {
	e := d.logins[address.FoldLocal(t.Login)]
	if t.Login == "" {
		e = d.exact(t.Address)
	}
	if e == nil || e.account == nil {
		return nil
	}
	return e
}
