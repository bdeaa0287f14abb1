package lua

import (
	"maps"
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/message"
)

// boxKind is box. Its actions are methods too.
var boxKind = kind{
	name: "box",
	fields: map[string]field{
		"address":   func(s *state) lua.LValue { return s.data(s.call.Box.Address().String()) },
		"addresses": func(s *state) lua.LValue { return s.addresses(serve(s, "box.addresses", s.call.Box.Addresses)) },
		"quota":     part("box.quota"),
	},
	methods: joined(boxReaders, boxActions),
}

// boxReaders are the methods of box that ask for something.
var boxReaders = map[string]function{
	"folders":      boxFolders,
	"exists":       boxExists,
	"count":        boxCount,
	"contact":      boxContact,
	"thread_known": boxThreadKnown,
	"busy":         boxBusy,
}

func joined(sets ...map[string]function) map[string]function {
	all := map[string]function{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// quotaKind is box.quota.
var quotaKind = kind{
	name: "box.quota",
	fields: map[string]field{
		"used": func(s *state) lua.LValue { return lua.LNumber(s.quota()[0]) },
		"max":  func(s *state) lua.LValue { return lua.LNumber(s.quota()[1]) },
	},
}

func (s *state) quota() [2]int64 {
	return serve(s, "box.quota", func() [2]int64 {
		used, most := s.call.Box.Quota()
		return [2]int64{used, most}
	})
}

func boxFolders(s *state) int { return s.push(s.list(serve(s, "box.folders", s.call.Box.Folders))) }

func boxExists(s *state) int {
	folder := s.str(1)
	return s.push(lua.LBool(serve(s, "box.exists", func() bool { return s.call.Box.Exists(folder) })))
}

// boxCount is box:count(folder[, query]).
func boxCount(s *state) int {
	folder, query := s.folder(1), "ALL"
	if s.L.Get(2) != lua.LNil {
		query = s.line1(2, maxQuery)
	}
	var err error
	n := serve(s, "box.count", func() int {
		n, e := s.call.Box.Count(folder, query)
		err = e
		return n
	})
	if err != nil {
		s.L.RaiseError("box:count: %s", clip(err.Error(), maxErrorText))
	}
	return s.push(lua.LNumber(n))
}

// boxContact is box:contact(address): a table, or nil for somebody unknown.
func boxContact(s *state) int {
	a := s.address(1)
	c := serve(s, "box.contact", func() hook.Contact { return s.call.Box.Contact(a) })
	if c == (hook.Contact{}) {
		return s.push(lua.LNil)
	}
	return s.push(s.record(member{"name", s.data(c.Name)}, member{"received", seconds(c.Received)}, member{"written", seconds(c.Written)}))
}

// boxThreadKnown is box:thread_known(m): whether the message answers one that
// was sent from this mailbox.
func boxThreadKnown(s *state) int {
	if !s.isObject(1, messageKind.name) {
		s.argError(1, "m expected, got %s", typeName(s.L.Get(1)))
	}
	var ids []string
	for _, name := range []string{"In-Reply-To", "References"} {
		for _, v := range serve(s, "m.headers", func() []string { return s.call.Message.Content.RawValues(name) }) {
			ids = append(ids, message.MessageIDs([]byte(v))...)
		}
	}
	if len(ids) == 0 {
		return s.push(lua.LFalse)
	}
	ids = ids[:min(len(ids), maxThread)]
	return s.push(lua.LBool(serve(s, "box.thread_known", func() bool { return s.call.Box.ThreadKnown(ids) })))
}

const (
	maxQuery  = 1000 // octets of a search
	maxThread = 100  // Message-IDs that a message may refer to
)

// contact is what the mailbox knows of the author; nil without a mailbox or an
// author.
func (s *state) contact() *hook.Contact {
	if s.call.Box == nil {
		return nil
	}
	if s.run.contact == nil {
		author, ok := s.author()
		if !ok {
			return nil
		}
		c := serve(s, "m.is", func() hook.Contact { return s.call.Box.Contact(author) })
		s.run.contact = &c
	}
	return s.run.contact
}

// author is the first address of From.
func (s *state) author() (address.Address, bool) {
	authors := serve(s, "m.is", func() []address.Address { return s.call.Message.Content.Addresses("From") })
	if len(authors) == 0 {
		return address.Address{}, false
	}
	return authors[0], true
}

// changeKind is event at the stage stored.
var changeKind = kind{
	name: "event",
	fields: map[string]field{
		"kind":    func(s *state) lua.LValue { return s.data(s.call.Change.Kind) },
		"folder":  func(s *state) lua.LValue { return s.data(s.call.Change.Folder) },
		"from":    func(s *state) lua.LValue { return s.data(s.call.Change.From) },
		"flags":   func(s *state) lua.LValue { return s.list(s.call.Change.Flags) },
		"added":   func(s *state) lua.LValue { return s.list(s.call.Change.Added) },
		"removed": func(s *state) lua.LValue { return s.list(s.call.Change.Removed) },
	},
}

// invitationKind is event at the stage calendar.
var invitationKind = kind{
	name: "event",
	fields: map[string]field{
		"method":    func(s *state) lua.LValue { return s.data(s.call.Invitation.Method) },
		"uid":       func(s *state) lua.LValue { return s.data(s.call.Invitation.UID) },
		"organizer": func(s *state) lua.LValue { return s.data(s.call.Invitation.Organizer) },
		"attendees": func(s *state) lua.LValue { return s.list(s.call.Invitation.Attendees) },
		"summary":   func(s *state) lua.LValue { return s.data(s.call.Invitation.Summary) },
		"location":  func(s *state) lua.LValue { return s.data(s.call.Invitation.Location) },
		"starts":    func(s *state) lua.LValue { return seconds(s.call.Invitation.Start) },
		"ends":      func(s *state) lua.LValue { return seconds(s.call.Invitation.End) },
		"all_day":   func(s *state) lua.LValue { return lua.LBool(s.call.Invitation.AllDay) },
		"recurring": func(s *state) lua.LValue { return lua.LBool(s.call.Invitation.Recurring) },
		"sequence":  func(s *state) lua.LValue { return lua.LNumber(s.call.Invitation.Sequence) },
	},
}

// seconds is a time as scripts see it: since 1970, or nil.
func seconds(t time.Time) lua.LValue {
	if t.IsZero() {
		return lua.LNil
	}
	return lua.LNumber(t.Unix())
}
