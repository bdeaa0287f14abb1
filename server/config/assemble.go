package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
)

// assembler makes a Config of a checked tree. What could not be read counts as
// absent; it has been told already.
type assembler struct {
	report *report
	root   *node
	dir    string
	config *Config
}

// The defaults, where the file says nothing.
const (
	defaultData        = "data"
	defaultMessageSize = 25_000_000
	defaultQuota       = 5_000_000_000
	defaultRecipients  = 100
	defaultSeparator   = "+"
	defaultDeleted     = 60 * day
	defaultAccount     = 30 * day
	defaultTrace       = 90 * day
	defaultQuarantine  = 14 * day
)

func (a *assembler) assemble() {
	c, root := a.config, a.root
	c.Hostname = or(root, address.Domain(""), "hostname")
	c.Data, _ = absolute(defaultData, a.dir)
	c.Data = or(root, c.Data, "data")
	c.Location = or(root, time.Local, "timezone")
	c.Language = or(root, "en", "language")
	c.TLS = TLS{
		Cert:           or(root, "", "tls", "cert"),
		Key:            or(root, "", "tls", "key"),
		PlaintextLogin: Plaintext(or(root, string(PlaintextLoopback), "tls", "plaintext_login")),
		MTASTS:         or(root, "testing", "tls", "mta_sts"),
	}
	c.Limits = Limits{
		MessageSize: or(root, int64(defaultMessageSize), "limits", "message_size"),
		Recipients:  or(root, defaultRecipients, "limits", "recipients"),
		Sending:     a.sending(),
	}
	c.Retention = Retention{
		Deleted: or(root, time.Duration(defaultDeleted), "retention", "deleted"),
		Trash:   or(root, Never, "retention", "trash"),
		Junk:    or(root, Never, "retention", "junk"),
		Account: or(root, time.Duration(defaultAccount), "retention", "account"),
		Trace:   or(root, time.Duration(defaultTrace), "retention", "trace"),

		Quarantine: or(root, time.Duration(defaultQuarantine), "retention", "quarantine"),
	}
	c.Lua = a.lua()
	c.Plugins = a.plugins()
	c.Hosts = all[string](a.root, "lua", "http")
	c.Subscriptions = all[string](a.root, "calendars", "subscriptions")
	c.Trusted = all[netip.Prefix](root, "trust", "networks")
	c.Relay = a.relay()
	c.Sealers = all[address.Domain](root, "trust", "arc")
	c.DNSServers = all[netip.AddrPort](root, "dns", "servers")
	c.Directory = directory.Options{
		Hostname:   c.Hostname,
		Postmaster: or(root, address.Address{}, "postmaster"),
		Quota:      or(root, int64(defaultQuota), "limits", "quota"),
		Domains:    a.domains(),
		Accounts:   a.accounts(),
		Aliases:    a.aliases(),
		Shared:     a.shared(),
		Sharing:    a.sharing(),
	}
	c.Vacations = a.vacations()
	c.Listen = a.listen()
	a.scripts()
	a.missing()
	a.pairs(root.get("tls"), "[tls]")
	a.directory()
}

// lua has the defaults that plugins/README.md tells.
func (a *assembler) lua() Lua {
	return Lua{
		Instructions: or(a.root, 5_000_000, "lua", "instructions"),
		CPUSMTP:      or(a.root, 250*time.Millisecond, "lua", "cpu_smtp"),
		CPUDeliver:   or(a.root, 2*time.Second, "lua", "cpu_deliver"),
		Memory:       or(a.root, int64(32_000_000), "lua", "memory"),
		Actions:      or(a.root, 32, "lua", "actions"),
		Redirects:    or(a.root, 4, "lua", "redirects"),
		Vacations:    or(a.root, 1, "lua", "vacations"),
		Replies:      or(a.root, 1, "lua", "replies"),
		Notices:      or(a.root, 10, "lua", "notifications"),
		Lookups:      or(a.root, 20, "lua", "lookups"),
		ScriptSize:   or(a.root, int64(256_000), "lua", "script_size"),
	}
}

// or returns the value at a path, or otherwise where there is none.
func or[T any](n *node, otherwise T, path ...string) T {
	if n = n.get(path...); n != nil {
		if v, ok := n.value.(T); ok {
			return v
		}
	}
	return otherwise
}

// all returns the values of the list at a path; one value alone is a list too.
func all[T any](n *node, path ...string) []T {
	n = n.get(path...)
	if n == nil {
		return nil
	}
	var made []T
	for _, element := range append([]*node{n}, n.elements...) {
		if v, ok := element.value.(T); ok {
			made = append(made, v)
		}
	}
	return made
}

// entries returns the children of a table whose names are domains or addresses.
func entries[K any](root *node, name string) func(func(K, *node) bool) {
	return func(yield func(K, *node) bool) {
		in := root.get(name)
		if in == nil {
			return
		}
		for _, n := range in.children {
			if key, ok := n.key.(K); ok && !n.again && !yield(key, n) {
				return
			}
		}
	}
}

func (a *assembler) domains() []directory.Domain {
	var made []directory.Domain
	for name, n := range entries[address.Domain](a.root, "domains") {
		made = append(made, directory.Domain{
			Key:         n.name,
			Name:        name,
			Aliases:     all[address.Domain](n, "aliases"),
			CatchAll:    or(n, directory.Target{}, "catch_all"),
			Quota:       or(n, int64(0), "quota"),
			MaxAccounts: or(n, 0, "accounts"),
			Separator:   or(n, defaultSeparator, "separator"),
			Scripts:     names(all[Script](n, "scripts")),
		})
		a.pairs(n, string(name))
		if cert := or(n, "", "cert"); cert != "" {
			a.config.TLS.Domains = append(a.config.TLS.Domains, DomainCert{name, cert, or(n, "", "key")})
		}
	}
	return made
}

func (a *assembler) accounts() []directory.Account {
	var made []directory.Account
	for addr, n := range entries[address.Address](a.root, "accounts") {
		account := directory.Account{
			Key:      n.name,
			Address:  addr,
			Name:     or(n, "", "name"),
			Login:    or(n, "", "login"),
			Password: directory.Secret(or(n, "", "password")),
			Quota:    or(n, int64(0), "quota"),
			Redirect: all[directory.Target](n, "redirect"),
			Keep:     or(n, true, "keep"),
			SendAs:   all[address.Address](n, "send_as"),
			Scripts:  names(all[Script](n, "scripts")),
			Disabled: or(n, false, "disabled"),
			Room:     or(n, false, "room"),
			Sending:  or(n, 1.0, "sending"),
		}
		if devices := n.get("devices"); devices != nil {
			for _, d := range devices.children {
				if line, ok := d.value.(string); ok && !d.again {
					account.Devices = append(account.Devices, directory.Device{Name: d.name, Line: directory.Secret(line)})
				}
			}
		}
		if !account.Keep && n.get("redirect") == nil {
			a.report.add(n.get("keep").valueAt, "keep = false without redirect: there would be no copy at all", "add redirect, or take the line out")
		}
		made = append(made, account)
	}
	return made
}

func (a *assembler) aliases() []directory.Alias {
	var made []directory.Alias
	for addr, n := range entries[address.Address](a.root, "aliases") {
		to := n
		if n.kind == table {
			to = n.get("to")
		}
		if to == nil || to.kind == list && len(to.elements) == 0 {
			a.report.add(n.keyAt, fmt.Sprintf("%s leads to nobody", addr), `write at least one address, ["alice@example.org"]`)
			continue
		}
		made = append(made, directory.Alias{Key: n.name, Address: addr, To: all[directory.Target](to), Posters: a.posters(n)})
	}
	return made
}

// posters reads who may write to an alias.
func (a *assembler) posters(alias *node) directory.Posters {
	n := alias.get("posters")
	if n == nil {
		return directory.Posters{}
	}
	listed := all[directory.Target](n)
	rules := all[directory.PosterRule](n)
	switch {
	case len(rules) == 1 && len(listed) == 0:
		return directory.Posters{Rule: rules[0]}
	case len(rules) > 0:
		a.report.add(n.valueAt, `"members", "domain" and "anyone" stand alone`, "write one of them, or a list of addresses")
	case n.kind == list && len(n.elements) == 0:
		a.report.add(n.valueAt, "nobody could write to this alias", `write "members", "domain", "anyone", or a list of addresses`)
	}
	return directory.Posters{Rule: directory.PostersListed, List: listed}
}

func (a *assembler) shared() []directory.Shared {
	var made []directory.Shared
	for addr, n := range entries[address.Address](a.root, "shared") {
		made = append(made, directory.Shared{
			Key:     n.name,
			Address: addr,
			Name:    or(n, "", "name"),
			Quota:   or(n, int64(0), "quota"),
			Owners:  all[directory.Target](n, "owners"),
			Members: all[directory.Target](n, "members"),
			Readers: all[directory.Target](n, "readers"),
		})
	}
	return made
}

func names(scripts []Script) []string {
	var made []string
	for _, s := range scripts {
		made = append(made, s.Name)
	}
	return made
}

// scripts collects the scripts of the server, the domains and the accounts.
func (a *assembler) scripts() {
	c := a.config
	add := func(scripts []Script) {
		for _, s := range scripts {
			if !slices.ContainsFunc(c.ScriptFiles, func(have Script) bool { return have.Name == s.Name }) {
				c.ScriptFiles = append(c.ScriptFiles, s)
			}
		}
	}
	server := all[Script](a.root, "scripts")
	c.Scripts = names(server)
	add(server)
	for _, n := range entries[address.Domain](a.root, "domains") {
		add(all[Script](n, "scripts"))
	}
	for _, n := range entries[address.Address](a.root, "accounts") {
		add(all[Script](n, "scripts"))
	}
	required := a.root.get("lua", "required")
	if required == nil {
		return
	}
	for _, element := range required.elements {
		s, ok := element.value.(Script)
		i := slices.IndexFunc(c.ScriptFiles, func(have Script) bool { return have.Name == s.Name })
		switch {
		case !ok:
		case i < 0:
			a.report.add(element.valueAt, fmt.Sprintf("%q is required, and yet in no list of scripts", s.Name), "add it to scripts at the top of the file")
		default:
			c.ScriptFiles[i].Required = true
		}
	}
}

// missing tells what a server can't be without.
func (a *assembler) missing() {
	need := func(what, hint string, path ...string) {
		if a.root.get(path...) == nil {
			a.report.add(0, what, hint)
		}
	}
	need("hostname is missing", `add hostname = "mail.example.org" at the top`, "hostname")
	need("postmaster is missing", `add postmaster = "alice@example.org" at the top: every domain has postmaster@ and abuse@`, "postmaster")
	need("there is no domain", `add a line [domains."example.org"]`, "domains")
	need("nothing listens", `add a line [listen], and below it smtp = ":25"`, "listen")
}

// pairs tells of a certificate without its key, and the other way round.
func (a *assembler) pairs(n *node, where string) {
	cert, key := n.get("cert"), n.get("key")
	switch {
	case cert != nil && key == nil:
		a.report.add(cert.keyAt, fmt.Sprintf("the certificate of %s has no key", where), "add a line with key")
	case cert == nil && key != nil:
		a.report.add(key.keyAt, fmt.Sprintf("the key of %s has no certificate", where), "add a line with cert")
	}
}

// directory tells the problems of the addresses, each at its place.
func (a *assembler) directory() {
	for _, p := range directory.Check(a.config.Directory) {
		n := a.root.locate(p.Path)
		at := n.valueAt
		if p.OnKey {
			at = n.keyAt
		}
		a.report.add(at, p.Text, p.Hint)
	}
}

// locate returns what a directory.Problem is about: an element of a list is
// named by its index, and one value alone is a list too.
func (n *node) locate(path []string) *node {
	for _, name := range path {
		if n.kind == table && n.byName[name] == nil && n.byName["to"] != nil {
			n = n.byName["to"] // an alias that is a table
		}
		switch n.kind {
		case table:
			if child := n.byName[name]; child != nil {
				n = child
			}
		case list:
			if i, err := strconv.Atoi(name); err == nil && i < len(n.elements) {
				n = n.elements[i]
			}
		}
	}
	return n
}
