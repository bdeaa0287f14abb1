package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
)

// messageKind is m.
var messageKind = kind{
	name: "m",
	fields: map[string]field{
		"id":        func(s *state) lua.LValue { return s.data(s.call.Message.ID) },
		"from":      func(s *state) lua.LValue { return s.data(s.call.Message.ReversePath.String()) },
		"to":        func(s *state) lua.LValue { return s.addresses(s.call.Message.Recipients) },
		"size":      func(s *state) lua.LValue { return lua.LNumber(s.call.Message.Size) },
		"subject":   func(s *state) lua.LValue { return serve(s, "m.subject", s.subject) },
		"date":      func(s *state) lua.LValue { return serve(s, "m.date", s.date) },
		"auth":      part("m.auth"),
		"spam":      part("m.spam"),
		"virus":     func(s *state) lua.LValue { return s.data(s.virus()) },
		"is":        part("m.is"),
		"submitted": func(s *state) lua.LValue { return lua.LBool(s.call.Message.Submitted) },
	},
	methods: map[string]function{
		"header":      messageHeader,
		"headers":     messageHeaders,
		"raw_header":  messageRawHeader,
		"addresses":   messageAddresses,
		"text":        messageText,
		"html":        messageHTML,
		"parts":       messageParts,
		"part_text":   messagePartText,
		"part_header": messagePartHeader,
		"attachments": messageAttachments,
		"urls":        messageURLs,
	},
}

// authKind is m.auth, with "" for all when the message was not verified.
var authKind = kind{
	name: "m.auth",
	fields: map[string]field{
		"spf":   func(s *state) lua.LValue { return s.data(s.authenticity().SPF) },
		"dkim":  func(s *state) lua.LValue { return s.data(s.authenticity().DKIM) },
		"dmarc": func(s *state) lua.LValue { return s.data(s.authenticity().DMARC) },
		"arc":   func(s *state) lua.LValue { return s.data(s.authenticity().ARC) },
		"domains": func(s *state) lua.LValue {
			var domains []string
			for _, d := range s.authenticity().Domains {
				domains = append(domains, string(d))
			}
			return s.list(domains)
		},
	},
}

func (s *state) authenticity() hook.Authenticity {
	if s.call.Message.Auth == nil {
		return hook.Authenticity{}
	}
	return *s.call.Message.Auth
}

// spamKind is m.spam.
var spamKind = kind{
	name: "m.spam",
	fields: map[string]field{
		"score": func(s *state) lua.LValue { return lua.LNumber(s.call.Message.Spam.Score) },
		"rules": func(s *state) lua.LValue {
			rules := s.call.Message.Spam.Rules
			t := s.array(len(rules))
			for i, r := range rules {
				t.RawSetInt(i+1, s.record(member{"name", s.data(r.Name)}, member{"points", lua.LNumber(r.Points)}, member{"why", s.data(r.Why)}))
			}
			return t
		},
	},
}

// natureKind is m.is.
var natureKind = kind{
	name: "m.is",
	fields: map[string]field{
		// RFC 5321 4.5.5: a notification has a null reverse-path.
		"bounce": func(s *state) lua.LValue {
			return lua.LBool(s.call.Message.ReversePath.IsZero() || s.nature().Bounce)
		},
		"list":       func(s *state) lua.LValue { return lua.LBool(s.nature().List) },
		"auto":       func(s *state) lua.LValue { return lua.LBool(s.nature().Auto) },
		"bulk":       func(s *state) lua.LValue { return lua.LBool(s.nature().Bulk) },
		"encrypted":  func(s *state) lua.LValue { return lua.LBool(s.nature().Encrypted) },
		"calendar":   func(s *state) lua.LValue { return lua.LBool(s.nature().Calendar) },
		"proven":     (*state).proven,
		"first_time": known(func(_ *state, c *hook.Contact) bool { return c.Received.IsZero() }),
		"from_contact": known(func(s *state, c *hook.Contact) bool {
			return (c.Name != "" || !c.Written.IsZero()) && s.proven() != lua.LFalse
		}),
		"from_local": func(s *state) lua.LValue { return lua.LBool(s.call.Message.Submitted) },
	},
}

// nature is what kind of message it is, looked at once a run.
func (s *state) nature() *hook.Nature {
	if s.run.nature == nil {
		n := serve(s, "m.is", func() hook.Nature { return s.call.Message.Content.Is() })
		s.run.nature = &n
	}
	return s.run.nature
}

// known is a field that tells something of the author; nil when nobody knows.
func known(tell func(*state, *hook.Contact) bool) field {
	return func(s *state) lua.LValue {
		c := s.contact()
		if c == nil {
			return lua.LNil
		}
		return lua.LBool(tell(s, c))
	}
}

// proven tells whether the message is from its author; nil when nobody knows.
func (s *state) proven() lua.LValue {
	m := s.call.Message
	if m.Submitted {
		return lua.LTrue
	}
	if m.Auth == nil || m.Content == nil {
		return lua.LNil
	}
	author, ok := s.author()
	switch {
	case ok && author.Domain == m.Auth.Author:
		return lua.LTrue
	case m.Auth.Exempt:
		return lua.LNil
	}
	return lua.LFalse
}

func (s *state) subject() lua.LValue { return s.data(s.call.Message.Content.Subject()) }

func (s *state) date() lua.LValue { return seconds(s.call.Message.Content.Date()) }

func messageHeader(s *state) int {
	name := s.str(1)
	values := serve(s, "m.header", func() []string { return s.call.Message.Content.Values(name) })
	return s.push(s.first(values))
}

func messageRawHeader(s *state) int {
	name := s.str(1)
	values := serve(s, "m.raw_header", func() []string { return s.call.Message.Content.RawValues(name) })
	return s.push(s.first(values))
}

func (s *state) first(values []string) lua.LValue {
	if len(values) == 0 {
		return lua.LString("")
	}
	return s.data(values[0])
}

func messageHeaders(s *state) int {
	name := s.str(1)
	return s.push(s.list(serve(s, "m.headers", func() []string { return s.call.Message.Content.Values(name) })))
}

func messageAddresses(s *state) int {
	name := s.str(1)
	return s.push(s.addresses(serve(s, "m.addresses", func() []address.Address { return s.call.Message.Content.Addresses(name) })))
}

// defaultText is how much of the text m:text() returns.
const defaultText = 64 << 10

// excerpt is the beginning of a text, kept for the run.
type excerpt struct {
	text string
	max  int // how much of it was asked for
	read bool
}

// excerpt reads a text once for each new length that is asked for. Argument n
// is that length.
func (s *state) excerpt(e *excerpt, n int, what string, read func(limit int) string) int {
	most := s.most(n)
	if !e.read || e.max < most {
		s.need(most)
		*e = excerpt{serve(s, what, func() string { return read(most) }), most, true}
	}
	text := e.text
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return s.pushCopy(text)
}

// most returns argument n, how many octets of a text are wanted.
func (s *state) most(n int) int { return min(max(s.optInteger(n, defaultText), 0), maxString) }

func messageText(s *state) int {
	return s.excerpt(&s.run.text, 1, "m.text", func(limit int) string { return s.call.Message.Content.Text(limit) })
}

func messageHTML(s *state) int {
	return s.excerpt(&s.run.html, 1, "m.html", func(limit int) string { return s.call.Message.Content.HTML(limit) })
}

// messageParts is m:parts().
func messageParts(s *state) int {
	parts := serve(s, "m.parts", func() []hook.Part { return s.call.Message.Content.Parts() })
	t := s.array(len(parts))
	for i, p := range parts {
		t.RawSetInt(i+1, s.record(member{"type", s.data(p.Type)}, member{"name", s.data(p.Name)}, member{"disposition", s.data(p.Disposition)},
			member{"charset", s.data(p.Charset)}, member{"id", s.data(p.ContentID)}, member{"size", lua.LNumber(p.Size)}, member{"depth", lua.LNumber(p.Depth)}))
	}
	return s.push(t)
}

// partIndex returns argument 1, the number of a part, as an index into
// Content.Parts.
func (s *state) partIndex() int {
	i := s.integer(1)
	if i < 1 {
		s.argError(1, "the parts of a message are numbered from 1")
	}
	return i - 1
}

// messagePartText is m:part_text(part[, max]).
func messagePartText(s *state) int {
	i, most := s.partIndex(), s.most(2)
	s.need(most)
	return s.push(s.data(serve(s, "m.part_text", func() string { return s.call.Message.Content.PartText(i, most) })))
}

// messagePartHeader is m:part_header(part, name).
func messagePartHeader(s *state) int {
	i, name := s.partIndex(), s.str(2)
	return s.push(s.data(serve(s, "m.part_header", func() string { return s.call.Message.Content.PartHeader(i, name) })))
}

// messageAttachments is m:attachments().
func messageAttachments(s *state) int {
	files := serve(s, "m.attachments", func() []hook.Attachment { return s.call.Message.Content.Attachments() })
	t := s.array(len(files))
	for i, f := range files {
		t.RawSetInt(i+1, s.record(member{"part", lua.LNumber(f.Part + 1)}, member{"name", s.data(f.Name)}, member{"type", s.data(f.Type)},
			member{"size", lua.LNumber(f.Size)}, member{"files", s.list(f.Files)}, member{"encrypted", lua.LBool(f.Encrypted)}, member{"opaque", lua.LBool(f.Opaque)}))
	}
	return s.push(t)
}

func messageURLs(s *state) int {
	return s.push(s.list(serve(s, "m.urls", func() []string { return s.call.Message.Content.URLs() })))
}
