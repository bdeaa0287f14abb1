package config

import (
	"slices"
	"strings"
)

// status tells whether this version has what a key is for.
type status bool

const (
	now   status = true
	later status = false // refused with "not supported yet"
)

// rule is a key that mail.toml may have. In a path, <...> stands for any name
// of that kind.
type rule struct {
	path   string
	value  *form
	status status
}

// rules is all of mail.toml. A table is there because something in it is.
func rules() []rule {
	return slices.Concat(listenerRules(), otherRules())
}

// listenerRules are those of the services: each may be an address, a table, or a list of such.
func listenerRules() []rule {
	var all []rule
	for _, protocol := range protocols() {
		key := "listen." + protocol
		all = append(all, rule{key, listenersForm, now}, rule{key + ".address", listenForm, now}, rule{key + ".proxy", oneOrMore(proxyForm), now})
	}
	return all
}

func otherRules() []rule {
	return []rule{
		{"hostname", domainForm, now},
		{"data", pathForm, now},
		{"postmaster", addressForm, now},
		{"timezone", zoneForm, now},
		{"language", oneOf("en", "fr"), now},
		{"scripts", listOf(scriptForm), now},

		{"listen.admin", oneOrMore(listenForm), later},

		{"tls.acme", addressForm, later},
		{"tls.cert", fileForm, now},
		{"tls.key", fileForm, now},
		{"tls.mta_sts", oneOf("none", "testing", "enforce"), now},
		{"tls.plaintext_login", oneOf(string(PlaintextNever), string(PlaintextLoopback)), now},

		{"limits.message_size", sizeBetween(64_000, 2_000_000_000), now}, // at least 64 KB: RFC 5321 4.5.3.1.7
		{"limits.quota", quotaForm, now},
		{"limits.recipients", numberBetween(1, 10_000), now},
		{"limits.sending.account.<window>", windowForm, now},
		{"limits.sending.client.<window>", windowForm, now},
		{"limits.sending.night.from", clockForm, now},
		{"limits.sending.night.to", clockForm, now},
		{"limits.sending.night.divide", numberBetween(1, 1000), now},
		{"limits.sending.weekend.divide", numberBetween(1, 1000), now},

		{"lua.required", listOf(scriptForm), now},
		{"lua.instructions", numberBetween(1000, 1_000_000_000), now},
		{"lua.cpu_smtp", durationForm, now},
		{"lua.cpu_deliver", durationForm, now},
		{"lua.memory", sizeBetween(1_000_000, 1_000_000_000), now},
		{"lua.actions", numberBetween(1, 1000), now},
		{"lua.redirects", numberBetween(0, 100), now},
		{"lua.vacations", numberBetween(0, 1), now},
		{"lua.replies", numberBetween(0, 10), now},
		{"lua.notifications", numberBetween(0, 100), now},
		{"lua.lookups", numberBetween(0, 1000), now},
		{"lua.script_size", sizeBetween(1000, 10_000_000), now},
		{"lua.http", listOf(hostForm), now},

		{"plugins.<name>.<name>", freeForm, now},
		{"calendars.subscriptions", listOf(hostForm), now},
		{"trust.networks", listOf(networkForm), now},
		{"trust.arc", listOf(domainForm), now},
		{"retention.deleted", retentionFrom(0), now},
		{"retention.trash", retentionFrom(day), now},
		{"retention.junk", retentionFrom(day), now},
		{"retention.account", retentionFrom(day), now},
		{"retention.quarantine", retentionFrom(day), now},
		{"retention.trace", retentionFrom(day), now},
		{"retention.logins", anyForm, later},
		{"dns.servers", oneOrMore(serverForm), now},

		{"domains.<domain>.aliases", oneOrMore(domainForm), now},
		{"domains.<domain>.catch_all", targetForm, now},
		{"domains.<domain>.quota", quotaForm, now},
		{"domains.<domain>.accounts", numberBetween(1, 1_000_000), now},
		{"domains.<domain>.separator", separatorForm, now},
		{"domains.<domain>.scripts", listOf(scriptForm), now},
		{"domains.<domain>.cert", fileForm, now},
		{"domains.<domain>.key", fileForm, now},

		{"accounts.<address>.name", textForm, now},
		{"accounts.<address>.login", textForm, now},
		{"accounts.<address>.password", hashForm, now},
		{"accounts.<address>.quota", quotaForm, now},
		{"accounts.<address>.redirect", oneOrMore(targetForm), now},
		{"accounts.<address>.keep", flagForm, now},
		{"accounts.<address>.sending", factorForm, now},
		{"accounts.<address>.send_as", oneOrMore(addressForm), now},
		{"accounts.<address>.scripts", listOf(scriptForm), now},
		{"accounts.<address>.disabled", flagForm, now},
		{"accounts.<address>.room", flagForm, now},
		{"accounts.<address>.vacation.text", letterForm, now},
		{"accounts.<address>.vacation.html", letterForm, now},
		{"accounts.<address>.vacation.subject", textForm, now},
		{"accounts.<address>.vacation.from", addressForm, now},
		{"accounts.<address>.vacation.days", numberBetween(1, 60), now}, // RFC 5230 4.1
		{"accounts.<address>.vacation.addresses", oneOrMore(addressForm), now},
		{"accounts.<address>.vacation.handle", textForm, now},
		{"accounts.<address>.vacation.start", dateForm, now},
		{"accounts.<address>.vacation.stop", dateForm, now},
		{"accounts.<address>.devices.<name>", deviceForm, now},
		{"accounts.<address>.renamed_from", anyForm, later},

		{"aliases.<address>", oneOrMore(targetForm), now},
		{"aliases.<address>.to", oneOrMore(targetForm), now},
		{"aliases.<address>.posters", oneOrMore(posterForm), now},

		{"shared.<address>.name", textForm, now},
		{"shared.<address>.owners", oneOrMore(targetForm), now},
		{"shared.<address>.members", oneOrMore(targetForm), now},
		{"shared.<address>.readers", oneOrMore(targetForm), now},
		{"shared.<address>.quota", quotaForm, now},

		{"sharing.<calendar>.members", oneOrMore(targetForm), now},
		{"sharing.<calendar>.readers", oneOrMore(targetForm), now},
		{"sharing.<calendar>.freebusy", oneOrMore(targetForm), now},
		{"sharing.<calendar>.published", linkForm, now},

		{"relay.via", viaForm, now},
		{"relay.login", textForm, now},
		{"relay.password_file", secretForm, now},
		{"relay.tls", oneOf(string(RelayVerified), string(RelayEncrypted), string(RelayOptional)), now},
	}
}

// spec is what a place in the file may hold: a value, a table, or either.
type spec struct {
	value  *form
	status status           // of the value
	keys   map[string]*spec // of a table with fixed keys
	names  []string         // the keys in the order of rules
	each   *spec            // of a table whose keys are chosen in the file
	eachIs string           // "domain", "address", "name", "window", "calendar"
}

// schema makes a tree of the rules.
func schema() *spec {
	root := &spec{}
	for _, r := range rules() {
		s := root
		for name := range strings.SplitSeq(r.path, ".") {
			s = s.child(name)
		}
		s.value, s.status = r.value, r.status
	}
	return root
}

func (s *spec) child(name string) *spec {
	if inner, ok := strings.CutPrefix(name, "<"); ok {
		if s.each == nil {
			s.each, s.eachIs = &spec{}, strings.TrimSuffix(inner, ">")
		}
		return s.each
	}
	if s.keys == nil {
		s.keys = make(map[string]*spec)
	}
	if s.keys[name] == nil {
		s.keys[name] = &spec{}
		s.names = append(s.names, name)
	}
	return s.keys[name]
}

// isTable tells whether a table may stand here.
func (s *spec) isTable() bool { return s.keys != nil || s.each != nil }

// tableLater tells whether nothing in the table is supported.
func (s *spec) tableLater() bool {
	if s.each != nil && !s.each.isLater() {
		return false
	}
	for _, k := range s.keys {
		if !k.isLater() {
			return false
		}
	}
	return s.isTable()
}

// isLater tells whether nothing here is supported.
func (s *spec) isLater() bool {
	return (s.value == nil || s.status == later) && (!s.isTable() || s.tableLater())
}
