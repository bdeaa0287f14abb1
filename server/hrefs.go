package server

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"facteur/server/collection"
	"facteur/server/control"
)

// maxHref bounds the hrefs that are made here: names of files on any system.
const maxHref = 120

// hrefsFor returns the hrefs for an object that is imported: the one that it had, if that is
// a plain one, then its UID, and one that can't be another's.
func hrefsFor(o control.Object, kind collection.Kind) (out []string) {
	ext := extension(kind)
	if plainName(o.Href) && strings.HasSuffix(o.Href, ext) {
		out = append(out, o.Href)
	}
	if plainName(o.UID) && o.UID+ext != o.Href {
		out = append(out, o.UID+ext)
	}
	sum := sha256.Sum256([]byte(o.UID))
	return append(out, hex.EncodeToString(sum[:16])+ext)
}

func extension(kind collection.Kind) string {
	if kind == collection.AddressBook {
		return ".vcf"
	}
	return ".ics"
}

// plainName tells whether a name is one that every client and file system takes.
func plainName(s string) bool {
	return s != "" && len(s) <= maxHref && s[0] != '.' &&
		strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_.@") == ""
}
