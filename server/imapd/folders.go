package imapd

import (
	"strings"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// useAttr is the response code for a special use that can't be had (RFC 6154 3).
const useAttr = "USEATTR"

// errSharedName refuses to make what only mail.toml can make.
var errSharedName = no("CANNOT", "What lies directly below Shared are the shared mailboxes of mail.toml")

// folder finds the place of a mailbox that a command makes, renames or deletes.
func (s *session) folder(name string, right byte) (place, error) {
	if strings.TrimSuffix(name, string(separator)) == sharedRoot {
		return place{}, errSharedName
	}
	p, err := s.place(name)
	if err != nil {
		return place{}, err
	}
	if !p.can(right) {
		return place{}, errNoRight
	}
	if p.home != s.home && p.name == maildir.Inbox {
		return place{}, errSharedName
	}
	return p, nil
}

// cmdCreate is CREATE (RFC 9051 6.3.4), with a special use (RFC 6154 3).
func (s *session) cmdCreate(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	var uses []string
	if c.dec.TrySP() {
		c.dec.List(func() {
			if c.dec.Keyword() != "USE" {
				c.dec.Fail("CREATE has no such parameter")
			}
			c.dec.SP()
			c.dec.List(func() { uses = append(uses, c.dec.Flag()) })
		})
	}
	if err := c.end(); err != nil {
		return err
	}
	p, err := s.folder(name, rightCreate)
	if fault.Is(err, fault.NotFound) {
		return errSharedName
	}
	if err != nil {
		return err
	}
	use := ""
	switch len(uses) {
	case 0:
	case 1:
		use = canonicalUse(uses[0])
	default:
		return no(useAttr, "A mailbox has one special use")
	}
	s.caused(name)
	err = p.home.Create(p.name, use)
	if use != "" && fault.Is(err, fault.NotPossible) {
		return no(useAttr, fault.As(err).Text)
	}
	if err != nil {
		return err
	}
	if box, err := p.home.Mailbox(p.name); err == nil {
		s.done(c, "MAILBOXID ("+box.ID()+")", "CREATE completed") // RFC 8474 4.1
	}
	return nil
}

// canonicalUse is a special use as it is written in RFC 6154 2.
func canonicalUse(use string) string {
	for _, known := range []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`} {
		if strings.EqualFold(use, known) {
			return known
		}
	}
	return use
}

// oneMailbox reads the argument of a command that has one.
func (c *call) oneMailbox() (string, error) {
	c.dec.SP()
	name := c.dec.Mailbox()
	return name, c.end()
}

// cmdDelete is DELETE (RFC 9051 6.3.5).
func (s *session) cmdDelete(c *call) error {
	name, err := c.oneMailbox()
	if err != nil {
		return err
	}
	p, err := s.folder(name, rightDelete)
	if err != nil {
		return err
	}
	s.caused(name)
	err = p.home.Delete(p.name)
	s.leaveDeleted()
	return err
}

// cmdRename is RENAME (RFC 9051 6.3.6).
func (s *session) cmdRename(c *call) error {
	c.dec.SP()
	from := c.dec.Mailbox()
	c.dec.SP()
	to := c.dec.Mailbox()
	if err := c.end(); err != nil {
		return err
	}
	src, err := s.folder(from, rightDelete)
	if err != nil {
		return err
	}
	dst, err := s.folder(to, rightCreate)
	if fault.Is(err, fault.NotFound) {
		return errSharedName
	}
	if err != nil {
		return err
	}
	if src.home != dst.home {
		return no("CANNOT", "A mailbox can't be renamed into or out of a shared one: create one there and move the messages")
	}
	s.caused(from, to)
	if err := src.home.Rename(src.name, dst.name); err != nil {
		return err
	}
	s.tellRenamed(from, to)
	return nil
}

// tellRenamed writes LIST with the old name, for clients that know what that is
// (RFC 9051 6.3.9.7). INBOX stays where it is.
func (s *session) tellRenamed(from, to string) {
	from, to = strings.TrimSuffix(from, string(separator)), strings.TrimSuffix(to, string(separator))
	if !s.has(rev2) || from == maildir.Inbox {
		return
	}
	t, err := s.tree(&listing{patterns: []string{to}})
	if err != nil { // it was renamed nevertheless
		s.failure("RENAME", err)
		return
	}
	for i := range t.entries {
		if t.entries[i].Name == to {
			s.writeName(&t.entries[i], from, false)
			return
		}
	}
}

// The names of shared mailboxes hold the dots of an address, which a folder's
// name can't: in the list of subscriptions these stand for them.
const (
	dot       = "."
	storedDot = "\u2024" // ONE DOT LEADER
)

// storedName is a name as the list of subscriptions has it.
func storedName(name string) string {
	if strings.HasPrefix(name, sharedPrefix) {
		return strings.ReplaceAll(name, dot, storedDot)
	}
	return name
}

// subscribedName is storedName backwards.
func subscribedName(stored string) string {
	if strings.HasPrefix(stored, sharedPrefix) {
		return strings.ReplaceAll(stored, storedDot, dot)
	}
	return stored
}

// cmdSubscribe is SUBSCRIBE (RFC 9051 6.3.7). There need be no mailbox.
func (s *session) cmdSubscribe(c *call) error { return s.subscribe(c, true) }

// cmdUnsubscribe is UNSUBSCRIBE (RFC 9051 6.3.8).
func (s *session) cmdUnsubscribe(c *call) error { return s.subscribe(c, false) }

func (s *session) subscribe(c *call, on bool) error {
	name, err := c.oneMailbox()
	if err != nil {
		return err
	}
	s.caused(name)
	return s.home.Subscribe(storedName(strings.TrimSuffix(name, string(separator))), on)
}
