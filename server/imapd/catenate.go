package imapd

import (
	"io"
	"net/url"
	"strconv"
	"strings"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/safefile"
)

// maxCatenated bounds the parts of one message (RFC 4469).
const maxCatenated = 100

// catenate writes the parts of a CATENATE to a draft.
func (s *session) catenate(d *imapwire.Decoder, a *appending, draft *safefile.Draft) error {
	var err error
	parts := 0
	d.List(func() {
		if err != nil {
			return
		}
		if parts++; parts > maxCatenated {
			err = no("LIMIT", "Too many parts")
		} else if d.TryKeyword("TEXT") {
			d.SP()
			err = s.receiveLiteral(d, a, draft)
		} else if d.TryKeyword("URL") {
			d.SP()
			if link := d.AString(); d.Err() == nil {
				err = s.catenateURL(link, a, draft)
			}
		} else {
			d.Fail("CATENATE takes TEXT and URL")
		}
		if err != nil {
			d.FailWith(err)
		}
	})
	if err == nil && parts == 0 {
		d.Fail("CATENATE needs a part")
	}
	return err
}

// badURL is the failure of a URL (RFC 4469 5).
func badURL(link, text string) error {
	return no("BADURL "+string(imapwire.AppendQuoted(nil, visible(link))), text)
}

// visible leaves out of a string what can't stand in a response code.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || r == ']' {
			return '?'
		}
		return r
	}, s)
}

// catenateURL writes what a URL leads to.
func (s *session) catenateURL(link string, a *appending, draft *safefile.Draft) error {
	u, ok := parseMessageURL(link)
	if !ok {
		return badURL(link, "This is no URL of a message here")
	}
	box, err := s.boxOf(u)
	if err != nil {
		return badURL(link, "There is no such mailbox")
	}
	content, err := box.Open(u.uid)
	if fault.Is(err, fault.NotFound) {
		return badURL(link, "There is no such message")
	}
	if err != nil {
		return err
	}
	defer content.Close()
	if u.section == nil {
		return s.copyRange(content, u.cut(0, content.Size()), a, draft)
	}
	root, err := message.ReadParts(content, content.Size())
	if err != nil {
		return err
	}
	if len(u.section.Names) > 0 {
		fields, err := root.AppendSectionFields(nil, content, *u.section)
		if err != nil {
			return err
		}
		return s.copyRange(strings.NewReader(string(fields)), u.cut(0, int64(len(fields))), a, draft)
	}
	from, to, ok := root.Range(*u.section)
	if !ok {
		return badURL(link, "There is no such part")
	}
	return s.copyRange(content, u.cut(from, to), a, draft)
}

// boxOf returns the mailbox of a URL, which the client has to be able to read.
func (s *session) boxOf(u messageURL) (*mailbox.Mailbox, error) {
	if u.mailbox == "" {
		if s.sel == nil {
			return nil, errNoMailbox
		}
		return s.sel.box, nil
	}
	box, err := s.mailbox(u.mailbox, rightRead)
	if err == nil && u.validity != 0 && u.validity != uint32(box.UIDValidity()) {
		return nil, errNoMailbox
	}
	return box, err
}

func (s *session) copyRange(r io.ReaderAt, octets [2]int64, a *appending, draft *safefile.Draft) error {
	size := octets[1] - octets[0]
	if err := s.fits(a, draft.Size(), size); err != nil {
		return err
	}
	if _, err := draft.ReadFrom(io.NewSectionReader(r, octets[0], size)); err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return nil
}

// messageURL is an IMAP URL of a message or a part of it (RFC 5092).
type messageURL struct {
	mailbox  string // "": the selected one
	validity uint32 // 0: not given
	uid      mailbox.UID
	section  *message.Section // nil: the message
	partial  bool
	offset   int64 // octets; with partial
	count    int64 // 0: to the end
}

// cut applies the partial range to octets from one place to another.
func (u messageURL) cut(from, to int64) [2]int64 {
	if u.partial {
		from += min(u.offset, to-from)
		if u.count > 0 {
			to = from + min(u.count, to-from)
		}
	}
	return [2]int64{from, to}
}

// parseMessageURL reads a relative URL (RFC 5092 7.2): one with a server in it
// may mean another.
//
//	/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.MIME/;PARTIAL=0.100
func parseMessageURL(link string) (u messageURL, ok bool) {
	if strings.HasPrefix(link, "//") || strings.Contains(link, "://") || visible(link) != link { // RFC 3986 2: ASCII
		return u, false
	}
	path, absolute := strings.CutPrefix(link, "/")
	i := indexFold(path, ";UID=")
	if i < 0 {
		return u, false
	}
	box, rest := strings.TrimSuffix(path[:i], "/"), path[i+len(";UID="):]
	if absolute {
		if box, ok = u.parseBox(box); !ok || box == "" {
			return u, false
		}
		u.mailbox = box
	} else if box != "" {
		return u, false
	}
	uid, rest, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(uid, 10, 32)
	if err != nil || n == 0 {
		return u, false
	}
	u.uid = mailbox.UID(n)
	return u, u.parseRest(rest)
}

// parseBox reads "name;UIDVALIDITY=n".
func (u *messageURL) parseBox(s string) (name string, ok bool) {
	if i := indexFold(s, ";UIDVALIDITY="); i >= 0 {
		n, err := strconv.ParseUint(s[i+len(";UIDVALIDITY="):], 10, 32)
		if err != nil || n == 0 {
			return "", false
		}
		u.validity, s = uint32(n), s[:i]
	}
	name, err := url.PathUnescape(s)
	if err != nil {
		return "", false
	}
	return mailboxOf(name)
}

// parseRest reads ";SECTION=..." and ";PARTIAL=...".
func (u *messageURL) parseRest(rest string) bool {
	for rest != "" {
		switch {
		case indexFold(rest, ";SECTION=") == 0 && u.section == nil && !u.partial:
			rest = rest[len(";SECTION="):]
			spec := rest
			if i := indexFold(rest, "/;PARTIAL="); i >= 0 {
				spec, rest = rest[:i], rest[i+1:]
			} else {
				rest = ""
			}
			text, err := url.PathUnescape(spec)
			if err != nil {
				return false
			}
			sec, ok := sectionOf(text)
			if !ok {
				return false
			}
			u.section = &sec
		case indexFold(rest, ";PARTIAL=") == 0 && !u.partial:
			from, count, both := strings.Cut(rest[len(";PARTIAL="):], ".")
			var err, err2 error
			u.partial = true
			u.offset, err = strconv.ParseInt(from, 10, 64)
			if both {
				u.count, err2 = strconv.ParseInt(count, 10, 64)
			}
			if err != nil || err2 != nil || u.offset < 0 || u.count < 0 || both && u.count == 0 {
				return false
			}
			return true
		default:
			return false
		}
	}
	return true
}

// sectionOf reads a section that stands alone (RFC 9051 9, section-spec).
func sectionOf(spec string) (sec message.Section, ok bool) {
	ok = decodeAll(spec+"]", func(d *imapwire.Decoder) {
		new(fetchItems).parseSpec(d, &sec)
		d.Expect(']')
	})
	return sec, ok
}

// mailboxOf reads a mailbox name that stands alone, in UTF-8.
func mailboxOf(text string) (name string, ok bool) {
	ok = decodeAll("{"+strconv.Itoa(len(text))+"+}\r\n"+text, func(d *imapwire.Decoder) {
		d.SetUTF8(true)
		name = d.Mailbox()
	})
	return name, ok
}

// decodeAll reads tokens that are no command of a client.
func decodeAll(text string, read func(*imapwire.Decoder)) bool {
	d := imapwire.NewDecoder(strings.NewReader("x "+text+"\r\n"), imapwire.Options{})
	d.Tag()
	d.SP()
	read(d)
	d.CRLF()
	return d.Err() == nil
}

// indexFold is strings.Index without case, for a sub in upper case. Both are ASCII.
func indexFold(s, sub string) int { return strings.Index(strings.ToUpper(s), sub) }
