// Package address holds mail addresses and domains: parsing, comparison and
// their names on disk. It is the only code that splits on "@".
//
// An address is compared without case, in NFC, with its domain in A-label form
// (RFC 5890 2.3.2.1); Key is that form. The spelling that a peer used is kept,
// since RFC 5321 2.4 lets only the receiving host interpret a local part.
package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// RFC 5321 4.5.3.1.1, 4.5.3.1.2 and 4.5.3.1.3, in octets.
const (
	maxLocal  = 64
	maxDomain = 255
	maxPath   = 254
)

// Domain is a domain in A-label form and lower case, or an address literal
// such as "[192.0.2.1]".
type Domain string

// Address is a local-part and a domain (RFC 5321 4.1.2 Mailbox). The zero
// Address stands for no address; as a reverse-path it is the null one.
type Address struct {
	// Local is the local-part as written, without quotes, in NFC.
	Local  string
	Domain Domain
}

// Key is an address in the form in which addresses are compared.
type Key string

var profile = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.ValidateLabels(true), idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule(),
)

// ParseDomain reads a domain in U-label or A-label form, or an address literal.
func ParseDomain(s string) (Domain, error) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		if !validLiteral(s[1 : len(s)-1]) {
			return "", fmt.Errorf("%q is not an address literal", s)
		}
		return Domain(strings.ToLower(s)), nil
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not a domain: not UTF-8", s)
	}
	a, err := profile.ToASCII(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a domain: %w", s, err)
	}
	a = strings.ToLower(a)
	if !validDomain(a) {
		return "", fmt.Errorf("%q is not a domain", s)
	}
	return Domain(a), nil
}

// Unicode returns the domain with its labels in U-label form, for people.
func (d Domain) Unicode() string {
	u, err := profile.ToUnicode(string(d))
	if err != nil {
		return string(d)
	}
	return u
}

// Parse reads local-part@domain. The local-part may be a quoted string, and
// may hold UTF-8 (RFC 6531 3.3).
func Parse(s string) (Address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return Address{}, fmt.Errorf("%q is not an address: it has no @", s)
	}
	local, err := ParseLocal(s[:at])
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an address: %w", s, err)
	}
	domain, err := ParseDomain(s[at+1:])
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an address: %w", s, err)
	}
	if len(local)+1+len(domain) > maxPath {
		return Address{}, fmt.Errorf("the address is longer than %d octets", maxPath)
	}
	return Address{Local: local, Domain: domain}, nil
}

// MustParse is Parse for constants in tests and tables.
func MustParse(s string) Address {
	a, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

// ParseLocal reads a local-part, quoted or not, and returns it without quotes.
func ParseLocal(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("the part before @ is not UTF-8")
	}
	local := s
	if strings.HasPrefix(s, `"`) {
		var ok bool
		if local, ok = unquote(s); !ok {
			return "", errors.New("the quoted part before @ is malformed")
		}
	} else if !dotString(s) {
		return "", errors.New("the part before @ is malformed")
	}
	local = norm.NFC.String(local)
	if len(local) > maxLocal {
		return "", fmt.Errorf("the part before @ is longer than %d octets", maxLocal)
	}
	return local, nil
}

// IsZero tells whether a is no address (the null reverse-path).
func (a Address) IsZero() bool { return a == Address{} }

// Key returns the form of a in which addresses are compared.
func (a Address) Key() Key {
	return Key(FoldLocal(a.Local) + "@" + string(a.Domain))
}

// FoldLocal returns a local-part in the form in which local-parts are compared.
func FoldLocal(local string) string {
	for i := 0; i < len(local); i++ {
		if local[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(local)))
		}
	}
	return strings.ToLower(local)
}

// String returns a for the wire: the local-part quoted where RFC 5321 4.1.2
// asks for it, the domain in A-label form. The null address is ""; one without
// a domain, which only a forward-path <postmaster> may be (RFC 5321 4.5.1), is
// its local-part.
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	if a.Domain == "" {
		return a.quotedLocal()
	}
	return a.quotedLocal() + "@" + string(a.Domain)
}

func (a Address) quotedLocal() string {
	if dotString(a.Local) {
		return a.Local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(a.Local); i++ {
		if c := a.Local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(a.Local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// NeedsUTF8 tells whether a can only travel where SMTPUTF8 is offered (RFC 6531).
func (a Address) NeedsUTF8() bool {
	for i := 0; i < len(a.Local); i++ {
		if a.Local[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// Detail splits off the subaddress (RFC 5233): with separator "+",
// alice+shop@ is alice@ with the detail "shop". ok is false when there is none.
func (a Address) Detail(separator string) (base Address, detail string, ok bool) {
	if separator == "" {
		return a, "", false
	}
	i := strings.Index(a.Local, separator)
	if i <= 0 {
		return a, "", false
	}
	return Address{Local: a.Local[:i], Domain: a.Domain}, a.Local[i+len(separator):], true
}

// IsSRS tells whether a is of the form that the Sender Rewriting Scheme gives to the
// reverse-path of what is forwarded: "SRS0=...", "SRS1=..." or with "+" or "-".
func (a Address) IsSRS() bool {
	const tag = len("SRS0")
	if len(a.Local) <= tag+1 || strings.IndexByte("=+-", a.Local[tag]) < 0 {
		return false
	}
	return strings.EqualFold(a.Local[:tag], "SRS0") || strings.EqualFold(a.Local[:tag], "SRS1")
}

// Dir returns the folder of a below the folder of all domains:
// "example.org/alice". What is not [a-z0-9._+-], and a leading dot, is
// written %XX.
func (a Address) Dir() string {
	return string(a.Domain) + "/" + escape(FoldLocal(a.Local))
}

func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._+-", c) >= 0
		if plain && !(c == '.' && i == 0) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
