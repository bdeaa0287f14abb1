package lua

import (
	"reflect"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// The layouts are those of gopher-lua, field by field.
func TestLayout(t *testing.T) {
	state := reflect.TypeFor[lua.LState]()
	field := func(name string) reflect.Type {
		f, ok := state.FieldByName(name)
		if !ok {
			t.Fatalf("LState has no field %s", name)
		}
		return f.Type
	}
	compare := func(ours, theirs reflect.Type, fields int) {
		for i := range fields {
			a, b := ours.Field(i), theirs.Field(i)
			if a.Name != b.Name || a.Offset != b.Offset || a.Type.Kind() != b.Type.Kind() || a.Type.Size() != b.Type.Size() {
				t.Errorf("%v: field %d is %s %v at %d, ours %s %v at %d", theirs, i, b.Name, b.Type, b.Offset, a.Name, a.Type, a.Offset)
			}
			if k := a.Type.Kind(); (k == reflect.Map || k == reflect.Slice) && a.Type != b.Type {
				t.Errorf("%v: field %s is %v, ours %v", theirs, b.Name, b.Type, a.Type)
			}
		}
	}
	all := func(ours, theirs reflect.Type) {
		if ours.NumField() != theirs.NumField() || ours.Size() != theirs.Size() {
			t.Fatalf("%v has changed", theirs)
		}
		compare(ours, theirs, ours.NumField())
	}
	all(reflect.TypeFor[tableLayout](), reflect.TypeFor[lua.LTable]())
	all(reflect.TypeFor[upvalueLayout](), reflect.TypeFor[lua.Upvalue]())
	compare(reflect.TypeFor[registryLayout](), field("reg").Elem(), 2)
	if field("uvcache") != reflect.TypeFor[*lua.Upvalue]() {
		t.Error("uvcache has changed")
	}
	if field("hasErrorFunc") != reflect.TypeFor[bool]() {
		t.Error("hasErrorFunc has changed")
	}
}

// An environment that is used again holds nothing of the run before.
func TestEmptied(t *testing.T) {
	h := newQuietHost()
	s := mustCompile(t, h, `
local before = 0
for k in pairs(box_of and { 1 } or {}) do before = before + 1 end
assert(left == nil and before == 0)
left, box_of = {}, "alice"
function deliver(m, box)
  assert(left and box_of == "alice")
  left = nil
  for i = 1, many or 0 do end
  log(type(next))
end`)
	other := mustCompile(t, h, `function deliver(m, box) log(left, box_of, deliver ~= nil, rcpt) end function mail() end`)
	var st *state
	for i := range 20 {
		st = h.states.Get().(*state)
		h.states.Put(st)
		if out := s.Run(t.Context(), testCall(hook.Deliver)); out.Err != nil {
			t.Fatal(i, out.Err)
		}
		if out := other.Run(t.Context(), testCall(hook.Deliver)); out.Err != nil || logged(out)[0] != "nil\tnil\ttrue\tnil" {
			t.Fatal(i, out.Err, logged(out))
		}
	}
	large := st.L.NewTable()
	for i := range 2 * maxEmptied {
		large.RawSetString(string(rune('a'+i)), lua.LTrue)
	}
	array := st.L.NewTable()
	array.RawSetInt(1, lua.LTrue)
	if emptied(large) || emptied(array) {
		t.Error("what is large is kept")
	}
}
