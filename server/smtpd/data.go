package smtpd

import (
	"errors"
	"strconv"
	"strings"

	"facteur/server/buffer"
	"facteur/server/connection"
	"facteur/server/fault"
	"facteur/server/wire"
)

// maxTextLine is the longest line of a text. RFC 5321 4.5.3.1.6 asks for 1,000
// octets at least; a bound there is only that nobody downstream gets a line
// without one.
const maxTextLine = 1 << 20

func (s *session) textLimits() wire.Limits {
	return wire.Limits{Size: s.o.MessageSize, Line: maxTextLine, Abandon: 4*s.o.MessageSize + 1<<20}
}

// cmdData is RFC 5321 4.1.1.4.
func (s *session) cmdData(args string) {
	switch {
	case args != "":
		s.mistake(501, "5.5.4", "DATA has no argument")
		return
	case s.tx == nil:
		s.mistake(503, "5.5.1", "Send MAIL first")
		return
	case s.tx.text != nil:
		s.mistake(503, "5.5.1", "The message came by BDAT") // RFC 3030 2
		return
	case s.tx.rcpts == 0:
		s.mistake(s.noRecipients())
		return
	}
	s.reply(354, "", "Send the message, end with CRLF.CRLF")
	if s.Flush(); s.Done {
		return
	}
	buf := s.srv.pool.New()
	defer buf.Close()
	text := wire.NewText(buf, s.textLimits())
	if s.Receive(s.newPace(), func() error { return s.R.Dot(text) }) {
		s.accept(buf, text.Finish())
	}
}

func (s *session) newPace() *connection.Pace {
	return connection.NewPace(s.o.Timeouts.Data, s.o.Timeouts.DataTotal)
}

// noRecipients is the reply to DATA and BDAT without any accepted RCPT: RFC
// 5321 3.3, RFC 2033 4.2.
func (s *session) noRecipients() (int, string, string) {
	if s.Info.Listener == LMTP {
		return 503, "5.5.1", "No valid recipients"
	}
	return 554, "5.5.1", "No valid recipients"
}

// cmdBdat is RFC 3030 2. The chunk is read whatever the reply is, or its
// octets would be taken for commands.
func (s *session) cmdBdat(args string) {
	number, last, _ := strings.Cut(args, " ")
	size, ok := parseSize(number)
	isLast := strings.EqualFold(last, "LAST")
	if !ok || last != "" && !isLast {
		// How long the chunk is nobody knows, so the two are out of step.
		s.Bye(fault.Reply(fault.Malformed, 421, "4.5.2", "Syntax: BDAT size [LAST], closing connection"))
		s.Linger()
		return
	}
	if s.tx == nil || s.tx.rcpts == 0 {
		s.strayChunk(size)
		return
	}
	t := s.tx
	if t.text == nil {
		t.buf = s.srv.pool.New()
		t.text = wire.NewText(t.buf, s.textLimits())
		t.pace = s.newPace()
	}
	if !s.readChunk(t.text, t.pace, size) {
		return
	}
	if isLast {
		s.accept(t.buf, t.text.Finish())
		return
	}
	if err := t.text.Err(); err != nil {
		s.refuse("BDAT", s.textFault(err))
		return
	}
	s.reply(250, "2.0.0", strconv.FormatInt(size, 10)+" octets received")
}

// strayChunk reads a chunk that nobody asked for.
func (s *session) strayChunk(size int64) {
	text := wire.NewText(discard{}, s.textLimits())
	if !s.readChunk(text, s.newPace(), size) {
		return
	}
	if s.tx == nil {
		s.mistake(503, "5.5.1", "Send MAIL first")
	} else {
		s.mistake(s.noRecipients())
	}
}

// discard refuses what is written, so that the text counts as refused.
type discard struct{}

func (discard) Write([]byte) (int, error) { return 0, errors.New("discarded") }

// readChunk reads a chunk; it returns false when the session has ended.
func (s *session) readChunk(text *wire.Text, p *connection.Pace, size int64) bool {
	if int64(s.R.Buffered()) < size {
		if s.Flush(); s.Done {
			return false
		}
	}
	return s.Receive(p, func() error { return s.R.Chunk(text, size) })
}

// textFault is the reply to a text that can't be used.
func (s *session) textFault(err error) *fault.Fault {
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		return s.tooLarge()
	case errors.Is(err, wire.ErrBareCR), errors.Is(err, wire.ErrBareLF):
		return fault.New(fault.Malformed, "The message has a bare CR or LF: lines end in CRLF")
	case errors.Is(err, wire.ErrNUL):
		return fault.New(fault.Malformed, "The message has a NUL octet")
	case errors.Is(err, wire.ErrLineTooLong):
		return fault.Newf(fault.Malformed, "The message has a line of more than %d octets", maxTextLine)
	}
	return fault.Wrap(fault.Unavailable, "", err)
}

// accept hands a message that has arrived to the backend, replies, and ends
// the transaction. problem tells that it can't be used.
func (s *session) accept(buf *buffer.Buffer, problem error) {
	t := s.tx
	if problem != nil {
		s.conclude(t, Receipt{}, s.textFault(problem))
		return
	}
	if s.Revoked() { // while the message came in
		s.Bye(connection.ErrRevoked)
		return
	}
	receipt, err := t.backend.Data(s.srv.conns.Context(), buf)
	if err != nil {
		s.conclude(t, receipt, fault.As(err))
		return
	}
	s.Pardon()
	s.Log.Debug("smtpd.accepted", "message", receipt.ID, "size", buf.Size(), "recipients", t.rcpts)
	s.conclude(t, receipt, nil)
}

// conclude replies to a message: once, or in LMTP once for each recipient
// (RFC 2033 4.2).
func (s *session) conclude(t *transaction, receipt Receipt, f *fault.Fault) {
	if f != nil {
		s.LogRefusal("DATA", f)
	}
	ok := "Accepted as " + receipt.ID
	if s.Info.Listener != LMTP {
		s.outcome(f, ok)
	} else {
		for i := range t.rcpts {
			s.outcome(lmtpFault(receipt, f, i), ok)
		}
	}
	s.reset()
	s.Flush()
}

// outcome is one reply to a message.
func (s *session) outcome(f *fault.Fault, ok string) {
	if f != nil {
		s.reply(f.Code, f.Enhanced(), f.Text)
	} else {
		s.reply(250, "2.0.0", ok)
	}
}

// lmtpFault is what the recipient with the index i is told.
func lmtpFault(receipt Receipt, all *fault.Fault, i int) *fault.Fault {
	switch {
	case all != nil:
		return all
	case receipt.PerRecipient == nil:
		return nil
	case i >= len(receipt.PerRecipient):
		return fault.Wrap(fault.Internal, "", errors.New("the backend told of too few recipients"))
	case receipt.PerRecipient[i] == nil:
		return nil
	}
	return fault.As(receipt.PerRecipient[i])
}
