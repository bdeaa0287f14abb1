package lua

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// gopher-lua 1.1.2 keeps to itself how much room a table holds and what its
// registry contains, which a memory limit can't do without. The types below
// have the layout of its own; TestLayout compares them, field by field.

// tableLayout is lua.LTable. Entries never leave keys and k2i, so that their
// length bounds that of the maps, which don't shrink either.
type tableLayout struct {
	Metatable lua.LValue

	array   []lua.LValue
	dict    map[lua.LValue]lua.LValue
	strdict map[string]lua.LValue
	keys    []lua.LValue
	k2i     map[lua.LValue]int
}

// upvalueLayout is lua.Upvalue. The open ones of a state are a list, in the
// order of their registers.
type upvalueLayout struct {
	next   *upvalueLayout
	reg    *registryLayout
	index  int
	value  lua.LValue
	closed bool
}

// registryLayout is the head of lua.registry: the stack of values.
type registryLayout struct {
	array []lua.LValue
	top   int
}

func layoutOf(t *lua.LTable) *tableLayout { return (*tableLayout)(unsafe.Pointer(t)) }

// maxEmptied is the room for keys in a table that emptied keeps for the next run.
const maxEmptied = 64

// emptied takes everything out of a table that nothing refers to any more, so
// that its room can be used again. It tells whether that is worth it.
func emptied(t *lua.LTable) bool {
	room := layoutOf(t)
	if cap(room.keys) > maxEmptied || cap(room.array) > 0 || room.dict != nil {
		return false
	}
	clear(room.strdict)
	clear(room.k2i)
	clear(room.keys[:cap(room.keys)])
	room.keys = room.keys[:0]
	room.Metatable = lua.LNil
	return true
}

// addressOf returns where the content of a value is.
func addressOf(v lua.LValue) uintptr {
	return uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1])
}

// internals are the private parts of a lua.LState.
type internals struct {
	registry *registryLayout
	// upvalues is the list of open upvalues.
	upvalues **upvalueLayout
	// keepUpvalues tells raiseError to leave upvalues open (hasErrorFunc).
	keepUpvalues *bool
}

func internalsOf(L *lua.LState) internals {
	v := reflect.ValueOf(L).Elem()
	return internals{
		registry:     (*registryLayout)(v.FieldByName("reg").UnsafePointer()),
		upvalues:     (**upvalueLayout)(v.FieldByName("uvcache").Addr().UnsafePointer()),
		keepUpvalues: (*bool)(v.FieldByName("hasErrorFunc").Addr().UnsafePointer()),
	}
}

// values returns what the registry holds.
func (in internals) values() []lua.LValue { return in.registry.array[:in.registry.top] }

// closeUpvalues closes the upvalues of the registers above base. gopher-lua
// itself closes those of every function when an error is raised, also of the
// ones that go on behind a pcall, whose variables then fall apart.
func (in internals) closeUpvalues(base int) {
	var prev *upvalueLayout
	for uv := *in.upvalues; uv != nil; uv = uv.next {
		if uv.index > base {
			if prev != nil {
				prev.next = nil
			} else {
				*in.upvalues = nil
			}
			(*lua.Upvalue)(unsafe.Pointer(uv)).Close()
		}
		prev = uv
	}
}
