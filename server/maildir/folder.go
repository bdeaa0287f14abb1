package maildir

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"facteur/server/fault"
	"facteur/server/utf7"
)

// Inbox is the name of the folder that the home directory itself is.
const Inbox = "INBOX"

// CanonicalFolder returns a folder name in the form in which names are
// compared: NFC, and INBOX without case (RFC 9051 5.1). A name that a folder
// can't have is a fault NotPossible that says why.
func CanonicalFolder(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", fault.New(fault.NotPossible, "The folder name is not UTF-8")
	}
	name = norm.NFC.String(name)
	first, rest, below := strings.Cut(name, "/")
	if strings.EqualFold(first, Inbox) {
		first = Inbox
		if name = first; below {
			name += "/" + rest
		}
	}
	for _, part := range strings.Split(name, "/") {
		if part == "" {
			return "", fault.New(fault.NotPossible, "A folder name can't have an empty part: neither two / in a row nor one at an end")
		}
	}
	for _, r := range name {
		switch {
		case r == '.':
			return "", fault.New(fault.NotPossible, "A folder name can't hold a dot, which separates folders on disk")
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029:
			return "", fault.New(fault.NotPossible, "A folder name can't hold control characters")
		}
	}
	if len(name) > maxName || len(FolderDir(name)) > maxName {
		return "", fault.Newf(fault.NotPossible, "The folder name is longer than %d octets", maxName-1)
	}
	return name, nil
}

// FolderDir returns the directory of a folder below the home directory: "."
// for INBOX. The name must be a canonical one.
func FolderDir(name string) string {
	if name == Inbox {
		return "."
	}
	return "." + strings.ReplaceAll(utf7.Encode(name), "/", ".")
}

// FolderName returns the name of the folder in a directory below the home.
// A directory of another program that is not in modified UTF-7 but in plain
// UTF-8 is taken as it is.
func FolderName(dir string) (string, bool) {
	if len(dir) < 2 || dir[0] != '.' {
		return "", false
	}
	parts := strings.Split(dir[1:], ".")
	for i, part := range parts {
		if part == "" {
			return "", false
		}
		if text, ok := utf7.Decode(part); ok {
			parts[i] = text
		}
	}
	name := strings.Join(parts, "/")
	canonical, err := CanonicalFolder(name)
	if err != nil || canonical != name || name == Inbox || strings.Count(name, "/") != len(parts)-1 {
		return "", false
	}
	return name, true
}
