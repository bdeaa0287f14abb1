package directory

import (
	"fmt"
	"strconv"
	"strings"

	"facteur/server/address"
)

// node is something that leads on: an *entry, a *Domain for its catch-all, or
// the *Options for the postmaster.
type node any

// edge is one target of a node, with its place in mail.toml.
type edge struct {
	path   []string
	target Target
}

// visit is how far the search for cycles is with a node.
type visit struct {
	done   bool
	height int // when done: of the longest way that begins here
}

// maxHeight is how many steps may lead from an address to its destination.
const maxHeight = 20

// leads checks where every alias, redirection, catch-all and the postmaster
// lead: each target must exist, and none may lead back.
func (c *checker) leads() {
	c.from(&c.dir.options)
	for i := range c.dir.options.Accounts {
		c.from(c.entryOf(c.dir.options.Accounts[i].Address))
	}
	for i := range c.dir.options.Aliases {
		c.from(c.entryOf(c.dir.options.Aliases[i].Address))
	}
	for i := range c.dir.options.Domains {
		c.from(&c.dir.options.Domains[i])
	}
}

func (c *checker) entryOf(a address.Address) node {
	if e := c.dir.entries[a.Key()]; e != nil {
		return e
	}
	return nil
}

// from searches depth first; each node is looked at once. It returns the height
// of n.
func (c *checker) from(n node) int {
	if n == nil {
		return 0
	}
	if v, seen := c.visits[n]; seen {
		return v.height
	}
	c.visits[n] = visit{}
	c.trail = append(c.trail, n)
	var height int
	for _, e := range c.edges(n) {
		next := c.next(n, e)
		if v, seen := c.visits[next]; seen && !v.done {
			c.cycle(e, next)
			continue
		}
		if h := 1 + c.from(next); h > height {
			if height = h; height == maxHeight+1 {
				c.add(Problem{e.path, false, fmt.Sprintf("from here it takes more than %d steps to the destination", maxHeight),
					"write the destination in place of one of the aliases"})
			}
		}
	}
	c.trail = c.trail[:len(c.trail)-1]
	c.visits[n] = visit{done: true, height: height}
	return height
}

func (c *checker) edges(n node) []edge {
	switch n := n.(type) {
	case *entry:
		switch {
		case n.alias != nil:
			return numbered(n.alias.To, "aliases", n.alias.Key)
		case n.account != nil:
			return numbered(n.account.Redirect, "accounts", n.account.Key, "redirect")
		}
	case *Domain:
		if !n.CatchAll.IsZero() {
			return []edge{{[]string{"domains", n.Key, "catch_all"}, n.CatchAll}}
		}
	case *Options:
		if !n.Postmaster.IsZero() {
			return []edge{{[]string{"postmaster"}, Target{Address: n.Postmaster}}}
		}
	}
	return nil
}

func numbered(to []Target, path ...string) []edge {
	edges := make([]edge, len(to))
	for i, t := range to {
		edges[i] = edge{append(path[:len(path):len(path)], strconv.Itoa(i)), t}
	}
	return edges
}

// next returns what an edge of n leads to, nil for a mailbox elsewhere and for
// what does not exist, which is a problem.
func (c *checker) next(n node, e edge) node {
	a, ok := c.dir.target(e.target)
	if !ok {
		c.add(Problem{e.path, false, fmt.Sprintf("nobody has the login name %q", e.target.Login),
			c.guess(e.target, "write an address, or the login of an account")})
		return nil
	}
	switch p := c.dir.locate(a); p.kind {
	case found:
		return p.entry
	case postmaster:
		return &c.dir.options
	case catchAll:
		if n != node(p.domain) {
			return p.domain
		}
		c.nobody(e, a) // a catch-all that nothing but itself claims
	case nobody:
		c.nobody(e, a)
	}
	return nil
}

func (c *checker) nobody(e edge, a address.Address) {
	c.add(Problem{e.path, false, fmt.Sprintf("%s is nobody: no account, shared mailbox or alias has this address", a),
		c.guess(e.target, "add it, or correct the spelling")})
}

// maxPath is how many addresses of a cycle are printed.
const maxPath = 12

func (c *checker) cycle(e edge, back node) {
	start := len(c.trail) - 1
	for c.trail[start] != back {
		start--
	}
	var names []string
	for _, n := range c.trail[start:] {
		if len(names) == maxPath {
			names = append(names, "...")
			break
		}
		names = append(names, label(n))
	}
	names = append(names, label(back))
	c.add(Problem{e.path, false, fmt.Sprintf("%s leads back to itself: %s", label(back), strings.Join(names, " -> ")),
		"take one of these steps out"})
}

func label(n node) string {
	switch n := n.(type) {
	case *entry:
		return n.address.String()
	case *Domain:
		return "the catch-all of " + string(n.Name)
	}
	return "the postmaster"
}
