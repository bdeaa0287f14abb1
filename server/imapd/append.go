package imapd

import (
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"time"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/safefile"
)

// The bounds of APPEND.
const (
	maxMulti   = 100 // messages of one command (RFC 3502); each holds an open file
	maxPending = 128 // messages whose reply waits
	maxSyncs   = 16  // files that are synced at once

	largeLiteral = 1 << 20 // octets; replies don't wait for one that long
)

var (
	errEmptyMessage = no("", "A message can't be empty") // RFC 3502 3: the way to give up
	errTooMany      = no("LIMIT", "Too many messages at once")
)

// appending is an APPEND whose messages are here, and of which none is in the
// mailbox yet.
type appending struct {
	call     *call
	to       *mailbox.Mailbox
	messages []*incoming
}

// incoming is a message that was written to a draft.
type incoming struct {
	draft   *safefile.Draft
	flags   []string
	summary message.Summary
	synced  chan struct{} // closed when summary and err are there
	err     error
}

// cmdAppend is APPEND with MULTIAPPEND and CATENATE (RFC 9051 6.3.12, RFC 3502,
// RFC 4469). The reply comes with settle: APPENDs that come one after the other
// without waiting share the sync of the directory.
func (s *session) cmdAppend(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	most := s.options().MessageLimit
	a, err := s.receive(c, name, min(maxMulti, most))
	if err != nil {
		if err == errTooMany && most < maxMulti { // RFC 9738 3.1
			err = no("MESSAGELIMIT "+strconv.Itoa(most), "These are too many messages to append at once")
		}
		s.settle() // those before it are answered before it
		return err
	}
	s.pending = append(s.pending, a)
	if s.waiting() >= maxPending {
		s.settle()
	}
	return errLater
}

// waiting is the number of messages whose reply waits.
func (s *session) waiting() int {
	n := 0
	for _, a := range s.pending {
		n += len(a.messages)
	}
	return n
}

// receive reads the messages of an APPEND or REPLACE, up to CRLF. After an error
// nothing is left of them.
func (s *session) receive(c *call, name string, most int) (*appending, error) {
	if err := c.dec.Err(); err != nil {
		return nil, err
	}
	to, err := s.destination(name)
	if err != nil {
		return nil, err
	}
	a := &appending{call: c, to: to}
	for more := true; more && err == nil; {
		c.dec.SP()
		if len(a.messages) == most {
			err = errTooMany
		} else if err = s.receiveOne(c.dec, a); err == nil { // else a literal may be left
			more = c.dec.Peek() == ' '
		}
	}
	if err == nil {
		err = c.end()
	}
	if err != nil {
		a.discard()
		return nil, err
	}
	return a, nil
}

// receiveOne reads the flags, the date and the content of a message.
func (s *session) receiveOne(d *imapwire.Decoder, a *appending) error {
	var names []string
	var date time.Time
	if d.Peek() == '(' {
		names = d.Flags()
		d.SP()
	}
	if d.Peek() == '"' {
		date = d.DateTime()
		d.SP()
	}
	if err := d.Err(); err != nil {
		return err
	}
	flags, err := storable(names)
	if err != nil {
		return err
	}
	draft, err := s.options().Store.Draft()
	if err != nil {
		return err
	}
	in := &incoming{draft: draft, synced: make(chan struct{})}
	in.flags, _ = s.mayStore(a.to, flags) // RFC 4314 4: those without a right are not set
	if err := s.receiveContent(d, a, draft); err != nil {
		draft.Discard()
		return err
	}
	a.messages = append(a.messages, in)
	if s.syncing == nil {
		s.syncing = make(chan struct{}, maxSyncs)
	}
	slots := s.syncing
	slots <- struct{}{}
	go func() { // discard and settle wait for it
		defer close(in.synced)
		in.finish(date)
		<-slots
	}()
	return nil
}

// receiveContent reads a literal, a binary one as RFC 3516 and RFC 6855 have it,
// or the parts of CATENATE.
func (s *session) receiveContent(d *imapwire.Decoder, a *appending, draft *safefile.Draft) error {
	var err error
	switch {
	case d.Peek() == '{' || d.Peek() == '~':
		err = s.receiveLiteral(d, a, draft)
	case d.TryKeyword("UTF8"): // RFC 6855 4
		if !s.has(utf8Accept) && !s.has(rev2) {
			return bad("", "UTF8 needs ENABLE UTF8=ACCEPT before")
		}
		d.SP()
		d.Expect('(')
		if err = s.receiveLiteral(d, a, draft); err == nil {
			d.Expect(')')
		}
	case d.TryKeyword("CATENATE"):
		d.SP()
		err = s.catenate(d, a, draft)
	default:
		d.Fail("A message is missing")
	}
	if err == nil {
		err = d.Err()
	}
	if err == nil && draft.Size() == 0 {
		err = errEmptyMessage
	}
	return err
}

// receiveLiteral writes a literal to a draft, if there is room for it.
func (s *session) receiveLiteral(d *imapwire.Decoder, a *appending, draft *safefile.Draft) error {
	lit := d.Literal()
	if lit == nil {
		return d.Err()
	}
	if err := s.fits(a, draft.Size(), lit.Size); err != nil {
		return err
	}
	if lit.Synchronizing() || lit.Size > largeLiteral {
		s.settle() // what waits has waited enough
	}
	if s.copying == nil {
		s.copying = make([]byte, 64<<10)
	}
	var to io.Writer = struct{ io.Writer }{draft}
	if !lit.Binary {
		to = &lineEnds{to: draft}
	}
	_, err := io.CopyBuffer(to, struct{ io.Reader }{lit}, s.copying)
	if d.Broken() {
		return d.Err()
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return nil
}

// fits tells whether a message, of which so much is here, may have more, and be
// added to those that wait.
func (s *session) fits(a *appending, here, more int64) error {
	size := here + more
	if limit := s.options().AppendLimit; more > limit || size > limit { // the sum may be too large to be one
		return no("TOOBIG", "A message may have "+strconv.FormatInt(limit, 10)+" octets")
	}
	for _, in := range a.messages {
		size += in.draft.Size()
	}
	for _, p := range s.pending {
		if p.to.Home() != a.to.Home() {
			continue
		}
		for _, in := range p.messages {
			size += in.draft.Size()
		}
	}
	if s.sel != nil && a.to.Home() == s.sel.box.Home() {
		size -= a.call.goes
	}
	return s.room(a.to, size)
}

// finish makes a message ready to be added: on disk, and summarized.
func (in *incoming) finish(date time.Time) {
	defer func() { // one that can't be read is not the end of all sessions
		if p := recover(); p != nil {
			in.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if !date.IsZero() {
		if in.err = in.draft.SetTime(date); in.err != nil {
			return
		}
	}
	if in.summary, in.err = message.Summarize(in.draft, in.draft.Size()); in.err == nil {
		in.err = in.draft.Sync()
	}
}

// discard lets go of all messages.
func (a *appending) discard() {
	for _, in := range a.messages {
		<-in.synced
		in.draft.Discard()
	}
}

// add puts all messages into the mailbox, or none.
func (a *appending) add() ([]mailbox.UID, error) {
	for _, in := range a.messages {
		if <-in.synced; in.err != nil {
			return nil, fault.Wrap(fault.Unavailable, "", in.err)
		}
	}
	uids := make([]mailbox.UID, 0, len(a.messages))
	for _, in := range a.messages {
		uid, err := a.to.Add(in.draft, mailbox.AddOptions{Flags: in.flags, Last: true, Summary: &in.summary})
		if err != nil {
			for _, done := range uids { // RFC 3502 3: none
				if rerr := a.to.Remove(done); rerr != nil {
					err = rerr
				}
			}
			return nil, tryCreate(err)
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// settle adds the messages that wait, makes them durable together and answers.
func (s *session) settle() {
	if len(s.pending) == 0 {
		return
	}
	pending := s.pending
	s.pending, s.copying = nil, nil
	uids := make([][]mailbox.UID, len(pending))
	errs := make([]error, len(pending))
	for i, a := range pending {
		uids[i], errs[i] = a.add()
		a.discard()
	}
	synced := make(map[*mailbox.Mailbox]error)
	for i, a := range pending {
		if errs[i] != nil {
			continue
		}
		s.made(a.to, uids[i]...)
		err, done := synced[a.to]
		if !done {
			err = a.to.Sync()
			synced[a.to] = err
		}
		errs[i] = err
	}
	if s.sel != nil {
		s.tell(true) // RFC 9051 6.3.12: EXISTS before the reply
	}
	for i, a := range pending {
		if errs[i] != nil {
			s.reject(a.call, errs[i])
			continue
		}
		s.mistakes = 0
		s.storedNew(a.to, uids[i])
		s.tagged(a.call.tag, "OK", appendUID(uids[i], a.to), "APPEND completed")
	}
}

// appendUID is the response code APPENDUID (RFC 9051 7.1, RFC 4315 3).
func appendUID(uids []mailbox.UID, box *mailbox.Mailbox) string {
	var set imapwire.NumSet
	for _, u := range uids {
		set = set.Add(uint32(u))
	}
	b := strconv.AppendUint([]byte("APPENDUID "), uint64(box.UIDValidity()), 10)
	return string(set.Append(append(b, ' ')))
}

// appendLimit is the value of APPENDLIMIT (RFC 7889 3).
func appendLimit(s *session) string {
	return "=" + strconv.FormatInt(s.options().AppendLimit, 10)
}
