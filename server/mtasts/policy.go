// Package mtasts is MTA-STS (RFC 8461), mostly the sending side: what a domain says of
// itself about TLS on the way to it. It reads the record and the policy (3.1, 3.2),
// fetches the policy over HTTPS (3.3), keeps it over restarts (a small file a
// domain), renews it before it ends (10.2), and tells whether a server is one of the
// domain's (4.1). Whether a server's certificate holds, and what then happens to the
// mail, is for package relay.
//
// A policy counts until its max_age has passed, also when its record is gone, the
// DNS is silent or a newer one can't be had (3.3, 5.1).
//
// A Store may be used by several at once. Its lock is held over map access only; one
// fetch a domain goes on at a time. Its goroutine ends with Close.
package mtasts

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
)

// Mode is what a policy asks for (RFC 8461 5).
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // no mail to a server that fails
	Testing Mode = "testing" // mail goes, failures are reported
	None    Mode = "none"    // the domain has given it up
)

// Policy is what a domain says. The zero Policy stands for none.
type Policy struct {
	ID     string // of the record that it came with
	Mode   Mode
	MX     []string      // names of servers, in lower case; "*." stands for one label
	MaxAge time.Duration // from the time that it was fetched
	Lines  []string      // of the file, for reports (RFC 8460 4.4)
}

// The limits of what is read.
const (
	maxPolicy = 64 << 10 // RFC 8461 3.3
	maxMX     = 200
	maxAge    = 31557600 * time.Second // RFC 8461 3.2
	maxRecord = 4096
)

// Text is the file of a policy, as its domain serves it (RFC 8461 3.2).
func (p Policy) Text() string {
	lines := []string{"version: STSv1", "mode: " + string(p.Mode)}
	for _, mx := range p.MX {
		lines = append(lines, "mx: "+mx)
	}
	lines = append(lines, fmt.Sprintf("max_age: %d", int64(p.MaxAge/time.Second)))
	return strings.Join(lines, "\r\n") + "\r\n"
}

// TextID is an id for the record of a policy: another one when the text is (RFC 8461 3.1).
func (p Policy) TextID() string {
	sum := sha256.Sum256([]byte(p.Text()))
	return hex.EncodeToString(sum[:8])
}

// Allows tells whether a host is one of the domain's servers (RFC 8461 4.1).
func (p Policy) Allows(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(p.MX, func(pattern string) bool {
		if wild, ok := strings.CutPrefix(pattern, "*."); ok {
			label, rest, found := strings.Cut(host, ".")
			return found && label != "" && rest == wild
		}
		return host == pattern
	})
}

// Errors of ParseRecord.
var (
	errNoRecord = errors.New("there is no such record")
	errRecord   = errors.New("the record is not one of MTA-STS")
)

// ParseRecord returns the id of a domain's record, given all TXT records of its name
// (RFC 8461 3.1).
func ParseRecord(txt []string) (string, error) {
	var one []string
	for _, s := range txt {
		if after, ok := strings.CutPrefix(s, "v=STSv1"); ok && strings.HasPrefix(strings.TrimLeft(after, " \t"), ";") {
			one = append(one, after)
		}
	}
	switch {
	case len(one) == 0:
		return "", errNoRecord
	case len(one) > 1:
		return "", fmt.Errorf("%w: there are %d of them", errRecord, len(one))
	case len(one[0]) > maxRecord:
		return "", errRecord
	}
	id := ""
	for field := range strings.SplitSeq(one[0], ";") {
		if field = strings.Trim(field, " \t"); field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok || !isName(name) || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '=' }) {
			return "", errRecord
		}
		if name == "id" && id == "" {
			id = value
		}
	}
	if !isAlnum(id) || len(id) > 32 {
		return "", fmt.Errorf("%w: it has no id", errRecord)
	}
	return id, nil
}

// ParsePolicy reads a policy (RFC 8461 3.2). It has no ID yet.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("the policy is larger than %d octets", maxPolicy)
	}
	var p Policy
	seen := make(map[string]string)
	for line := range strings.SplitSeq(string(text), "\n") {
		if line = strings.TrimRight(line, "\r \t"); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isName(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return Policy{}, errors.New("a line is not a key and a value")
		}
		p.Lines = append(p.Lines, name+": "+value)
		if name == "mx" {
			mx, err := parseMX(value)
			if err != nil || len(p.MX) == maxMX {
				return Policy{}, fmt.Errorf("mx %q can't be used", value)
			}
			p.MX = append(p.MX, mx)
		} else if _, again := seen[name]; !again { // the first of several counts
			seen[name] = value
		}
	}
	return p, p.take(seen)
}

// take reads the keys that are there once.
func (p *Policy) take(seen map[string]string) error {
	if seen["version"] != "STSv1" {
		return errors.New("version is not STSv1")
	}
	p.Mode = Mode(seen["mode"])
	if p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
		return fmt.Errorf("mode %.40q is unknown", seen["mode"])
	}
	if p.Mode != None && len(p.MX) == 0 {
		return errors.New("it names no mx")
	}
	seconds, err := strconv.ParseUint(seen["max_age"], 10, 63)
	if err != nil || len(seen["max_age"]) > 10 {
		return fmt.Errorf("max_age %.40q is not a number of seconds", seen["max_age"])
	}
	p.MaxAge = min(time.Duration(min(seconds, 1<<32))*time.Second, maxAge)
	return nil
}

// parseMX reads a domain, or one with "*." in front.
func parseMX(s string) (string, error) {
	name, wild := strings.CutPrefix(s, "*.")
	d, err := address.ParseDomain(strings.TrimSuffix(name, "."))
	if err != nil || strings.HasPrefix(string(d), "[") {
		return "", errRecord
	}
	if wild {
		return "*." + string(d), nil
	}
	return string(d), nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 32 && isAlnum(s[:1]) && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlnum(string(r)) && r != '_' && r != '-' && r != '.'
	})
}

func isAlnum(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}
