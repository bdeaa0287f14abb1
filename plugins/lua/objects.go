package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
)

// object is what a script gets as c, m, r or box: fields and methods, read
// only. It holds no data: those are in state.call.
type object struct {
	name  string
	value *lua.LUserData
}

// kind describes an object.
type kind struct {
	name    string
	fields  map[string]func(*state) lua.LValue
	methods map[string]function
}

// clientKind is c.
var clientKind = kind{
	name: "c",
	fields: map[string]func(*state) lua.LValue{
		"ip": func(s *state) lua.LValue {
			if !s.call.Client.IP.IsValid() {
				return lua.LString("")
			}
			return s.text(s.call.Client.IP.String())
		},
		"rdns":     func(s *state) lua.LValue { return s.data(s.call.Client.RDNS) },
		"helo":     func(s *state) lua.LValue { return s.data(s.call.Client.Helo) },
		"tls":      clientTLS,
		"user":     func(s *state) lua.LValue { return s.data(s.call.Client.User) },
		"listener": func(s *state) lua.LValue { return s.data(s.call.Client.Listener) },
		"id":       func(s *state) lua.LValue { return s.data(s.call.Client.ID) },
	},
}

// clientTLS is c.tls: a table, or nil without TLS.
func clientTLS(s *state) lua.LValue {
	c := s.call.Client
	if c.TLSVersion == "" {
		return lua.LNil
	}
	return s.record(member{"version", lua.LString(c.TLSVersion)}, member{"cipher", lua.LString(c.TLSCipher)})
}

// messageKind is m.
var messageKind = kind{
	name: "m",
	fields: map[string]func(*state) lua.LValue{
		"id":      func(s *state) lua.LValue { return s.data(s.call.Message.ID) },
		"from":    func(s *state) lua.LValue { return s.data(s.call.Message.ReversePath.String()) },
		"to":      func(s *state) lua.LValue { return s.addresses(s.call.Message.Recipients) },
		"size":    func(s *state) lua.LValue { return lua.LNumber(s.call.Message.Size) },
		"subject": func(s *state) lua.LValue { return serve(s, "m.subject", s.subject) },
		"date":    func(s *state) lua.LValue { return serve(s, "m.date", s.date) },
		"auth":    messageAuth,
	},
	methods: map[string]function{
		"header":     messageHeader,
		"headers":    messageHeaders,
		"raw_header": messageRawHeader,
		"addresses":  messageAddresses,
		"text":       messageText,
	},
}

// messageAuth is m.auth: a table, with "" for all when the message was not verified.
func messageAuth(s *state) lua.LValue {
	var a hook.Authenticity
	if s.call.Message.Auth != nil {
		a = *s.call.Message.Auth
	}
	return s.record(member{"spf", s.data(a.SPF)}, member{"dkim", s.data(a.DKIM)}, member{"dmarc", s.data(a.DMARC)},
		member{"arc", s.data(a.ARC)})
}

// recipientKind is r.
var recipientKind = kind{
	name: "r",
	fields: map[string]func(*state) lua.LValue{
		"address":  func(s *state) lua.LValue { return s.data(s.call.Recipient.Address.String()) },
		"original": func(s *state) lua.LValue { return s.data(s.call.Recipient.Original.String()) },
		"detail":   func(s *state) lua.LValue { return s.data(s.call.Recipient.Detail) },
		"path":     func(s *state) lua.LValue { return s.list(s.call.Recipient.Path) },
	},
}

// boxKind is box. Its actions are methods too: newObjects adds them.
var boxKind = kind{
	name: "box",
	fields: map[string]func(*state) lua.LValue{
		"address":   func(s *state) lua.LValue { return s.data(s.call.Box.Address().String()) },
		"addresses": boxAddresses,
		"quota":     boxQuota,
	},
	methods: map[string]function{
		"folders": boxFolders,
		"exists":  boxExists,
	},
}

// objects are those of a state.
type objects struct{ client, message, recipient, box *object }

func (s *state) newObjects() objects {
	box := boxKind
	box.methods = map[string]function{}
	for _, methods := range []map[string]function{boxKind.methods, boxActions} {
		for name, f := range methods {
			box.methods[name] = f
		}
	}
	return objects{
		client:    s.newObject(clientKind),
		message:   s.newObject(messageKind),
		recipient: s.newObject(recipientKind),
		box:       s.newObject(box),
	}
}

// newObject makes an object. Methods are found in a table, by the VM itself,
// and fields by the function behind that table.
func (s *state) newObject(k kind) *object {
	o := &object{name: k.name, value: s.L.NewUserData()}
	o.value.Value = o
	methods := s.L.CreateTable(0, len(k.methods))
	for name, f := range k.methods {
		methods.RawSetString(name, s.method(o, name, f))
	}
	behind := s.L.CreateTable(0, 1)
	behind.RawSetString("__index", s.L.NewFunction(func(L *lua.LState) int {
		name := tostring(L.Get(2))
		field, ok := k.fields[name]
		if !ok {
			L.RaiseError("%s has no field %s", k.name, quote(name, 40))
		}
		return s.push(field(s))
	}))
	methods.Metatable = behind
	meta := s.L.CreateTable(0, 2)
	meta.RawSetString("__index", methods)
	meta.RawSetString("__newindex", s.L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s is read only", k.name)
		return 0
	}))
	o.value.Metatable = meta
	return o
}

// method makes a method: its arguments are those after the object.
func (s *state) method(o *object, name string, f function) *lua.LFunction {
	return s.L.NewFunction(func(L *lua.LState) int {
		if L.Get(1) != o.value {
			L.RaiseError("write %s:%s(...), with a colon", o.name, name)
		}
		L.Remove(1)
		return f(s)
	})
}

// arguments are those of the function of a stage.
func (o objects) arguments(stage hook.Stage) []lua.LValue {
	switch stage {
	case hook.Rcpt:
		return []lua.LValue{o.client.value, o.message.value, o.recipient.value}
	case hook.Data, hook.Submit:
		return []lua.LValue{o.client.value, o.message.value}
	case hook.Deliver:
		return []lua.LValue{o.message.value, o.box.value}
	}
	return nil
}

// isObject tells whether argument n is the object of that name.
func (s *state) isObject(n int, name string) bool {
	u, ok := s.L.Get(n).(*lua.LUserData)
	if !ok {
		return false
	}
	o, ok := u.Value.(*object)
	return ok && o.name == name
}

// data returns text that comes from outside, cut to what a string may hold.
func (s *state) data(str string) lua.LValue {
	if len(str) > maxString {
		str = strings.Clone(str[:maxString])
	}
	s.work(len(str) / 64)
	return s.text(str)
}

// list returns an array of texts.
func (s *state) list(items []string) lua.LValue {
	s.need(tableSize + slotSize*len(items))
	t := s.L.CreateTable(len(items), 0)
	for i, item := range items {
		t.RawSetInt(i+1, s.data(item))
	}
	return t
}

func (s *state) addresses(list []address.Address) lua.LValue {
	items := make([]string, len(list))
	for i, a := range list {
		items[i] = a.String()
	}
	return s.list(items)
}

// member is a name in a table, with its value.
type member struct {
	name  string
	value lua.LValue
}

// record returns a table of a few fields.
func (s *state) record(members ...member) lua.LValue {
	s.need(tableSize + dictSize)
	t := s.L.CreateTable(0, len(members))
	for _, m := range members {
		t.RawSetString(m.name, m.value)
	}
	return t
}

// serveCost is the number of instructions that a look into message or box
// counts for.
const serveCost = 50

// serve gets data that the time limit does not count.
func serve[T any](s *state, what string, get func() T) T {
	if s.call.Message.Content == nil && strings.HasPrefix(what, "m.") {
		s.L.RaiseError("%s is not known at the stage %s: the message has not come yet", what, s.call.Stage)
	}
	s.work(serveCost)
	var v T
	s.meter.serve(func() { v = get() })
	s.work(0)
	return v
}

func (s *state) subject() lua.LValue { return s.data(s.call.Message.Content.Subject()) }

func (s *state) date() lua.LValue {
	t := s.call.Message.Content.Date()
	if t.IsZero() {
		return lua.LNil
	}
	return lua.LNumber(t.Unix())
}

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

// messageText decodes the text once for each new length that is asked for.
func messageText(s *state) int {
	most := min(max(s.optInteger(1, defaultText), 0), maxString)
	if s.run.text == nil || s.run.textMax < most {
		s.need(most)
		text := serve(s, "m.text", func() string { return s.call.Message.Content.Text(most) })
		s.run.text, s.run.textMax = &text, most
	}
	text := *s.run.text
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return s.pushCopy(text)
}

func boxAddresses(s *state) lua.LValue {
	return s.addresses(serve(s, "box.addresses", s.call.Box.Addresses))
}

func boxQuota(s *state) lua.LValue {
	used := serve(s, "box.quota", func() [2]int64 {
		used, most := s.call.Box.Quota()
		return [2]int64{used, most}
	})
	return s.record(member{"used", lua.LNumber(used[0])}, member{"max", lua.LNumber(used[1])})
}

func boxFolders(s *state) int { return s.push(s.list(serve(s, "box.folders", s.call.Box.Folders))) }

func boxExists(s *state) int {
	folder := s.str(1)
	return s.push(lua.LBool(serve(s, "box.exists", func() bool { return s.call.Box.Exists(folder) })))
}
