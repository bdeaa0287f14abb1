package imapd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// Annotations (RFC 5464) lie beside the mail that they are of. Those below
// /private of a shared mailbox belong to one account each: the name on disk ends
// with a hash of its address.

const (
	privateEntries = "/private"
	sharedEntries  = "/shared"
	// ownerMark stands before the hash.
	ownerMark = "/@"
)

// annotated is a mailbox, or the server ("") as the session sees it.
type annotated struct {
	place
	box *mailbox.Mailbox // nil: the server
}

func (s *session) annotated(name string) (annotated, error) {
	if name == "" {
		return annotated{place: place{home: s.home, owner: s.account, rights: allRights}}, nil
	}
	p, err := s.place(name)
	if err != nil {
		return annotated{}, err
	}
	box, err := p.home.Mailbox(p.name)
	if err == nil && !p.can(rightRead) {
		err = errNoRight
	}
	return annotated{p, box}, err
}

// storedEntry is the name of an annotation on disk.
func (s *session) storedEntry(a annotated, name string) string {
	if a.home != s.home && strings.HasPrefix(name, privateEntries+"/") {
		return name + ownerMark + s.ownerHash()
	}
	return name
}

func (s *session) ownerHash() string {
	sum := sha256.Sum256([]byte(s.account.Key()))
	return hex.EncodeToString(sum[:16])
}

// entries returns the annotations that the session may see, by their names.
func (s *session) entries(a annotated) (map[string][]byte, error) {
	var all map[string][]byte
	var err error
	if a.box == nil {
		all, err = a.home.Metadata()
	} else {
		all, err = a.box.Metadata()
	}
	if err != nil || a.home == s.home {
		return all, err
	}
	mine, me := make(map[string][]byte), s.ownerHash()
	for stored, value := range all {
		name, owner, private := strings.Cut(stored, ownerMark)
		if !private || owner == me {
			mine[name] = value
		}
	}
	return mine, nil
}

// entryName reads the name of an annotation (RFC 5464 3.2). It has no case.
func entryName(d *imapwire.Decoder) string {
	name := strings.ToLower(d.AString())
	if !strings.HasPrefix(name, privateEntries+"/") && !strings.HasPrefix(name, sharedEntries+"/") && name != privateEntries && name != sharedEntries {
		d.Fail("The name of an annotation begins with /private/ or /shared/")
	}
	if strings.ContainsAny(name, "*%") || strings.Contains(name, "//") || strings.HasSuffix(name, "/") ||
		strings.Contains(name, ownerMark) || !maildir.ValidMetadataName(name) {
		d.Fail("This can't be the name of an annotation")
	}
	return name
}

// maxEntries bounds the names of one command.
const maxEntries = 100

// metadataQuery is what GETMETADATA asks for.
type metadataQuery struct {
	names   []string
	maxSize int // -1: any
	depth   int // 0, 1, or -1 for all that is below
}

// parseMetadataQuery reads the arguments of GETMETADATA. The options stand before
// the mailbox in the formal syntax of RFC 5464, and behind it in its examples.
func parseMetadataQuery(d *imapwire.Decoder) (mailbox string, q metadataQuery) {
	q.maxSize = -1
	d.SP()
	if d.Peek() == '(' {
		d.List(func() { q.option(d) })
		d.SP()
	}
	mailbox = d.Mailbox()
	d.SP()
	if d.Peek() == '(' {
		q.list(d)
		if len(q.names) > 0 {
			return mailbox, q
		}
		d.SP() // it held the options
		if d.Peek() == '(' {
			q.list(d)
			return mailbox, q
		}
	}
	q.names = append(q.names, entryName(d))
	return mailbox, q
}

// list reads a list of names or of options. Names begin with "/", in quotes or
// not.
func (q *metadataQuery) list(d *imapwire.Decoder) {
	d.List(func() {
		switch c := d.Peek(); {
		case len(q.names) == 0 && (c|0x20 >= 'a' && c|0x20 <= 'z'):
			q.option(d)
		case len(q.names) == maxEntries:
			d.Fail("GETMETADATA takes %d names", maxEntries)
		default:
			q.names = append(q.names, entryName(d))
		}
	})
}

// option reads one of RFC 5464 4.2.1 and 4.2.2.
func (q *metadataQuery) option(d *imapwire.Decoder) {
	switch d.Keyword() {
	case "MAXSIZE":
		d.SP()
		q.maxSize = int(d.Number())
	case "DEPTH":
		d.SP()
		switch d.Keyword() {
		case "0":
		case "1":
			q.depth = 1
		case "INFINITY":
			q.depth = -1
		default:
			d.Fail("DEPTH is 0, 1 or infinity")
		}
	default:
		d.Fail("GETMETADATA has no such option")
	}
}

// choose returns the names of what is asked for, sorted, with those asked for
// by name that are not there.
func (q metadataQuery) choose(all map[string][]byte) []string {
	found := make(map[string]bool)
	for _, asked := range q.names {
		if asked != privateEntries && asked != sharedEntries && q.depth == 0 {
			found[asked] = true
		}
		for name := range all {
			below, ok := strings.CutPrefix(name, asked)
			switch {
			case !ok:
			case below == "", q.depth < 0 && below[0] == '/', q.depth == 1 && strings.LastIndexByte(below, '/') == 0:
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// cmdGetMetadata is GETMETADATA (RFC 5464 4.2).
func (s *session) cmdGetMetadata(c *call) error {
	name, q := parseMetadataQuery(c.dec)
	if err := c.end(); err != nil {
		return err
	}
	a, err := s.annotated(name)
	if err != nil {
		return err
	}
	all, err := s.entries(a)
	if err != nil {
		return err
	}
	longest, written := 0, 0
	for _, entry := range q.choose(all) {
		value, ok := all[entry]
		if q.maxSize >= 0 && len(value) > q.maxSize {
			longest = max(longest, len(value))
			continue
		}
		if written++; written == 1 {
			s.enc.Raw("* METADATA ").Mailbox(name).Raw(" (")
		} else {
			s.enc.SP()
		}
		s.enc.AString(entry).SP()
		if bytes.IndexByte(value, 0) >= 0 {
			s.enc.Literal8(int64(len(value)), bytes.NewReader(value))
		} else {
			s.enc.NString(string(value), ok)
		}
	}
	if written > 0 {
		s.enc.Raw(")").CRLF()
	}
	if longest > 0 { // RFC 5464 4.2.1
		s.done(c, "METADATA LONGENTRIES "+strconv.Itoa(longest), "GETMETADATA completed")
	}
	return nil
}

// cmdSetMetadata is SETMETADATA (RFC 5464 4.3).
func (s *session) cmdSetMetadata(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	c.dec.SP()
	changes := make(map[string][]byte)
	c.dec.List(func() {
		entry := entryName(c.dec)
		c.dec.SP()
		if value, ok := c.dec.NString(); ok {
			changes[entry] = []byte(value)
		} else {
			changes[entry] = nil
		}
		if len(changes) > maxEntries {
			c.dec.Fail("SETMETADATA takes %d names", maxEntries)
		}
	})
	if err := c.end(); err != nil {
		return err
	}
	a, err := s.annotated(name)
	if err != nil {
		return err
	}
	return s.annotate(a, changes)
}

// annotate carries out changes, all or none.
func (s *session) annotate(a annotated, changes map[string][]byte) error {
	stored := make(map[string][]byte, len(changes))
	for entry, value := range changes {
		if strings.Count(entry, "/") < 2 {
			return bad("", "An annotation has a name below /private or /shared")
		}
		if strings.HasPrefix(entry, sharedEntries) && (a.box == nil || !a.can(rightWrite)) {
			return errNoRight // of the server they are the administrator's
		}
		stored[s.storedEntry(a, entry)] = value
	}
	if err := s.ownShare(a, changes); err != nil {
		return err
	}
	if s.observer != nil {
		s.observer.annotated = append(s.observer.annotated, mailbox.Annotated{Mailbox: a.box, Names: slices.Sorted(maps.Keys(stored))})
	}
	var err error
	if a.box == nil {
		err = a.home.SetMetadata(stored)
	} else {
		err = a.box.SetMetadata(stored)
	}
	switch {
	case fault.Is(err, fault.TooLarge):
		return no("METADATA MAXSIZE "+strconv.Itoa(maildir.MaxMetadataValue), fault.As(err).Text)
	case fault.Is(err, fault.TooMany):
		return no("METADATA TOOMANY", fault.As(err).Text)
	}
	return err
}

// maxOwnEntries and maxOwnOctets bound what one account may annotate privately in
// a mailbox that is shared, so that there is room for the others.
const (
	maxOwnEntries = 20
	maxOwnOctets  = 16 << 10 // of the values
)

// ownShare tells whether changes leave what the session has below /private of a
// shared mailbox within its bounds.
func (s *session) ownShare(a annotated, changes map[string][]byte) error {
	if a.home == s.home || a.can(rightAdmin) {
		return nil
	}
	now, err := s.entries(a)
	if err != nil {
		return err
	}
	now = maps.Clone(now)
	maps.Copy(now, changes)
	entries, octets := 0, 0
	for name, value := range now {
		if value != nil && strings.HasPrefix(name, privateEntries+"/") {
			entries, octets = entries+1, octets+len(value)
		}
	}
	if entries > maxOwnEntries || octets > maxOwnOctets {
		return no("METADATA TOOMANY", "In a mailbox of others there is no room for more private annotations")
	}
	return nil
}
