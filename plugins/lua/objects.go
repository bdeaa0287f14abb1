package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
)

// object is what a script gets as c, a, m, r, box, event or result: fields and
// methods, read only. It holds no data: those are in state.call.
type object struct {
	name  string
	value *lua.LUserData
}

// kind describes an object.
type kind struct {
	name    string // as scripts write it; "m.auth" is the field auth of m
	fields  map[string]field
	methods map[string]function
}

// field gets the value of a field.
type field func(*state) lua.LValue

// kinds returns what there is. Those whose name has a dot are fields of
// another; event is a different one at each of its stages.
func kinds() []kind {
	return []kind{clientKind, tlsKind, loginKind, messageKind, authKind, spamKind, natureKind, recipientKind, boxKind, quotaKind,
		changeKind, invitationKind, fateKind}
}

// parameters are the objects that the function of each stage gets, by the names
// of their kinds. That of Resolve gets a string.
var parameters = map[hook.Stage][]string{
	hook.Connect:  {"c"},
	hook.Auth:     {"c", "a"},
	hook.Mail:     {"c", "m"},
	hook.Rcpt:     {"c", "m", "r"},
	hook.Resolve:  {"address"},
	hook.Data:     {"c", "m"},
	hook.Submit:   {"c", "m"},
	hook.Deliver:  {"m", "box"},
	hook.Stored:   {"m", "box", "event"},
	hook.Sent:     {"m", "result"},
	hook.Deferred: {"m", "result"},
	hook.Bounced:  {"m", "result"},
	hook.Calendar: {"event", "box"},
	hook.Tick:     {"box"},
}

// kindAt returns the kind of a parameter at a stage.
func kindAt(stage hook.Stage, name string) (kind, bool) {
	if name == invitationKind.name && stage == hook.Calendar {
		return invitationKind, true
	}
	for _, k := range kinds() {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// objects are those of a state. They are made once.
type objects struct {
	parts     map[string]*object // the fields that are objects, by the name of their kind
	arguments map[hook.Stage][]lua.LValue
}

func (s *state) newObjects() objects {
	made := map[string]*object{}
	for _, k := range kinds() {
		if k.name != invitationKind.name {
			made[k.name] = s.newObject(k)
		}
	}
	change, invitation := s.newObject(changeKind), s.newObject(invitationKind)
	o := objects{parts: made, arguments: map[hook.Stage][]lua.LValue{}}
	for stage, names := range parameters {
		for _, name := range names {
			var value lua.LValue
			switch {
			case stage == hook.Resolve:
				continue
			case stage == hook.Calendar && name == invitationKind.name:
				value = invitation.value
			case name == changeKind.name:
				value = change.value
			default:
				value = made[name].value
			}
			o.arguments[stage] = append(o.arguments[stage], value)
		}
	}
	return o
}

// part is a field that is an object itself.
func part(name string) field {
	return func(s *state) lua.LValue { return s.objects.parts[name].value }
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
		get, ok := k.fields[name]
		if !ok {
			L.RaiseError("%s has no field %s", k.name, quote(name, 40))
		}
		v := get(s)
		s.traceField(k.name, name, v)
		return s.push(v)
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
	f = traced(o.name+":"+name, f)
	return s.L.NewFunction(func(L *lua.LState) int {
		if L.Get(1) != o.value {
			L.RaiseError("write %s:%s(...), with a colon", o.name, name)
		}
		L.Remove(1)
		return f(s)
	})
}

// arguments are those of the function of the stage.
func (s *state) arguments() []lua.LValue {
	if s.call.Stage == hook.Resolve {
		// Not by data: a limit would raise an error where nothing takes it.
		return []lua.LValue{lua.LString(s.call.Address.String())}
	}
	return s.objects.arguments[s.call.Stage]
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
	t := s.array(len(items))
	for i, item := range items {
		t.RawSetInt(i+1, s.data(item))
	}
	return t
}

// array returns an empty table with room for n items.
func (s *state) array(n int) *lua.LTable {
	s.need(tableSize + slotSize*n)
	return s.L.CreateTable(n, 0)
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
	if strings.HasPrefix(what, "m.") && s.call.Message.Content == nil {
		s.L.RaiseError("%s is not known at the stage %s: the message has not come yet", what, s.call.Stage)
	}
	s.work(serveCost)
	var v T
	s.meter.serve(func() { v = get() })
	s.work(0)
	return v
}
