package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"facteur/server/mailbox"
)

// Select is SELECT and EXAMINE (RFC 9051 6.3.2, 6.3.3).
func (s *session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.lock()
	defer s.mu.Unlock()
	s.unselect()
	box, err := s.home.Mailbox(name)
	if err != nil {
		return nil, s.failure("select", err)
	}
	box.Poll()
	status, err := box.Status()
	if err != nil {
		return nil, s.failure("select", err)
	}
	view, err := openView(box, options.ReadOnly)
	if err != nil {
		return nil, s.failure("select", err)
	}
	sel := newSelected(box, view, options.ReadOnly)
	s.selected = sel
	data := &imap.SelectData{
		Flags:             sel.flags(),
		NumMessages:       uint32(sel.told),
		NumRecent:         sel.recent(),
		FirstUnseenSeqNum: sel.firstUnseen(),
		UIDNext:           imap.UID(status.UIDNext),
		UIDValidity:       uint32(status.UIDValidity),
	}
	if n := len(sel.messages); n > 0 { // some may have come since Status
		data.UIDNext = max(data.UIDNext, imap.UID(sel.messages[n-1].UID)+1)
	}
	if !options.ReadOnly {
		data.PermanentFlags = append(slices.Clone(data.Flags), imap.FlagWildcard)
	}
	if s.conn.Load().EnabledCaps().Has(imap.CapIMAP4rev2) { // RFC 9051 6.3.2
		data.List = &imap.ListData{Mailbox: box.Name(), Delim: separator}
	}
	return data, nil
}

func openView(box *mailbox.Mailbox, readOnly bool) (*mailbox.View, error) {
	if readOnly {
		return box.Examine()
	}
	return box.View()
}

func (sel *selected) firstUnseen() uint32 {
	i := slices.IndexFunc(sel.messages, func(m mailbox.Message) bool { return !slices.Contains(m.Flags, flagSeen) })
	return uint32(i + 1)
}

// Unselect is UNSELECT (RFC 9051 6.4.2), and the end of CLOSE.
func (s *session) Unselect() error {
	s.lock()
	defer s.mu.Unlock()
	s.unselect()
	return nil
}

func (s *session) unselect() {
	if s.selected != nil {
		s.selected.view.Close()
	}
	s.selected, s.saved = nil, nil
}

// Expunge is EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3, 6.4.9), and the first half
// of CLOSE, which says nothing.
func (s *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.lock()
	defer s.mu.Unlock()
	sel := s.selected
	if sel.readOnly {
		if *w == (imapserver.ExpungeWriter{}) { // CLOSE (RFC 9051 6.4.1)
			return nil
		}
		return errReadOnly
	}
	sel.take()
	var among []int
	var err error
	if uids != nil {
		among, err = s.resolve(*uids)
	} else {
		among, err = s.resolve(imap.UIDSet{{Start: 1, Stop: 0}})
	}
	if err != nil {
		return err
	}
	var deleted []mailbox.UID
	for _, i := range among {
		if slices.Contains(sel.messages[i].Flags, flagDeleted) {
			deleted = append(deleted, sel.messages[i].UID)
		}
	}
	if err := s.expunge(deleted); err != nil {
		return err
	}
	return sel.flushGone(w.WriteExpunge)
}

func (s *session) expunge(uids []mailbox.UID) error {
	if len(uids) == 0 {
		return nil
	}
	if _, err := s.selected.box.Expunge(s.selected.view, uids); err != nil {
		return s.failure("expunge", err)
	}
	s.selected.take()
	return nil
}

// Store is STORE and UID STORE (RFC 9051 6.4.6).
func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.lock()
	defer s.mu.Unlock()
	sel := s.selected
	if sel.readOnly {
		return errReadOnly
	}
	flags, err := storable(change.Flags)
	if err != nil {
		return err
	}
	places, err := s.resolve(set)
	if err != nil || len(places) == 0 {
		return err
	}
	op := map[imap.StoreFlagsOp]mailbox.FlagOp{
		imap.StoreFlagsSet: mailbox.Set, imap.StoreFlagsAdd: mailbox.AddFlags, imap.StoreFlagsDel: mailbox.RemoveFlags,
	}[change.Op]
	if _, err := sel.box.SetFlags(sel.view, sel.uids(places), op, flags); err != nil {
		return s.failure("store", err)
	}
	sel.take()
	if change.Silent {
		return nil
	}
	_, byUID := set.(imap.UIDSet)
	for _, i := range places {
		m := sel.messages[i]
		if _, gone := sel.gone[m.UID]; gone {
			continue
		}
		r := w.CreateMessage(uint32(i + 1))
		if byUID {
			r.WriteUID(imap.UID(m.UID))
		}
		r.WriteFlags(s.flagsOf(m))
		if err := r.Close(); err != nil {
			return err
		}
		delete(sel.changed, m.UID)
	}
	return nil
}

// flagsOf returns the FLAGS of a message; \Recent is not in IMAP4rev2.
func (s *session) flagsOf(m mailbox.Message) []imap.Flag {
	flags := wireFlags(m.Flags)
	if m.Recent && !s.conn.Load().EnabledCaps().Has(imap.CapIMAP4rev2) {
		flags = append(flags, flagRecent)
	}
	return flags
}
