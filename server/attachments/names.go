package attachments

import (
	"strings"
	"unicode"

	"facteur/server/address"
	"facteur/server/safefile"
)

// named tells whether an object of a home names an attachment.
func (s *Store) named(box address.Address, id string) (bool, error) {
	own, err := s.opt.Homes.Own(box)
	if err != nil {
		return false, err
	}
	return own.NamesAttached(id)
}

// maxFileName bounds the name of an attachment on disk, in octets.
const maxFileName = 180

// FileName makes a name of what a client calls a file (RFC 8607 3.4: no path, nothing that a
// system takes for something else). It is never empty.
func FileName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`"<>:|?*%;`, r) || isInvisible(r) {
			return -1
		}
		return r
	}, name)
	name = trimmed(name)
	base, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 16 {
		base, ext = name[:i], name[i:]
	}
	for runes := []rune(base); len(safefile.Escape(base+ext)) > maxFileName; {
		runes = runes[:len(runes)-1]
		base = string(runes)
	}
	if name = trimmed(base + ext); name == "" {
		return "attachment"
	}
	return name
}

// trimmed is a name without what hides it, or what some systems don't see, at its ends.
func trimmed(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// isInvisible tells whether a character changes how others are shown: with it a program looks
// like a picture.
func isInvisible(r rune) bool {
	return r >= 0x80 && r <= 0x9f || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

// containsFolded tells whether content lines have a word in any case, also where a line is folded
// in the middle of it (RFC 5545 3.1).
func containsFolded(data []byte, word string) bool {
	for i := range data {
		if data[i]|0x20 == word[0]|0x20 && beginsFolded(data[i:], word) {
			return true
		}
	}
	return false
}

func beginsFolded(data []byte, word string) bool {
	for i := 0; i < len(word); {
		n := foldAt(data)
		switch {
		case n > 0:
			data = data[n:]
			continue
		case len(data) == 0 || !strings.EqualFold(string(data[:1]), word[i:i+1]):
			return false
		}
		data = data[1:]
		i++
	}
	return true
}

// foldAt returns how many octets a fold takes that begins here; 0: none does.
func foldAt(data []byte) int {
	n := 0
	if len(data) > 0 && data[0] == '\r' {
		n++
	}
	if len(data) > n+1 && data[n] == '\n' && (data[n+1] == ' ' || data[n+1] == '\t') {
		return n + 2
	}
	return 0
}
