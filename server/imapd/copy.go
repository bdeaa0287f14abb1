package imapd

import (
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/safefile"
)

// Copy is COPY and UID COPY (RFC 9051 6.4.7).
func (s *session) Copy(set imap.NumSet, name string) (*imap.CopyData, error) {
	s.lock()
	defer s.mu.Unlock()
	places, err := s.resolve(set)
	if err != nil {
		return nil, err
	}
	to, err := s.home.Mailbox(name)
	if err != nil {
		return nil, s.tryCreate("copy", err)
	}
	size := int64(0)
	for _, i := range places {
		size += s.selected.messages[i].Size
	}
	if err := s.room(size); err != nil {
		return nil, s.failure("copy", err)
	}
	if len(places) == 0 {
		return nil, nil
	}
	pairs, err := s.selected.box.Copy(s.selected.view, s.selected.uids(places), to)
	if err != nil {
		return nil, s.tryCreate("copy", err)
	}
	return copyData(pairs, to), nil
}

// Move is MOVE and UID MOVE (RFC 9051 6.4.8). It takes no quota: the mailboxes
// are of one home.
func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, name string) error {
	s.lock()
	defer s.mu.Unlock()
	sel := s.selected
	if sel.readOnly {
		return errReadOnly
	}
	places, err := s.resolve(set)
	if err != nil {
		return err
	}
	to, err := s.home.Mailbox(name)
	if err != nil {
		return s.tryCreate("move", err)
	}
	if len(places) == 0 {
		return nil
	}
	pairs, err := sel.box.Move(sel.view, sel.uids(places), to)
	if err != nil {
		return s.tryCreate("move", err)
	}
	sel.take()
	if data := copyData(pairs, to); data != nil {
		if err := w.WriteCopyData(data); err != nil {
			return err
		}
	}
	return sel.flushGone(w.WriteExpunge)
}

// copyData returns the content of COPYUID (RFC 9051 7.1), nil when nothing was
// copied.
func copyData(pairs []mailbox.Pair, to *mailbox.Mailbox) *imap.CopyData {
	if len(pairs) == 0 {
		return nil
	}
	data := &imap.CopyData{UIDValidity: uint32(to.UIDValidity())}
	for _, p := range pairs { // both ascend
		data.SourceUIDs.AddNum(imap.UID(p.Src))
		data.DestUIDs.AddNum(imap.UID(p.Dst))
	}
	return data
}

// room tells whether so many octets more fit into the quota.
func (s *session) room(size int64) error {
	quota := s.srv.opt.Load().QuotaOf(s.account)
	if quota <= 0 {
		return nil
	}
	used, err := s.home.Usage()
	if err != nil {
		return err
	}
	if used.Octets+size > quota {
		return fault.New(fault.OverQuota, "The quota would be exceeded")
	}
	return nil
}

// Append is APPEND (RFC 9051 6.3.12).
func (s *session) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	s.lock()
	defer s.mu.Unlock()
	s.link.allowance.Add(2 * r.Size()) // imapserver holds the literal to AppendLimit
	flags, err := storable(options.Flags)
	if err != nil {
		return nil, err
	}
	box, err := s.home.Mailbox(name)
	if err != nil {
		return nil, s.tryCreate("append", err)
	}
	if err := s.room(r.Size()); err != nil {
		return nil, s.failure("append", err)
	}
	draft, err := s.opt.Store.Draft()
	if err != nil {
		return nil, s.failure("append", err)
	}
	defer draft.Discard()
	if err := s.fill(draft, r, options.Time); err != nil {
		return nil, s.failure("append", fault.Wrap(fault.Unavailable, "", err))
	}
	uid, err := box.Add(draft, mailbox.AddOptions{Flags: flags, Last: true})
	if err != nil {
		return nil, s.tryCreate("append", err)
	}
	if err := box.Sync(); err != nil {
		return nil, s.failure("append", err)
	}
	return &imap.AppendData{UID: imap.UID(uid), UIDValidity: uint32(box.UIDValidity())}, nil
}

// fill writes a literal to a draft. The draft is durable then.
func (s *session) fill(draft *safefile.Draft, r imap.LiteralReader, date time.Time) error {
	if _, err := draft.ReadFrom(steady{r, s.link}); err != nil {
		return err
	}
	if draft.Size() != r.Size() {
		return io.ErrUnexpectedEOF // the client went away
	}
	if !date.IsZero() {
		if err := draft.SetTime(date); err != nil {
			return err
		}
	}
	return draft.Sync()
}

// steady reads a literal for as long as its octets flow.
type steady struct {
	r    io.Reader
	link *link
}

// Read is that of io.Reader.
func (s steady) Read(p []byte) (int, error) {
	if err := s.link.SetReadDeadline(time.Now().Add(literalTimeout)); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
