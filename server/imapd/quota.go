package imapd

import "strings"

// A quota root is an account or a shared mailbox: its name is "", for one's own,
// or that of the shared mailbox (RFC 9208 3.1).

// quotaOf finds the place of a quota root.
func (s *session) quotaOf(root string) (place, error) {
	if root == "" {
		return s.place("INBOX")
	}
	if !strings.HasPrefix(root, sharedPrefix) || strings.Count(root, string(separator)) != 1 {
		return place{}, no("NONEXISTENT", "There is no such quota root")
	}
	return s.place(root)
}

func (s *session) quotaRoot(p place) string {
	if p.home == s.home {
		return ""
	}
	return sharedPrefix + p.owner.String()
}

// cmdGetQuota is GETQUOTA (RFC 9208 4.1.1).
func (s *session) cmdGetQuota(c *call) error {
	c.dec.SP()
	root := c.dec.AString()
	if err := c.end(); err != nil {
		return err
	}
	p, err := s.quotaOf(root)
	if err != nil {
		return err
	}
	limit := s.options().QuotaOf(p.owner)
	if limit <= 0 {
		return no("NONEXISTENT", "There is no quota")
	}
	return s.writeQuota(p, limit)
}

// cmdGetQuotaRoot is GETQUOTAROOT (RFC 9208 4.1.2).
func (s *session) cmdGetQuotaRoot(c *call) error {
	name, err := c.oneMailbox()
	if err != nil {
		return err
	}
	p, err := s.place(name)
	if err != nil {
		return err
	}
	if _, err := p.home.Mailbox(p.name); err != nil {
		return err
	}
	if !p.can(rightRead) { // RFC 9208 5
		return errNoRight
	}
	s.enc.Raw("* QUOTAROOT ").Mailbox(name)
	limit := s.options().QuotaOf(p.owner)
	if limit <= 0 { // RFC 9208 4.1.2: zero or more roots
		s.enc.CRLF()
		return nil
	}
	s.enc.SP().String(s.quotaRoot(p)).CRLF()
	return s.writeQuota(p, limit)
}

// kibi is the unit of STORAGE (RFC 9208 5.1).
const kibi = 1024

// maxMessages is where UIDs end (RFC 9051 2.3.1.1): the only bound on the number
// of messages.
const maxMessages = 1<<32 - 1

// writeQuota writes a QUOTA response; limit is in octets.
func (s *session) writeQuota(p place, limit int64) error {
	use, err := p.home.Usage()
	if err != nil {
		return err
	}
	s.enc.Raw("* QUOTA ").String(s.quotaRoot(p)).Raw(" (")
	s.enc.Raw("STORAGE ").Number(uint64(use.Octets+kibi-1) / kibi).SP().Number(uint64(limit) / kibi)
	s.enc.Raw(" MESSAGE ").Number(uint64(use.Messages)).SP().Number(maxMessages).Raw(")").CRLF()
	return nil
}

// cmdSetQuota is SETQUOTA (RFC 9208 4.1.3), which is refused.
func (s *session) cmdSetQuota(c *call) error {
	c.dec.SP()
	c.dec.AString()
	c.dec.SP()
	c.dec.List(func() {
		c.dec.Keyword()
		c.dec.SP()
		c.dec.Number64()
	})
	if err := c.end(); err != nil {
		return err
	}
	return no("NOPERM", "Quotas are set in mail.toml")
}
