package lua

import (
	"reflect"
	"testing"

	lua "github.com/yuin/gopher-lua"
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
