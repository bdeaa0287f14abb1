package mailbox

import (
	"strings"
	"sync/atomic"

	"facteur/server/maildir"
)

// systemFlags are the IMAP names of the flags of Maildir (RFC 9051 2.3.2), and
// $Forwarded, which is a keyword to IMAP.
var systemFlags = [...]struct {
	flag maildir.Flags
	name string
}{
	{maildir.Draft, `\Draft`},
	{maildir.Flagged, `\Flagged`},
	{maildir.Replied, `\Answered`},
	{maildir.Seen, `\Seen`},
	{maildir.Trashed, `\Deleted`},
	{maildir.Passed, `$Forwarded`},
}

// system is the set of systemFlags.
const system = maildir.Draft | maildir.Flagged | maildir.Passed | maildir.Replied | maildir.Seen | maildir.Trashed

// maxKeyword bounds a keyword, in octets.
const maxKeyword = 100

// words is the keywords of a mailbox. It never changes, but for its cache.
type words struct {
	letters maildir.Keywords
	further []string // those without a letter; "" is not in use
	version uint64
	cache   [64]atomic.Pointer[flagText]
}

// flagText is a set of flags in the forms that are asked for.
type flagText struct {
	flags maildir.Flags
	names []string
	wire  []byte // with spaces between them
}

func systemFlag(name string) (maildir.Flags, bool) {
	for _, f := range systemFlags {
		if strings.EqualFold(f.name, name) {
			return f.flag, true
		}
	}
	return 0, false
}

// text returns the names of flags. What it returns is shared.
func (w *words) text(flags maildir.Flags) *flagText {
	slot := &w.cache[(uint32(flags)*0x9e3779b1)>>26]
	if t := slot.Load(); t != nil && t.flags == flags {
		return t
	}
	t := &flagText{flags: flags}
	for _, f := range systemFlags {
		if flags&f.flag != 0 {
			t.names = append(t.names, f.name)
		}
	}
	for i := range flags.Keywords {
		if w.letters[i] != "" {
			t.names = append(t.names, w.letters[i])
		}
	}
	t.names = t.names[:len(t.names):len(t.names)]
	t.wire = []byte(strings.Join(t.names, " "))
	slot.Store(t)
	return t
}

// find returns what a keyword is, without case (RFC 9051 2.3.2): a letter, the
// number of a further one, or both when another program gave it a letter since.
func (w *words) find(word string) (letter maildir.Flags, further int) {
	letter, _ = w.letters.Find(word)
	for i, other := range w.further {
		if other != "" && strings.EqualFold(other, word) {
			return letter, i
		}
	}
	return letter, -1
}

// known returns the flags that have a name.
func (w *words) known() maildir.Flags {
	flags := maildir.Flags(system)
	for i, word := range w.letters {
		if word != "" {
			flags |= maildir.Keyword(i)
		}
	}
	return flags
}

// Flags returns the IMAP names of a message's flags and keywords, system flags
// first. The slice is shared.
func (m *Mailbox) Flags(rec *Record) []string {
	w := m.words.Load()
	names := w.text(rec.Flags).names
	for _, i := range m.further.of(rec.More) {
		if int(i) < len(w.further) {
			names = append(names, w.further[i])
		}
	}
	return names
}

// AppendFlags appends what Flags returns, with spaces between.
func (m *Mailbox) AppendFlags(dst []byte, rec *Record) []byte {
	w := m.words.Load()
	if rec.More == 0 {
		return append(dst, w.text(rec.Flags).wire...)
	}
	for i, name := range m.Flags(rec) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, name...)
	}
	return dst
}

// FlagSet returns all flags and keywords that messages may have by now: the
// FLAGS response (RFC 9051 7.3.5).
func (m *Mailbox) FlagSet() []string {
	w := m.words.Load()
	names := make([]string, 0, len(systemFlags)+len(w.further)+8)
	for _, f := range systemFlags {
		names = append(names, f.name)
	}
	for _, list := range [][]string{w.letters[:], w.further} {
		for _, word := range list {
			if word != "" {
				names = append(names, word)
			}
		}
	}
	return names
}

// KeywordsVersion changes when FlagSet does.
func (m *Mailbox) KeywordsVersion() uint64 { return m.words.Load().version }
