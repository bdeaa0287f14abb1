package imapd

import (
	"strings"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

const (
	separator = '/'
	// sharedPrefix begins the names of shared mailboxes: Shared/ADDRESS is the
	// INBOX of one, Shared/ADDRESS/NAME a folder of it (RFC 2342).
	sharedPrefix = "Shared/"
	sharedRoot   = "Shared"
)

// The rights (RFC 4314 2.1).
const (
	rightLookup  = 'l' // sees the mailbox
	rightRead    = 'r' // SELECT, STATUS
	rightSeen    = 's' // keeps \Seen
	rightWrite   = 'w' // other flags
	rightInsert  = 'i' // APPEND, COPY into it
	rightPost    = 'p'
	rightCreate  = 'k' // mailboxes below it, RENAME to below it
	rightDelete  = 'x' // the mailbox, RENAME from
	rightMark    = 't' // \Deleted
	rightExpunge = 'e'
	rightAdmin   = 'a'

	allRights = "lrswipkxtea"
)

// place is what a mailbox name means to a session.
type place struct {
	home   *mailbox.Home
	name   string          // in the home
	owner  address.Address // whose home it is
	rights string
}

// can tells whether the session has a right here.
func (p place) can(right byte) bool { return strings.IndexByte(p.rights, right) >= 0 }

var (
	errNoMailbox = fault.New(fault.NotFound, "There is no such mailbox")
	errNoRight   = no("NOPERM", "You may not do this with this mailbox")
)

// place finds where a mailbox of that name is, or would be. What the session may
// not see is not there (RFC 4314 4). A separator at the end only says that there
// are names below (RFC 9051 6.3.4); Thunderbird writes it in other commands too.
func (s *session) place(name string) (place, error) {
	name = strings.TrimSuffix(name, string(separator))
	rest, shared := strings.CutPrefix(name, sharedPrefix)
	if !shared {
		return place{home: s.home, name: name, owner: s.account, rights: allRights}, nil
	}
	who, folder, below := strings.Cut(rest, string(separator))
	if !below {
		folder = maildir.Inbox
	}
	for _, role := range s.options().Roles(s.account) {
		if !strings.EqualFold(role.Address.String(), who) {
			continue
		}
		home, err := s.homeOf(role.Address)
		if err != nil {
			return place{}, err
		}
		p := place{home: home, name: folder, owner: role.Address, rights: role.Rights}
		if !p.can(rightLookup) || below && strings.EqualFold(folder, maildir.Inbox) {
			break
		}
		return p, nil
	}
	return place{}, errNoMailbox
}

// homeOf opens the home of a shared mailbox.
func (s *session) homeOf(owner address.Address) (*mailbox.Home, error) {
	home, err := s.options().Store.Home(owner)
	if err != nil {
		return nil, err
	}
	if s.shared == nil {
		s.shared = make(map[*mailbox.Home]address.Address)
	}
	s.shared[home] = owner
	return home, nil
}

// mailbox returns a mailbox with which the session has a right: the one that
// its command needs. Without rightRead or rightLookup it is as if absent.
func (s *session) mailbox(name string, right byte) (*mailbox.Mailbox, error) {
	p, err := s.place(name)
	if err != nil {
		return nil, err
	}
	box, err := p.home.Mailbox(p.name)
	if err != nil {
		return nil, err
	}
	if !p.can(right) {
		return nil, errNoRight
	}
	return box, nil
}

// can tells whether the session has a right with an open mailbox, by the newest
// settings (RFC 4314 2.1).
func (s *session) can(box *mailbox.Mailbox, right byte) bool {
	return strings.IndexByte(s.rights(box.Home()), right) >= 0
}

// rights are those that the session has in a home.
func (s *session) rights(home *mailbox.Home) string {
	if home == s.home {
		return allRights
	}
	owner, ok := s.shared[home]
	if !ok {
		return ""
	}
	for _, role := range s.options().Roles(s.account) {
		if role.Address == owner {
			return role.Rights
		}
	}
	return ""
}

// wireName is the name of an open mailbox as this session knows it.
func (s *session) wireName(box *mailbox.Mailbox) string {
	home := box.Home()
	if home == s.home {
		return box.Name()
	}
	return sharedName(s.shared[home], box.Name())
}

// sharedName is the name of a folder of a shared mailbox.
func sharedName(owner address.Address, folder string) string {
	name := sharedPrefix + owner.String()
	if folder == maildir.Inbox {
		return name
	}
	return name + string(separator) + folder
}

// cmdNamespace is NAMESPACE (RFC 2342 5, RFC 9051 6.3.10). Who may see no shared
// mailbox has no namespace of them.
func (s *session) cmdNamespace(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.enc.Raw(`* NAMESPACE (("" "/")) NIL `)
	if len(s.options().Roles(s.account)) > 0 {
		s.enc.Raw(`(("Shared/" "/"))`).CRLF()
	} else {
		s.enc.Raw("NIL").CRLF()
	}
	return nil
}
