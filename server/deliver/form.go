package deliver

import (
	"fmt"
	"slices"
	"strings"

	"facteur/server/envelope"
	"facteur/server/message"
)

// form is what the scripts of one mailbox change of the message there. Other mailboxes,
// and what is redirected, are not concerned.
type form struct {
	header  []byte // fields that were added, above the trace
	retouch message.Retouch
}

// key tells forms of the message itself apart.
func (f *form) key() string {
	if len(f.retouch.Remove) == 0 && f.retouch.Prefix == "" {
		return ""
	}
	return fmt.Sprintf("%q %q", f.retouch.Remove, f.retouch.Prefix)
}

// body returns the message as it is in the mailbox, below what stands above it; as it came
// when that can't be.
func (f *form) body(h *message.Header, b envelope.Body) envelope.Body {
	if f.key() == "" {
		return b
	}
	changed, _, _, err := f.retouch.Apply(b, h)
	if err != nil {
		return b
	}
	return changed
}

// trace returns the fields that this server puts above the message, without those that are
// removed.
func (f *form) trace(fields []byte) []byte {
	if len(f.retouch.Remove) == 0 {
		return fields
	}
	h, err := message.ParseHeader(fields)
	if err != nil {
		return fields
	}
	var out []byte
	for i := range h.Len() {
		if name, raw := h.Field(i); !message.Removable(name) || !slices.Contains(f.retouch.Remove, strings.ToLower(name)) {
			out = append(out, raw...)
		}
	}
	return out
}
