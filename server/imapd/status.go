package imapd

import (
	"slices"
	"strconv"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/maildir"
)

// statusItem is a data item of STATUS.
type statusItem struct {
	name string
	// append appends the value.
	append func(dst []byte, s *session, box *mailbox.Mailbox, st *mailbox.Status) ([]byte, error)
}

// counted is an item whose value is a number.
func counted(name string, value func(*mailbox.Status) uint64) statusItem {
	return statusItem{name, func(dst []byte, _ *session, _ *mailbox.Mailbox, st *mailbox.Status) ([]byte, error) {
		return strconv.AppendUint(dst, value(st), 10), nil
	}}
}

const highestModSeqItem = "HIGHESTMODSEQ"

// statusItems are those of RFC 9051 6.3.11, RFC 3501 6.3.10 (RECENT), RFC 7162
// 3.1.7 (HIGHESTMODSEQ), RFC 7889 3.1 (APPENDLIMIT), RFC 8474 4.3 (MAILBOXID) and
// RFC 9208 4.1.4 (DELETED-STORAGE, in octets).
var statusItems = []statusItem{
	counted("MESSAGES", func(st *mailbox.Status) uint64 { return uint64(st.Messages) }),
	counted("UNSEEN", func(st *mailbox.Status) uint64 { return uint64(st.Unseen) }),
	counted("DELETED", func(st *mailbox.Status) uint64 { return uint64(st.Deleted) }),
	counted("RECENT", func(st *mailbox.Status) uint64 { return uint64(st.Recent) }),
	counted("UIDNEXT", func(st *mailbox.Status) uint64 { return uint64(st.UIDNext) }),
	counted("UIDVALIDITY", func(st *mailbox.Status) uint64 { return uint64(st.UIDValidity) }),
	counted("SIZE", func(st *mailbox.Status) uint64 { return uint64(st.Size) }),
	counted(highestModSeqItem, func(st *mailbox.Status) uint64 { return uint64(st.HighestModSeq) }),
	{"APPENDLIMIT", func(dst []byte, s *session, _ *mailbox.Mailbox, _ *mailbox.Status) ([]byte, error) {
		return strconv.AppendInt(dst, s.options().AppendLimit, 10), nil
	}},
	{"MAILBOXID", func(dst []byte, _ *session, _ *mailbox.Mailbox, st *mailbox.Status) ([]byte, error) {
		return append(append(append(dst, '('), st.ID...), ')'), nil
	}},
	{"DELETED-STORAGE", func(dst []byte, _ *session, box *mailbox.Mailbox, st *mailbox.Status) ([]byte, error) {
		octets, err := deletedOctets(box, st)
		return strconv.AppendInt(dst, octets, 10), err
	}},
}

// deletedOctets is the size of the messages with \Deleted.
func deletedOctets(box *mailbox.Mailbox, st *mailbox.Status) (int64, error) {
	if st.Deleted == 0 {
		return 0, nil
	}
	now, err := box.Snapshot()
	if err != nil {
		return 0, err
	}
	octets := int64(0)
	for _, rec := range now.Range(0, now.Len()) {
		if rec.Flags&maildir.Trashed != 0 {
			octets += rec.Size()
		}
	}
	return octets, nil
}

// parseStatusItems reads the list of items. Each is told once.
func parseStatusItems(d *imapwire.Decoder) []statusItem {
	items := []statusItem{}
	d.List(func() {
		name := d.Keyword()
		for _, known := range items {
			if known.name == name {
				return
			}
		}
		for _, item := range statusItems {
			if item.name == name {
				items = append(items, item)
				return
			}
		}
		d.Fail("STATUS has no such item")
	})
	return items
}

// cmdStatus is STATUS (RFC 9051 6.3.11).
func (s *session) cmdStatus(c *call) error {
	c.dec.SP()
	name := c.dec.Mailbox()
	c.dec.SP()
	items := parseStatusItems(c.dec)
	if err := c.end(); err != nil {
		return err
	}
	box, err := s.mailbox(name, rightRead)
	if err != nil {
		return err
	}
	s.enableFor(items)
	return s.writeStatus(s.wireName(box), box, items)
}

// enableFor turns CONDSTORE on when a command asks for HIGHESTMODSEQ (RFC 7162 3.1).
func (s *session) enableFor(items []statusItem) {
	if slices.ContainsFunc(items, func(i statusItem) bool { return i.name == highestModSeqItem }) {
		s.enable(condstore)
	}
}

// writeStatus writes one STATUS response, or nothing when it can't be had.
func (s *session) writeStatus(name string, box *mailbox.Mailbox, items []statusItem) error {
	box.Poll()
	st, err := box.Status()
	if err != nil {
		return err
	}
	var line []byte
	for i, item := range items {
		if i > 0 {
			line = append(line, ' ')
		}
		line = append(append(line, item.name...), ' ')
		if line, err = item.append(line, s, box, &st); err != nil {
			return err
		}
	}
	s.enc.Raw("* STATUS ").Mailbox(name).Raw(" (").Bytes(line).Raw(")").CRLF()
	return s.enc.Err()
}
