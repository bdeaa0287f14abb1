package maildir

import (
	"strconv"
	"strings"
	"time"
)

// maxName is the longest file name, in octets.
const maxName = 255

// maxSize bounds the sizes that are believed from a name.
const maxSize = 1 << 40 // octets of a message: so that no sum of them overflows

// Unknown stands for a size that the name doesn't tell.
const Unknown = -1

// Name is what the name of a message file says.
type Name struct {
	Unique   string // the part before the first comma or colon
	Other    string // further fields of other programs, each with its comma: ",U=17"
	Size     int64  // S: octets on disk, or Unknown
	Served   int64  // octets with CRLF: W, or S in a name with F; else Unknown
	Validity uint32 // F: UIDVALIDITY; 0 without F
	UID      uint32 // F: UID; 0 without F
	Flags    Flags
}

// ParseName reads a file name. Every name is one: what it doesn't say is zero
// or Unknown.
func ParseName(file string) Name {
	n := Name{Size: Unknown, Served: Unknown}
	base, info := cutInfo(file)
	for i := 0; i < len(info); i++ {
		n.Flags |= flagOf(info[i])
	}
	var fields string
	if i := strings.IndexByte(base, ','); i >= 0 {
		base, fields = base[:i], base[i:]
	}
	n.Unique = base
	if n.parseFields(fields) {
		n.Other = otherFields(fields)
	}
	if n.UID != 0 && n.Served == Unknown {
		n.Served = n.Size
	}
	return n
}

// cutInfo splits a name into its base and the letters of the flags.
func cutInfo(file string) (base, info string) {
	i := strings.IndexByte(file, ':')
	if i < 0 {
		return file, ""
	}
	if rest, ok := strings.CutPrefix(file[i:], ":2,"); ok {
		info = rest
	}
	return file[:i], info
}

// parseFields reads ",S=1,F=x.2". It tells whether there are others in it.
func (n *Name) parseFields(fields string) (others bool) {
	for fields != "" {
		var field string
		field, fields = nextField(fields)
		if !n.parseField(field) {
			others = true
		}
	}
	return others
}

// nextField splits off a field without its comma.
func nextField(fields string) (field, rest string) {
	fields = fields[1:]
	if i := strings.IndexByte(fields, ','); i >= 0 {
		return fields[:i], fields[i:]
	}
	return fields, ""
}

// parseField reads a field and tells whether it is one of ours. Of several of
// a kind the first counts.
func (n *Name) parseField(field string) bool {
	if len(field) < 3 || field[1] != '=' {
		return false
	}
	switch kind, value := field[0], field[2:]; kind {
	case 'S', 'W':
		v, ok := parseSize(value)
		if ok && kind == 'S' && n.Size == Unknown {
			n.Size = v
		}
		if ok && kind == 'W' && n.Served == Unknown {
			n.Served = v
		}
		return ok
	case 'F':
		validity, uid, _ := strings.Cut(value, ".")
		v, vok := parseNumber(validity, 36)
		u, uok := parseNumber(uid, 10)
		if vok && uok && n.UID == 0 {
			n.Validity, n.UID = v, u
		}
		return vok && uok
	}
	return false
}

func parseSize(s string) (int64, bool) {
	v, err := strconv.ParseInt(s, 10, 64)
	ok := err == nil && v <= maxSize && s[0] >= '0' && (s[0] != '0' || s == "0") // digits, one form
	return v, ok
}

// parseNumber reads a number above 0 in the one form that formatting gives it.
func parseNumber(s string, base int) (uint32, bool) {
	if s == "" || s[0] == '0' || s[0] == '+' {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, base, 32)
	return uint32(v), err == nil && v > 0
}

// otherFields returns the fields that are not ours.
func otherFields(fields string) string {
	var n Name
	var b strings.Builder
	for fields != "" {
		var field string
		field, fields = nextField(fields)
		if !n.parseField(field) {
			b.WriteByte(',')
			b.WriteString(field)
		}
	}
	return b.String()
}

// Format returns the file name; in new, one without flags goes without ":2,".
// It is "" when it would be too long.
func (n Name) Format(sub string) string {
	b := make([]byte, 0, 96)
	b = append(b, n.Unique...)
	b = append(b, n.Other...)
	if n.Size != Unknown {
		b = append(b, ",S="...)
		b = strconv.AppendInt(b, n.Size, 10)
	}
	if n.Served != Unknown && n.Served != n.Size {
		b = append(b, ",W="...)
		b = strconv.AppendInt(b, n.Served, 10)
	}
	if n.UID != 0 {
		b = append(b, ",F="...)
		b = strconv.AppendUint(b, uint64(n.Validity), 36)
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(n.UID), 10)
	}
	if sub == Cur || n.Flags != 0 {
		b = append(b, ":2,"...)
		b = n.Flags.append(b)
	}
	if len(b)+NumKeywords+6 > maxName { // room for all flags
		return ""
	}
	return string(b)
}

// WithFlags returns the name of a file in cur with other flags. Letters that
// are no flags known here stay.
func WithFlags(file string, flags Flags) string {
	base, info := cutInfo(file)
	b := make([]byte, 0, len(base)+3+12)
	b = append(b, base...)
	b = append(b, ":2,"...)
	b = flags.append(b)
	for i := 0; i < len(info); i++ {
		if flagOf(info[i]) == 0 {
			b = append(b, info[i])
		}
	}
	return string(b)
}

// UniqueOf returns the unique part of a file name.
func UniqueOf(file string) string {
	if i := strings.IndexAny(file, ",:"); i >= 0 {
		return file[:i]
	}
	return file
}

// FlagsOf returns the flags of a file name.
func FlagsOf(file string) Flags {
	var f Flags
	_, info := cutInfo(file)
	for i := 0; i < len(info); i++ {
		f |= flagOf(info[i])
	}
	return f
}

// NewUnique returns a unique part: the time, a middle that differs within the
// process, the host.
func NewUnique(t time.Time, middle, host string) string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, t.Unix(), 10)
	b = append(b, '.')
	b = append(b, middle...)
	b = append(b, '.')
	b = append(b, host...)
	return string(b)
}

// Host returns a host name in the form for a unique part.
func Host(name string) string {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == ':' || r == ',' || r >= 0x7f {
			return '-'
		}
		return r
	}, name)
	if name == "" {
		return "localhost"
	}
	return name[:min(len(name), 64)]
}
