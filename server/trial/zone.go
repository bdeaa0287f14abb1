package trial

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Zone is all that the DNS of a World knows. Its zero value knows nothing.
type Zone struct {
	records map[string][]record // by name, in lower case, without the last dot
	failing map[string]bool
}

type record struct {
	kind       string // a aaaa mx txt ptr cname
	value      string
	preference uint16 // of mx
}

// errDNS is the failure that a zone was told of.
var errDNS = errors.New("the name servers don't answer")

// maxRecords bounds a zone.
const maxRecords = 10_000

// ParseZone reads the lines of a zone file (RFC 1035 5): A, AAAA, MX, TXT, PTR and
// CNAME. Names are absolute, also without the final dot. file is for errors.
func ParseZone(file, text string) (*Zone, error) {
	z := new(Zone)
	parser := dns.NewZoneParser(strings.NewReader("$TTL 300\n"+text+"\n"), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		if len(z.records) >= maxRecords {
			return nil, fmt.Errorf("%s: more than %d names", file, maxRecords)
		}
		r, ok := recordOf(rr)
		if !ok {
			return nil, fmt.Errorf("%s: this is no record that scripts ask for, or has no value: %s", file, rr)
		}
		z.add(rr.Header().Name, r)
	}
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return z, nil
}

func recordOf(rr dns.RR) (record, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		return record{kind: "a", value: rr.A.String()}, rr.A != nil
	case *dns.AAAA:
		return record{kind: "aaaa", value: rr.AAAA.String()}, rr.AAAA != nil
	case *dns.MX:
		return record{kind: "mx", value: canonical(rr.Mx), preference: rr.Preference}, true
	case *dns.TXT:
		return record{kind: "txt", value: strings.Join(rr.Txt, "")}, true
	case *dns.PTR:
		return record{kind: "ptr", value: canonical(rr.Ptr)}, true
	case *dns.CNAME:
		return record{kind: "cname", value: canonical(rr.Target)}, true
	}
	return record{}, false
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Add adds a record: kind is a, aaaa, mx, txt or ptr, whose name is an IP address.
func (z *Zone) Add(kind, name, value string) error {
	switch ip, err := netip.ParseAddr(value); {
	case kind == "a" && (err != nil || !ip.Is4()), kind == "aaaa" && (err != nil || !ip.Is6()):
		return fmt.Errorf("%q is no address for a record %s", value, strings.ToUpper(kind))
	case kind == "ptr":
		reverse, err := dns.ReverseAddr(name)
		if err != nil {
			return fmt.Errorf("%q is no IP address", name)
		}
		name = reverse
	case !slices.Contains([]string{"a", "aaaa", "mx", "txt"}, kind):
		return fmt.Errorf("%q is no kind of record: there are a, aaaa, mx, txt and ptr", kind)
	}
	if kind == "mx" || kind == "ptr" {
		value = canonical(value)
	}
	if len(z.records) >= maxRecords {
		return fmt.Errorf("more than %d names", maxRecords)
	}
	z.add(name, record{kind: kind, value: value})
	return nil
}

func (z *Zone) add(name string, r record) {
	if z.records == nil {
		z.records = make(map[string][]record)
	}
	name = canonical(name)
	z.records[name] = append(z.records[name], r)
}

// Fail has each look-up of a name fail, for a while as it were.
func (z *Zone) Fail(name string) {
	if reverse, err := dns.ReverseAddr(name); err == nil {
		name = reverse
	}
	if z.failing == nil {
		z.failing = make(map[string]bool)
	}
	z.failing[canonical(name)] = true
}

// maxAliases bounds how many CNAMEs are followed.
const maxAliases = 8

// Lookup is that of hook.DNS.
func (z *Zone) Lookup(_ context.Context, kind, name string) ([]string, error) {
	if kind == "ptr" {
		reverse, err := dns.ReverseAddr(name)
		if err != nil {
			return nil, err
		}
		name = reverse
	}
	name = canonical(name)
	var found []record
	for range maxAliases {
		if z.failing[name] {
			return nil, errDNS
		}
		next := ""
		for _, r := range z.records[name] {
			switch r.kind {
			case kind:
				found = append(found, r)
			case "cname":
				next = r.value
			}
		}
		if len(found) > 0 || next == "" {
			break
		}
		name = next
	}
	slices.SortStableFunc(found, func(a, b record) int { return int(a.preference) - int(b.preference) })
	var values []string
	for _, r := range found {
		values = append(values, r.value)
	}
	return values, nil
}
