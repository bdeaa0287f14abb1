package imapd

import (
	"io"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/message"
)

// openMessage is a message that FETCH or SEARCH looks into, with what was found
// of its parts.
type openMessage struct {
	envelope.Body
	head *part // the message, with its header only
	root *part // and with all its parts
}

// openOnce opens a message when it is first needed.
func (m *openMessage) openOnce(box *mailbox.Mailbox, uid mailbox.UID) error {
	if m.Body != nil {
		return nil
	}
	c, err := box.Open(uid)
	if err == nil {
		m.Body = c
	}
	return err
}

func (m *openMessage) close() {
	if c, ok := m.Body.(io.Closer); ok {
		c.Close() // it was only read
	}
}

// top returns the message as a part whose children are not known.
func (m *openMessage) top() (*part, error) {
	if m.root != nil {
		return m.root, nil
	}
	if m.head != nil {
		return m.head, nil
	}
	h, err := message.ReadHeader(m)
	if fault.Is(err, fault.TooLarge) {
		return m.parts() // finds where the header ends
	}
	if err != nil {
		return nil, err
	}
	m.head = &part{body: h.Size(), end: m.Size(), header: h}
	return m.head, nil
}

// parts returns the message with all its parts.
func (m *openMessage) parts() (*part, error) {
	if m.root == nil {
		root, err := parseParts(m)
		if err != nil {
			return nil, err
		}
		m.root = root
	}
	return m.root, nil
}
