package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"facteur/server/fault"
	"facteur/server/mailbox"
)

const separator = '/'

// Create is CREATE (RFC 9051 6.3.4), with a special use (RFC 6154 3). A
// separator at the end only says that there will be names below.
func (s *session) Create(name string, options *imap.CreateOptions) error {
	s.lock()
	defer s.mu.Unlock()
	use := ""
	switch len(options.SpecialUse) {
	case 0:
	case 1:
		use = string(options.SpecialUse[0])
	default:
		return no(useAttr, "A mailbox has one special use")
	}
	err := s.home.Create(strings.TrimSuffix(name, string(separator)), use)
	if use != "" && fault.Is(err, fault.NotPossible) {
		return no(useAttr, fault.As(err).Text) // RFC 6154 3
	}
	return s.done("create", err)
}

// Delete is DELETE (RFC 9051 6.3.5).
func (s *session) Delete(name string) error {
	s.lock()
	defer s.mu.Unlock()
	return s.done("delete", s.home.Delete(name))
}

// Rename is RENAME (RFC 9051 6.3.6).
func (s *session) Rename(name, to string, _ *imap.RenameOptions) error {
	s.lock()
	defer s.mu.Unlock()
	return s.done("rename", s.home.Rename(name, strings.TrimSuffix(to, string(separator))))
}

// Subscribe is SUBSCRIBE (RFC 9051 6.3.7).
func (s *session) Subscribe(name string) error {
	s.lock()
	defer s.mu.Unlock()
	return s.done("subscribe", s.home.Subscribe(name, true))
}

// Unsubscribe is UNSUBSCRIBE (RFC 9051 6.3.8).
func (s *session) Unsubscribe(name string) error {
	s.lock()
	defer s.mu.Unlock()
	return s.done("unsubscribe", s.home.Subscribe(name, false))
}

func (s *session) done(what string, err error) error {
	if err != nil {
		return s.failure(what, err)
	}
	return nil
}

// Status is STATUS (RFC 9051 6.3.11).
func (s *session) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	s.lock()
	defer s.mu.Unlock()
	data, err := s.status(name, options)
	if err != nil {
		return nil, s.failure("status", err)
	}
	return data, nil
}

// status fills in all that imapserver may write.
func (s *session) status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	box, err := s.home.Mailbox(name)
	if err != nil {
		return nil, err
	}
	box.Poll()
	st, err := box.Status()
	if err != nil {
		return nil, err
	}
	limit := s.AppendLimit()
	data := &imap.StatusData{
		Mailbox:        box.Name(),
		NumMessages:    number(st.Messages),
		NumRecent:      number(st.Recent),
		NumUnseen:      number(st.Unseen),
		NumDeleted:     new(uint32),
		DeletedStorage: new(int64),
		UIDNext:        imap.UID(st.UIDNext),
		UIDValidity:    uint32(st.UIDValidity),
		Size:           &st.Size,
		AppendLimit:    &limit,
	}
	if !options.NumDeleted && !options.DeletedStorage {
		return data, nil
	}
	view, err := box.Examine()
	if err != nil {
		return nil, err
	}
	defer view.Close()
	for _, m := range view.Messages() {
		if slices.Contains(m.Flags, flagDeleted) {
			*data.NumDeleted++
			*data.DeletedStorage += m.Size
		}
	}
	return data, nil
}

func number(n int) *uint32 {
	u := uint32(n)
	return &u
}

// List is LIST and LSUB (RFC 9051 6.3.9, RFC 3501 6.3.9).
func (s *session) List(w *imapserver.ListWriter, reference string, patterns []string, options *imap.ListOptions) error {
	s.lock()
	defer s.mu.Unlock()
	if len(patterns) == 0 { // asks for the separator
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: separator})
	}
	total := 0
	for i := range patterns {
		patterns[i] = reference + patterns[i]
		total += len(patterns[i])
	}
	if total > maxPatterns {
		return no(imap.ResponseCodeLimit, "The patterns are too long")
	}
	folders, err := s.home.Folders()
	if err != nil {
		return s.failure("list", err)
	}
	have, subscribed := parents(folders)
	for _, f := range folders {
		below := subscribed[f.Name]
		if !wanted(f, options, have[f.Name], below) || !slices.ContainsFunc(patterns, func(p string) bool { return match(p, f.Name) }) {
			continue
		}
		data := &imap.ListData{Mailbox: f.Name, Delim: separator, Attrs: attributes(f, have[f.Name])}
		if options.SelectRecursiveMatch && below {
			data.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
		}
		if options.ReturnStatus != nil && f.Exists {
			// RFC 5819 2: no STATUS for a mailbox that can't be had.
			data.Status, _ = s.status(f.Name, options.ReturnStatus)
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

// parents returns the names that have others below them, and those of which one
// below is subscribed.
func parents(folders []mailbox.Folder) (have, subscribed map[string]bool) {
	have, subscribed = make(map[string]bool), make(map[string]bool)
	for _, f := range folders {
		for name := f.Name; ; {
			i := strings.LastIndexByte(name, separator)
			if i < 0 {
				break
			}
			name = name[:i]
			have[name] = have[name] || f.Exists
			subscribed[name] = subscribed[name] || f.Subscribed
		}
	}
	return have, subscribed
}

// wanted tells whether the selection options of LIST (RFC 5258 3.1) take f.
func wanted(f mailbox.Folder, options *imap.ListOptions, children, subscribedBelow bool) bool {
	switch {
	case options.SelectSpecialUse && f.Use == "":
		return false
	case options.SelectSubscribed:
		return f.Subscribed || options.SelectRecursiveMatch && subscribedBelow
	}
	return f.Exists || children // not what is only subscribed
}

// attributes are those of LIST (RFC 9051 7.3.1).
func attributes(f mailbox.Folder, children bool) []imap.MailboxAttr {
	attrs := []imap.MailboxAttr{imap.MailboxAttrHasNoChildren}
	if children {
		attrs[0] = imap.MailboxAttrHasChildren
	}
	switch {
	case f.Exists:
	case children:
		attrs = append(attrs, imap.MailboxAttrNoSelect)
	default:
		attrs = append(attrs, imap.MailboxAttrNonExistent, imap.MailboxAttrNoSelect)
	}
	if f.Subscribed {
		attrs = append(attrs, imap.MailboxAttrSubscribed)
	}
	if f.Use != "" {
		attrs = append(attrs, imap.MailboxAttr(f.Use))
	}
	return attrs
}

// maxPatterns bounds what LIST has to compare with each name, in octets.
const maxPatterns = 2048

// match tells whether a name matches a pattern, in which "*" stands for anything
// and "%" for anything within a level (RFC 9051 6.3.9). INBOX has no case.
func match(pattern, name string) bool {
	const inbox = "INBOX"
	if len(pattern) >= len(inbox) && strings.EqualFold(pattern[:len(inbox)], inbox) {
		pattern = inbox + pattern[len(inbox):]
	}
	// reach[i]: the pattern so far matches name[:i].
	reach := make([]bool, len(name)+1)
	reach[0] = true
	for _, p := range []byte(pattern) {
		if p == '*' || p == '%' {
			for i := 1; i <= len(name); i++ {
				reach[i] = reach[i] || reach[i-1] && (p == '*' || name[i-1] != separator)
			}
			continue
		}
		for i := len(name); i > 0; i-- {
			reach[i] = reach[i-1] && name[i-1] == p
		}
		reach[0] = false
	}
	return reach[len(name)]
}
