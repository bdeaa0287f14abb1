package directory

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"facteur/server/address"
)

// Problem is something wrong with Options.
type Problem struct {
	// Path is the keys in mail.toml that lead to it; an element of a list is
	// named by its index, from "0".
	Path  []string
	OnKey bool   // it is about the last key of Path, not about its value
	Text  string // what is wrong
	Hint  string // what to do about it
}

// maxRedirects is how many addresses an account may redirect to.
const maxRedirects = 4

// Check returns all problems of Options.
func Check(o Options) []Problem {
	c := &checker{dir: New(o), options: o, visits: make(map[node]visit)}
	c.domains()
	c.addresses()
	c.logins()
	c.accounts()
	c.shared()
	c.sharing()
	c.posters()
	c.leads()
	return c.problems
}

type checker struct {
	dir      *Directory
	options  Options
	problems []Problem
	guesses  int
	visits   map[node]visit
	trail    []node
}

func (c *checker) add(p Problem) { c.problems = append(c.problems, p) }

// domains finds names that two domains have.
func (c *checker) domains() {
	names := make(map[address.Domain]string)
	for _, dom := range c.options.Domains {
		if first, taken := names[dom.Name]; taken {
			c.add(Problem{[]string{"domains", dom.Key}, true,
				fmt.Sprintf("the domain %s is there twice: as %q and as %q", dom.Name, first, dom.Key), "put all its settings into one table"})
		} else {
			names[dom.Name] = dom.Key
		}
	}
	for _, dom := range c.options.Domains {
		for i, name := range dom.Aliases {
			path := []string{"domains", dom.Key, "aliases", strconv.Itoa(i)}
			if first, taken := names[name]; taken {
				c.add(Problem{path, false, fmt.Sprintf("%s is already a name of the domain %q", name, first), "a name belongs to one domain; take it out of one of the two"})
			} else {
				names[name] = dom.Key
			}
		}
	}
}

// claim is an address with the place in mail.toml that claims it.
type claim struct {
	table, key string
	address    address.Address
}

func (c *checker) claims() iter.Seq[claim] {
	return func(yield func(claim) bool) {
		for _, a := range c.options.Accounts {
			if !yield(claim{"accounts", a.Key, a.Address}) {
				return
			}
		}
		for _, s := range c.options.Shared {
			if !yield(claim{"shared", s.Key, s.Address}) {
				return
			}
		}
		for _, a := range c.options.Aliases {
			if !yield(claim{"aliases", a.Key, a.Address}) {
				return
			}
		}
	}
}

// addresses finds addresses in two places, or in a domain that is not ours.
func (c *checker) addresses() {
	first := make(map[address.Key]claim)
	for this := range c.claims() {
		path := []string{this.table, this.key}
		if dom := c.dir.domains[this.address.Domain]; dom == nil {
			c.add(Problem{path, true, fmt.Sprintf("%s is in no domain of this file", this.address),
				c.guessDomain(this.address.Domain)})
			continue
		} else if dom.Name != this.address.Domain {
			right := c.dir.canonical(this.address)
			c.add(Problem{path, true, fmt.Sprintf("%s is an alias of %s: its addresses are written under %s", this.address.Domain, dom.Name, dom.Name),
				fmt.Sprintf("write %q", right)})
			continue
		}
		if other, taken := first[this.address.Key()]; taken {
			c.add(Problem{path, true, fmt.Sprintf("%s is there twice: here and as %q in [%s]", this.address, other.key, other.table),
				"an address is one account, one shared mailbox or one alias; take one out"})
			continue
		}
		first[this.address.Key()] = this
	}
}

// logins finds names that two accounts log in with.
func (c *checker) logins() {
	first := make(map[string]Account)
	for _, a := range c.options.Accounts {
		if a.Login == "" {
			continue
		}
		path := []string{"accounts", a.Key, "login"}
		if strings.Contains(a.Login, "@") {
			c.add(Problem{path, false, "a login name has no @", "everybody may log in with their address anyway; take the line out, or choose a name without @"})
			continue
		}
		name := address.FoldLocal(a.Login)
		if other, taken := first[name]; taken {
			c.add(Problem{path, false, fmt.Sprintf("the login name %q is also that of %s", a.Login, other.Address), "choose another name"})
			continue
		}
		first[name] = a
	}
}

// accounts checks numbers: accounts of a domain, redirections of an account.
func (c *checker) accounts() {
	count := make(map[address.Domain]int)
	for _, a := range c.options.Accounts {
		count[a.Address.Domain]++
		if len(a.Redirect) > maxRedirects {
			c.add(Problem{[]string{"accounts", a.Key, "redirect"}, false,
				fmt.Sprintf("%s redirects to %d addresses, and at most %d are allowed", a.Address, len(a.Redirect), maxRedirects),
				"make an alias with all of them, and redirect to the alias"})
		}
	}
	for _, dom := range c.options.Domains {
		if n := count[dom.Name]; dom.MaxAccounts > 0 && n > dom.MaxAccounts {
			c.add(Problem{[]string{"domains", dom.Key, "accounts"}, false,
				fmt.Sprintf("%s has %d accounts, and at most %d are allowed", dom.Name, n, dom.MaxAccounts),
				"raise the number, or remove accounts"})
		}
	}
}

// shared checks that the roles of shared mailboxes name accounts.
func (c *checker) shared() {
	for _, s := range c.options.Shared {
		if len(s.Owners)+len(s.Members)+len(s.Readers) == 0 {
			c.add(Problem{[]string{"shared", s.Key}, true, fmt.Sprintf("nobody could read %s: it has no owners, members or readers", s.Address),
				`add a line such as owners = ["alice@example.org"]`})
		}
		c.role(s.Key, "owners", s.Owners)
		c.role(s.Key, "members", s.Members)
		c.role(s.Key, "readers", s.Readers)
	}
}

func (c *checker) role(key, role string, people []Target) {
	for i, t := range people {
		if c.dir.account(t) == nil {
			c.add(Problem{[]string{"shared", key, role, strconv.Itoa(i)}, false, fmt.Sprintf("%s is no account", t),
				c.guess(t, "only accounts can have a part in a shared mailbox")})
		}
	}
}

// maxGuesses bounds the searches for a similar name.
const maxGuesses = 20

// guess is the hint for a target that is not there.
func (c *checker) guess(t Target, otherwise string) string {
	if c.guesses++; c.guesses > maxGuesses {
		return otherwise
	}
	names := func(yield func(string) bool) {
		if t.Login != "" {
			for _, a := range c.options.Accounts {
				if a.Login != "" && !yield(a.Login) {
					return
				}
			}
			return
		}
		for known := range c.claims() {
			if !yield(known.address.String()) {
				return
			}
		}
	}
	if name := Nearest(t.String(), names); name != "" && name != t.String() {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return otherwise
}

func (c *checker) guessDomain(name address.Domain) string {
	otherwise := fmt.Sprintf("add the line [domains.%q]", string(name))
	if c.guesses++; c.guesses > maxGuesses {
		return otherwise
	}
	names := func(yield func(string) bool) {
		for _, dom := range c.options.Domains {
			if !yield(string(dom.Name)) {
				return
			}
		}
	}
	if near := Nearest(string(name), names); near != "" {
		return fmt.Sprintf("did you mean %s? Else %s", near, otherwise)
	}
	return otherwise
}

// posters checks that those who may write to an alias exist.
func (c *checker) posters() {
	for _, a := range c.options.Aliases {
		for i, t := range a.Posters.List {
			path := []string{"aliases", a.Key, "posters", strconv.Itoa(i)}
			to, ok := c.dir.target(t)
			switch {
			case !ok:
				c.add(Problem{path, false, fmt.Sprintf("nobody has the login name %q", t.Login),
					c.guess(t, `write an address, the login of an account, or one of "members", "domain" and "anyone" alone`)})
			case c.dir.locate(to).kind == nobody:
				c.add(Problem{path, false, fmt.Sprintf("%s is nobody: no account, shared mailbox or alias has this address", to),
					c.guess(t, "add it, or correct the spelling")})
			}
		}
	}
}
