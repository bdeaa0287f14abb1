package pop3d

import (
	"strconv"
	"strings"

	"facteur/server/address"
)

// drop is the maildrop of a session: messages by number, and which of them are
// marked as deleted.
type drop struct {
	account address.Address
	box     Maildrop
	deleted []bool // by place; nil: none
	left    int    // messages that are not deleted
	octets  int64  // of them
}

func newDrop(account address.Address, box Maildrop) *drop {
	d := &drop{account: account, box: box}
	d.reset()
	return d
}

// reset takes all marks away.
func (d *drop) reset() {
	d.deleted, d.left, d.octets = nil, d.box.Len(), 0
	for i := range d.left {
		d.octets += d.box.At(i).Size
	}
}

// has tells whether there is a message at a place and it is not deleted.
func (d *drop) has(i int) bool {
	return i >= 0 && i < d.box.Len() && (d.deleted == nil || !d.deleted[i])
}

// delete marks the message at a place, which must be there.
func (d *drop) delete(i int) {
	if d.deleted == nil {
		d.deleted = make([]bool, d.box.Len())
	}
	d.deleted[i] = true
	d.left--
	d.octets -= d.box.At(i).Size
}

// doomed returns the UIDs of what is deleted.
func (d *drop) doomed() []uint32 {
	var uids []uint32
	for i, gone := range d.deleted {
		if gone {
			uids = append(uids, d.box.At(i).UID)
		}
	}
	return uids
}

// sayDrop tells what is left, as a login and RSET do in RFC 1939.
func (s *session) sayDrop() {
	s.ok("maildrop has " + messages(s.drop.left) + " (" + strconv.FormatInt(s.drop.octets, 10) + " octets)")
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return strconv.Itoa(n) + " messages"
}

// cmdStat is RFC 1939 5.
func (s *session) cmdStat(args string) {
	if s.none(args) {
		s.numbers("+OK ", int64(s.drop.left), s.drop.octets)
	}
}

// cmdList is RFC 1939 5: the sizes of one message or of all.
func (s *session) cmdList(args string) {
	if args != "" {
		if i, ok := s.message(args); ok {
			s.numbers("+OK ", int64(i)+1, s.drop.box.At(i).Size)
		}
		return
	}
	s.sayDrop()
	for i := range s.drop.box.Len() {
		if s.drop.has(i) {
			s.numbers("", int64(i)+1, s.drop.box.At(i).Size)
		}
	}
	s.endText()
}

// cmdUidl is RFC 1939 7: the unique-ids of one message or of all.
func (s *session) cmdUidl(args string) {
	if args != "" {
		if i, ok := s.message(args); ok {
			s.uniqueID("+OK ", i)
		}
		return
	}
	s.ok("The unique-ids follow")
	for i := range s.drop.box.Len() {
		if s.drop.has(i) {
			s.uniqueID("", i)
		}
	}
	s.endText()
}

// uniqueID queues a line with the number of a message and its unique-id:
// UIDVALIDITY and UID, which no other message of the INBOX ever has. They stand
// in the file's name, so they outlive the index.
func (s *session) uniqueID(start string, i int) {
	b := strconv.AppendInt(append(s.line[:0], start...), int64(i)+1, 10)
	b = strconv.AppendUint(append(b, ' '), uint64(s.drop.box.Validity()), 36)
	b = strconv.AppendUint(append(b, '.'), uint64(s.drop.box.At(i).UID), 10)
	s.line = b
	s.W.Line(b)
}

// cmdDele is RFC 1939 5: it marks, QUIT removes.
func (s *session) cmdDele(args string) {
	if i, ok := s.message(args); ok {
		s.drop.delete(i)
		s.ok("message " + strconv.Itoa(i+1) + " deleted")
	}
}

// cmdRset is RFC 1939 5.
func (s *session) cmdRset(args string) {
	if s.none(args) {
		s.drop.reset()
		s.sayDrop()
	}
}

// cmdQuit ends the session, and after a login removes what is deleted: the
// UPDATE state (RFC 1939 6). The maildrop is free when the reply goes out.
func (s *session) cmdQuit(args string) {
	if !s.none(args) {
		return
	}
	s.Done = true
	if s.drop == nil {
		s.ok("Goodbye")
		return
	}
	var err error
	uids := s.drop.doomed()
	if len(uids) > 0 {
		err = s.drop.box.Remove(uids)
	}
	left := s.drop.left
	s.Release()
	switch {
	case err != nil: // RFC 1939 6: some or none may be removed
		s.refuse("QUIT", err)
	case left == 0:
		s.ok("Goodbye (maildrop empty)")
	default:
		s.ok("Goodbye (" + messages(left) + " left)")
	}
	s.Log.Info("pop3d.quit", "account", s.Info.Account.String(), "deleted", len(uids), "failed", err != nil)
}

// message returns the place of the message with a number, and refuses one that
// is not there.
func (s *session) message(arg string) (i int, ok bool) {
	n, ok := number(arg)
	switch {
	case !ok:
		s.mistake("This is not the number of a message")
		return 0, false
	case n == 0 || n > int64(s.drop.box.Len()):
		s.err("", "no such message, only "+messages(s.drop.box.Len())+" in maildrop")
		return 0, false
	case !s.drop.has(int(n) - 1):
		s.err("", "message "+strconv.FormatInt(n, 10)+" already deleted")
		return 0, false
	}
	return int(n) - 1, true
}

// number reads a number of RFC 1939: digits alone.
func number(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
