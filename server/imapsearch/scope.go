package imapsearch

import "facteur/server/imapwire"

// SourceKind is how a Source names mailboxes (RFC 5465 6, RFC 7377 2.2).
type SourceKind uint8

// The kinds of sources. The last three come with mailboxes.
const (
	Selected   SourceKind = iota // the selected mailbox
	Inboxes                      // where mail may be delivered
	Personal                     // all in the personal namespace
	Subscribed                   // all that are subscribed to
	Subtree                      // the mailboxes, and all below them
	SubtreeOne                   // the mailboxes, and those one level below
	Mailboxes                    // the mailboxes
)

// Source is where an ESEARCH looks. Its caller finds the mailboxes, drops
// duplicates, and passes over those that may not be read (RFC 7377 2.2).
type Source struct {
	Kind      SourceKind
	Mailboxes []string
}

var sourceKinds = map[string]SourceKind{
	"SELECTED": Selected, "INBOXES": Inboxes, "PERSONAL": Personal, "SUBSCRIBED": Subscribed,
	"SUBTREE": Subtree, "SUBTREE-ONE": SubtreeOne, "MAILBOXES": Mailboxes,
}

// maxSources bounds the mailboxes that one command names.
const maxSources = 1000

// parseSources reads esearch-source-opts and the space behind them, if they are
// there; without them the selected mailbox is searched.
func parseSources(d *imapwire.Decoder) []Source {
	if !d.TryKeyword("IN") {
		return []Source{{Kind: Selected}}
	}
	d.SP()
	var sources []Source
	names := 0
	d.List(func() {
		if d.Peek() == '(' {
			d.Fail("There are no scope options here")
			return
		}
		word := d.Keyword()
		kind, ok := sourceKinds[word]
		if !ok {
			d.Fail("%s names no mailboxes to search", clip(word))
			return
		}
		s := Source{Kind: kind}
		if kind >= Subtree {
			d.SP()
			s.Mailboxes = parseMailboxes(d)
		}
		if names += 1 + len(s.Mailboxes); names > maxSources {
			d.Fail("The search names too many mailboxes")
		}
		sources = append(sources, s)
	})
	if len(sources) == 0 {
		d.Fail("IN names no mailboxes")
	}
	d.SP()
	return sources
}

// parseMailboxes reads one-or-more-mailbox (RFC 5465 8).
func parseMailboxes(d *imapwire.Decoder) []string {
	if d.Peek() != '(' {
		return []string{d.Mailbox()}
	}
	var names []string
	d.List(func() { names = append(names, d.Mailbox()) })
	if len(names) == 0 {
		d.Fail("A list of mailboxes is empty")
	}
	return names
}

// onlySelected tells whether no mailbox but the selected one is searched.
func onlySelected(sources []Source) bool {
	for _, s := range sources {
		if s.Kind != Selected {
			return false
		}
	}
	return true
}
