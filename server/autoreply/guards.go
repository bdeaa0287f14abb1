package autoreply

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"strings"

	"facteur/server/address"
	"facteur/server/message"
)

// maxReceived is how many Received fields are a loop.
const maxReceived = 50

// sender looks at the reverse-path (RFC 3834 2, RFC 5230 4.5 and 4.6).
func (r *Request) sender() Reason {
	to := r.Message.ReversePath
	switch {
	case to.IsZero():
		return NullPath
	case r.own(to):
		return OwnAddress
	case isProgram(to):
		return Program
	}
	return ""
}

// programs are the local parts of addresses behind which nobody reads.
var programs = map[string]bool{
	"mailer-daemon": true, "postmaster": true, "root": true, "listserv": true, "majordomo": true,
	"no-reply": true, "noreply": true, "donotreply": true,
}

// isProgram tells whether a reverse-path is that of a list or a program. A subaddress
// does not hide it: lists write to "list-bounces+alice=example.org".
func isProgram(a address.Address) bool {
	if a.IsSRS() { // somebody forwarded it, and only reports come back from there
		return true
	}
	local := address.FoldLocal(a.Local)
	base, _, _ := strings.Cut(local, "+")
	return programs[base] || strings.HasPrefix(local, "owner-") || strings.HasPrefix(local, "bounce") ||
		hasSuffix(base, "-request", "-owner", "-bounce", "-bounces")
}

func hasSuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// header looks at the fields by which lists and programs tell what they are.
func (r *Request) header() Reason {
	h := r.Message.Header
	for i := range h.Len() {
		if name, _ := h.Field(i); len(name) > 5 && strings.EqualFold(name[:5], "List-") { // RFC 2369, RFC 2919
			return ListMail
		}
	}
	for _, v := range h.RawValues("Auto-Submitted") { // RFC 3834 5
		if keyword(v) != "no" {
			return AutoMail
		}
	}
	for _, v := range h.RawValues("Precedence") {
		switch keyword(v) {
		case "bulk", "junk", "list", "auto_reply":
			return BulkMail
		}
	}
	for _, v := range h.RawValues("X-Auto-Response-Suppress") {
		for word := range strings.SplitSeq(v, ",") {
			switch strings.ToLower(strings.TrimSpace(word)) {
			case "all", "oof", "autoreply":
				return Suppressed
			}
		}
	}
	if h.Count("Received") >= maxReceived {
		return Looping
	}
	return ""
}

// keyword returns the word with which a value begins, in lower case, without what stands
// behind it: parameters and comments.
func keyword(value string) string {
	value = strings.TrimSpace(value)
	if i := strings.IndexAny(value, " \t;("); i >= 0 {
		value = value[:i]
	}
	return strings.ToLower(value)
}

// structure looks at what the message is made of: reports (RFC 6522) and answers to
// invitations (RFC 6047 2.4) get no reply.
func (r *Request) structure() Reason {
	mediaType, params := contentType(r.Message.Header)
	switch {
	case mediaType == "multipart/report":
		return ReportMail
	case mediaType == "text/calendar" && isReply(params):
		return CalendarMail
	case mediaType != "text/calendar" && !strings.HasPrefix(mediaType, "multipart/"):
		return ""
	}
	top, err := message.ReadParts(r.Message.Body, r.Message.Body.Size())
	if err == nil && r.answersInvitation(top) {
		return CalendarMail
	}
	return ""
}

// answersInvitation looks for a calendar with METHOD:REPLY in a part and those below it.
// Enclosed messages are not looked into.
func (r *Request) answersInvitation(p *message.Part) bool {
	if p.Type == "text" && p.Subtype == "calendar" {
		raw := make([]byte, min(p.Body-p.Start, maxPartHeader))
		n, err := r.Message.Body.ReadAt(raw, p.Start)
		if h, bad := message.ParseHeader(raw[:n]); bad == nil && (err == nil || errors.Is(err, io.EOF)) {
			if _, params := contentType(h); isReply(params) {
				return true
			}
		}
		return r.methodIsReply(p)
	}
	if p.Multipart() {
		for _, child := range p.Children {
			if r.answersInvitation(child) {
				return true
			}
		}
	}
	return false
}

// The octets that are looked at of the header and the content of a calendar: METHOD
// stands near its top.
const (
	maxPartHeader = 16 << 10
	maxCalendar   = 16 << 10
)

// methodIsReply reads the METHOD of a calendar (RFC 5545 3.7.2).
func (r *Request) methodIsReply(p *message.Part) bool {
	body, ok := p.Decoded(r.Message.Body)
	if !ok {
		return false
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxCalendar)) // what was read before an error counts
	for line := range bytes.Lines(text) {
		if strings.EqualFold(string(bytes.TrimSpace(line)), "METHOD:REPLY") {
			return true
		}
	}
	return false
}

func isReply(params map[string]string) bool { return strings.EqualFold(params["method"], "reply") }

// contentType reads the Content-Type; a malformed one as far as it goes.
func contentType(h *message.Header) (mediaType string, params map[string]string) {
	values := h.RawValues("Content-Type")
	if len(values) == 0 {
		return "", nil
	}
	mediaType, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		before, _, _ := strings.Cut(values[0], ";")
		return strings.ToLower(strings.TrimSpace(before)), params
	}
	return mediaType, params
}
