package directory

import (
	"fmt"
	"strings"

	"facteur/server/address"
	"facteur/server/fault"
)

// Kind is the kind of a Destination.
type Kind uint8

// The kinds.
const (
	Box    Kind = iota // the mailbox of an account, or a shared one
	Remote             // an address on another server
)

// Destination is an end of an address's way.
type Destination struct {
	Kind    Kind
	Address address.Address // of the account or shared mailbox as mail.toml spells it; the remote one
	Detail  string          // the subaddress (RFC 5233), "" without one
	// Path is the addresses on the way, from the forward-path to Address.
	Path []string
	// Forwarder is the local address that forwards to a Remote: an account, an
	// alias, or the address that a catch-all or the postmaster's rule took.
	Forwarder address.Address
	// List is the alias with several destinations, the first on the way, that a Remote is
	// one of; zero when none is, or when an account's own redirection leads there.
	List address.Address
}

// Resolution is where an address leads.
type Resolution struct {
	Local bool // the domain is ours
	// Steps tells the way in sentences, for people.
	Steps []string
	// Destinations has each end once, in the order of mail.toml.
	Destinations []Destination
	// Fault is set when there are no Destinations: NoSuchAddress, or NotLocal for
	// an address on another server. It is temporary when the sender behind a rewritten
	// address can't be found out for now.
	Fault *fault.Fault
	// Back means that the forward-path is a rewritten reverse-path (SRS), which is
	// there for reports only.
	Back bool
}

// Resolve tells where mail to a forward-path goes: domain alias, then the exact
// address, then the address without its subaddress, then postmaster, abuse and
// the addresses for reports, then the sender behind a rewritten reverse-path (SRS),
// then the catch-all. <postmaster> without a domain (RFC 5321 4.1.1.3) is an Address
// without one.
func (d *Directory) Resolve(forwardPath address.Address) Resolution {
	return d.resolve(forwardPath, nil)
}

func (d *Directory) resolve(forwardPath address.Address, claim Claimer) Resolution {
	w := &walk{dir: d, visited: make(map[any]bool), claim: claim}
	p := d.locate(forwardPath)
	w.res.Local = p.kind != elsewhere
	if !w.res.Local {
		w.step("%s is on another server: only our own users may send there from here", forwardPath)
		w.res.Fault = fault.New(fault.NotLocal, "")
		return w.res
	}
	w.follow(forwardPath, route{})
	if len(w.res.Destinations) == 0 && w.res.Fault == nil {
		w.res.Fault = fault.New(fault.NoSuchAddress, "")
	}
	return w.res
}

// placeKind tells what claims an address.
type placeKind uint8

const (
	elsewhere  placeKind = iota // another server
	found                       // an entry
	postmaster                  // the rule for postmaster, abuse and reports
	rewritten                   // the reverse-path of what was forwarded
	catchAll                    // the domain's catch-all
	nobody
)

// place is what claims an address, and how.
type place struct {
	kind   placeKind
	at     address.Address // the address under the primary name of its domain
	entry  *entry          // found
	detail string          // found, without the subaddress
	domain *Domain         // nil for the hostname's
}

// locate applies the order of resolution once; it follows nothing.
func (d *Directory) locate(a address.Address) place {
	p := place{at: d.canonical(a), domain: d.domains[a.Domain]}
	if p.domain != nil {
		if p.entry = d.entries[p.at.Key()]; p.entry != nil {
			p.kind = found
			return p
		}
		if base, detail, ok := p.at.Detail(p.domain.Separator); ok {
			if p.entry = d.entries[base.Key()]; p.entry != nil {
				p.kind, p.detail = found, detail
				return p
			}
		}
	}
	switch {
	case d.forPostmaster(a):
		p.kind = postmaster
	case d.options.Unwrap != nil && a.IsSRS() && d.IsLocal(a.Domain):
		p.kind = rewritten
	case p.domain != nil && !p.domain.CatchAll.IsZero():
		p.kind = catchAll
	case d.IsLocal(a.Domain):
		p.kind = nobody
	}
	return p
}

// forPostmaster tells whether a is one of the addresses that every domain has:
// RFC 5321 4.5.1, RFC 2142 4, and those to which other servers send reports
// (package report).
func (d *Directory) forPostmaster(a address.Address) bool {
	if d.options.Postmaster.IsZero() {
		return false
	}
	local := address.FoldLocal(a.Local)
	return local == "postmaster" && a.Domain == "" || everyDomain[local] && d.IsLocal(a.Domain)
}

// everyDomain has the local-parts that lead to the postmaster in every domain.
var everyDomain = map[string]bool{"postmaster": true, "abuse": true, "dmarc-reports": true, "tls-reports": true}

// walk is one resolution under way.
type walk struct {
	dir     *Directory
	res     Resolution
	visited map[any]bool // entries and domains by pointer, remote and claimed addresses by key
	claim   Claimer      // may be nil
	claims  int          // it was asked so often
}

// route is how a walk came to an address.
type route struct {
	path      []string
	detail    string
	forwarder address.Address
	list      address.Address
}

func (r route) via(address string) route {
	if n := len(r.path); n == 0 || !strings.EqualFold(r.path[n-1], address) {
		r.path = append(r.path[:n:n], address)
	}
	return r
}

func (w *walk) step(format string, args ...any) {
	w.res.Steps = append(w.res.Steps, fmt.Sprintf(format, args...))
}

// again tells whether the walk came by key before: each destination is reached
// once, and no cycle goes on.
func (w *walk) again(key any) bool {
	if w.visited[key] {
		return true
	}
	w.visited[key] = true
	return false
}

func (w *walk) follow(a address.Address, r route) {
	p := w.dir.locate(a)
	r = r.via(a.String())
	if p.at != a {
		w.step("%s is %s: %s is an alias of %s", a, p.at, a.Domain, p.at.Domain)
		r = r.via(p.at.String())
	}
	switch p.kind {
	case elsewhere:
		w.remote(a, r)
	case found:
		w.found(p, r)
	case postmaster:
		w.postmaster(p, r)
	case rewritten:
		w.rewritten(p, r)
	case catchAll, nobody:
		w.unowned(p, r)
	}
}

// unowned follows an address that is nobody's own: once, for a claim may lead back.
func (w *walk) unowned(p place, r route) {
	if w.claim != nil && w.again(p.at.Key()) {
		return
	}
	switch {
	case w.claimed(p, r):
	case p.kind == catchAll:
		w.catchAll(p, r)
	default:
		w.nobody(p)
	}
}

func (w *walk) remote(a address.Address, r route) {
	if w.again(a.Key()) {
		return
	}
	w.step("%s is on another server", a)
	w.res.Destinations = append(w.res.Destinations, Destination{
		Kind: Remote, Address: a, Detail: r.detail, Path: r.path, Forwarder: r.forwarder, List: r.list,
	})
}

func (w *walk) found(p place, r route) {
	e := p.entry
	if p.detail != "" {
		w.step("%s is %s with the detail %q", p.at, e.address, p.detail)
		r.detail = p.detail
	}
	r = r.via(e.address.String())
	if w.again(e) {
		return
	}
	switch {
	case e.alias != nil:
		w.step("%s is an alias of %s%s", e.address, w.dir.list(e.alias.To), e.alias.Posters.words())
		if len(e.alias.To) > 1 && r.list.IsZero() {
			r.list = e.address
		}
		w.all(e.alias.To, e.address, r)
	case e.shared != nil:
		w.step("%s is a shared mailbox", e.address)
		w.box(e, r)
	default:
		w.account(e, r)
	}
}

func (w *walk) account(e *entry, r route) {
	a := e.account
	switch {
	case len(a.Redirect) == 0 && a.Disabled:
		w.step("%s is a disabled account: mail is kept in its mailbox, nobody can log in", e.address)
	case len(a.Redirect) == 0:
		w.step("%s is an account: into its mailbox", e.address)
	case a.Keep:
		w.step("%s is an account: into its mailbox, and redirected to %s", e.address, w.dir.list(a.Redirect))
	default:
		w.step("%s is an account: redirected to %s, without a copy", e.address, w.dir.list(a.Redirect))
	}
	if a.Keep || len(a.Redirect) == 0 {
		w.box(e, r)
	}
	r.list = address.Address{}
	w.all(a.Redirect, e.address, r)
}

func (w *walk) box(e *entry, r route) {
	w.res.Destinations = append(w.res.Destinations, Destination{
		Kind: Box, Address: e.address, Detail: r.detail, Path: r.path,
	})
}

func (w *walk) postmaster(p place, r route) {
	w.step("%s is for the postmaster, %s", p.at, w.dir.options.Postmaster)
	if w.again(&w.dir.options) {
		return
	}
	r.forwarder = p.at
	w.follow(w.dir.options.Postmaster, r)
}

// rewritten follows a bounce on its way back to the sender of what was forwarded.
func (w *walk) rewritten(p place, r route) {
	if w.again(p.at.Key()) {
		return
	}
	w.res.Back = true
	sender, err := w.dir.options.Unwrap(p.at)
	if err != nil {
		w.res.Fault = fault.As(err)
		w.step("%s looks like the sender of a message that was forwarded from here: %s", p.at, w.res.Fault.Text)
		return
	}
	w.step("%s stands for %s, whose message was forwarded from here: on to that address", p.at, sender)
	r.forwarder = p.at
	w.follow(sender, r)
}

func (w *walk) catchAll(p place, r route) {
	w.step("%s is nobody's own: the catch-all of %s is %s", p.at, p.domain.Name, p.domain.CatchAll)
	if w.again(p.domain) {
		return
	}
	w.all([]Target{p.domain.CatchAll}, p.at, r)
}

func (w *walk) nobody(p place) {
	switch {
	case p.domain == nil:
		w.step("%s is nobody: %s is the name of this server and no mail domain", p.at, p.at.Domain)
	default:
		w.step("%s is nobody: no account, shared mailbox or alias has this address, and %s has no catch-all", p.at, p.domain.Name)
	}
}

func (w *walk) all(to []Target, forwarder address.Address, r route) {
	r.forwarder = forwarder
	for _, t := range to {
		if a, ok := w.dir.target(t); ok {
			w.follow(a, r)
		}
	}
}

// target returns the address of t; ok is false for a login name that nobody has.
func (d *Directory) target(t Target) (address.Address, bool) {
	if t.Login == "" {
		return t.Address, true
	}
	if e := d.logins[address.FoldLocal(t.Login)]; e != nil {
		return e.address, true
	}
	return address.Address{}, false
}

// maxListed is how many targets a step names.
const maxListed = 10

func (d *Directory) list(to []Target) string {
	names := make([]string, 0, maxListed)
	for _, t := range to {
		if len(names) == maxListed {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(to)-maxListed)
		}
		a, _ := d.target(t)
		names = append(names, a.String())
	}
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}
