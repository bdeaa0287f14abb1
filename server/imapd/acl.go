package imapd

import (
	"slices"
	"strings"

	"facteur/server/address"
)

// errACL refuses to change rights: they are those of the roles in mail.toml.
var errACL = no("NOPERM", "Who may do what with a mailbox is set in mail.toml: owners, members and readers of its [shared] table")

// rightsHere finds a mailbox that exists, for the commands of RFC 4314.
func (s *session) rightsHere(name string) (place, error) {
	p, err := s.place(name)
	if err != nil {
		return place{}, err
	}
	_, err = p.home.Mailbox(p.name)
	return p, err
}

// grants are the rights of all who have some.
func (s *session) grants(p place) []Grant {
	if p.home == s.home {
		return []Grant{{Account: s.account, Rights: allRights}}
	}
	return s.options().Members(p.owner)
}

// cmdGetACL is GETACL (RFC 4314 3.3).
func (s *session) cmdGetACL(c *call) error {
	name, err := c.oneMailbox()
	if err != nil {
		return err
	}
	p, err := s.rightsHere(name)
	if err != nil {
		return err
	}
	if !p.can(rightAdmin) {
		return errNoRight
	}
	s.enc.Raw("* ACL ").Mailbox(name)
	for _, g := range s.grants(p) {
		s.enc.SP().AString(g.Account.String()).SP().Raw(g.Rights)
	}
	s.enc.CRLF()
	return nil
}

// cmdMyRights is MYRIGHTS (RFC 4314 3.5).
func (s *session) cmdMyRights(c *call) error {
	name, err := c.oneMailbox()
	if err != nil {
		return err
	}
	p, err := s.rightsHere(name)
	if err != nil {
		return err
	}
	s.writeMyRights(name, p.rights)
	return nil
}

func (s *session) writeMyRights(name, rights string) {
	s.enc.Raw("* MYRIGHTS ").Mailbox(name).SP().Raw(rights).CRLF()
}

// cmdListRights is LISTRIGHTS (RFC 4314 3.4). Nothing can be granted but by
// mail.toml, so what somebody has is what they always have.
func (s *session) cmdListRights(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	c.dec.SP()
	who := c.dec.AString()
	if err := c.end(); err != nil {
		return err
	}
	p, err := s.rightsHere(name)
	if err != nil {
		return err
	}
	if !p.can(rightAdmin) {
		return errNoRight
	}
	account, err := address.Parse(who)
	grants := s.grants(p)
	i := slices.IndexFunc(grants, func(g Grant) bool { return err == nil && g.Account.Key() == account.Key() })
	rights := ""
	if i >= 0 {
		rights = grants[i].Rights
	}
	s.enc.Raw("* LISTRIGHTS ").Mailbox(name).SP().AString(who).SP().Quoted(rights).CRLF()
	return nil
}

// cmdSetACL is SETACL (RFC 4314 3.1), which is refused.
func (s *session) cmdSetACL(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	c.dec.SP()
	c.dec.AString()
	c.dec.SP()
	rights := c.dec.AString()
	if err := c.end(); err != nil {
		return err
	}
	if i := strings.IndexFunc(strings.TrimLeft(rights, "+-"), func(r rune) bool {
		return !strings.ContainsRune(allRights+"cd", r) // c and d are obsolete (RFC 4314 2.1.1)
	}); i >= 0 {
		return bad("", "There is no such right") // RFC 4314 3.1
	}
	return s.refuseACL(name)
}

// cmdDeleteACL is DELETEACL (RFC 4314 3.2), which is refused.
func (s *session) cmdDeleteACL(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	c.dec.SP()
	c.dec.AString()
	if err := c.end(); err != nil {
		return err
	}
	return s.refuseACL(name)
}

func (s *session) refuseACL(name string) error {
	p, err := s.rightsHere(name)
	if err != nil {
		return err
	}
	if p.home == s.home {
		return no("NOPERM", "One's own mailboxes are for oneself; what is shared is set in mail.toml")
	}
	return errACL
}
