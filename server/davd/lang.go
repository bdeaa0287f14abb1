package davd

import (
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
)

// maxLang bounds the name of a language in octets.
const maxLang = 64

// langKey is where the language of a text is kept (RFC 4918 4.3). It is no name of a property.
func langKey(name davxml.Name) string { return "lang " + name.String() }

// keepLang keeps the language of a text. of comes after it, and says which text that is, where
// other programs may change the text.
func keepLang(kept *collection.Props, name davxml.Name, lang, of string) {
	if lang != "" && len(lang) <= maxLang {
		kept.Other[langKey(name)] = lang + of
	}
}

// langOfName is the language of a display name, unless another program has changed it since.
func langOfName(n *node) string {
	lang, of, _ := strings.Cut(n.props.Other[langKey(davxml.D("displayname"))], "\n")
	if of != n.props.DisplayName {
		return ""
	}
	return lang
}
