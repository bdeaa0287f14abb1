package lua

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Bounds of a value that goes from Lua to Go.
const (
	maxValueDepth = 16
	maxValues     = 10_000
	maxOctets     = 4 << 20 // of its texts
)

// goReader makes Go values of Lua's.
type goReader struct {
	s      *state
	count  int
	octets int
}

// goValue returns a value as nil, bool, float64, string, []any or
// map[string]any.
func (s *state) goValue(v lua.LValue) (any, error) {
	r := &goReader{s: s}
	return r.value(v, 0)
}

func (r *goReader) value(v lua.LValue, depth int) (any, error) {
	if r.count++; r.count > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		return float64(v), nil
	case lua.LString:
		if r.octets += len(v); r.octets > maxOctets {
			return nil, fmt.Errorf("more than %d MB", maxOctets>>20)
		}
		r.s.need(len(v) + stringSize)
		r.s.work(len(v) / 64)
		return strings.Clone(string(v)), nil
	case *lua.LTable:
		return r.table(v, depth+1)
	}
	return nil, fmt.Errorf("a %s can't be passed on", typeName(v))
}

func (r *goReader) table(t *lua.LTable, depth int) (any, error) {
	if t.Metatable != lua.LNil {
		return nil, errors.New("a table of functions can't be passed on")
	}
	if depth > maxValueDepth {
		return nil, fmt.Errorf("tables are nested deeper than %d", maxValueDepth)
	}
	r.s.need(tableSize + dictSize)
	n, isArray := arrayLen(t)
	if isArray && n > 0 {
		list := make([]any, 0, min(n, maxValues))
		for _, v := range layoutOf(t).array[:n] {
			item, err := r.value(v, depth)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	}
	m := make(map[string]any)
	err := r.s.entries(t, func(key, v lua.LValue) error {
		name, ok := keyText(key)
		if !ok {
			return fmt.Errorf("a key is a %s", typeName(key))
		}
		item, err := r.value(v, depth)
		if err == nil {
			r.s.need(keySize + len(name))
			m[strings.Clone(name)] = item
		}
		return err
	})
	return m, err
}

// keyText is the text of a key that is a string or a number.
func keyText(key lua.LValue) (string, bool) {
	switch k := key.(type) {
	case lua.LString:
		return string(k), true
	case lua.LNumber:
		return formatNumber(float64(k)), true
	}
	return "", false
}

// arrayLen returns how many items are in the array part of a table without a gap,
// and whether there is nothing else in the table.
func arrayLen(t *lua.LTable) (int, bool) {
	room := layoutOf(t)
	n := 0
	for n < len(room.array) && room.array[n] != lua.LNil && room.array[n] != nil {
		n++
	}
	for _, v := range room.array[n:] {
		if v != lua.LNil && v != nil {
			return n, false
		}
	}
	for _, k := range room.keys {
		if t.RawGet(k) != lua.LNil {
			return n, false
		}
	}
	return n, true
}

// entries calls f for each key and value of a table, arrays first, in the order in
// which they were added.
func (s *state) entries(t *lua.LTable, f func(key, value lua.LValue) error) error {
	room := layoutOf(t)
	s.work((len(room.array) + len(room.keys)) / 16)
	for i, v := range room.array {
		if v != nil && v != lua.LNil {
			if err := f(lua.LNumber(i+1), v); err != nil {
				return err
			}
		}
	}
	for _, k := range room.keys {
		if v := t.RawGet(k); v != lua.LNil {
			if err := f(k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// newVisible returns a new table, which is on the stack until it is part of
// another: walk would not see it otherwise, nor what is in it. Whoever puts
// something into it restores the stack to top.
func (s *state) newVisible() (t *lua.LTable, top int) {
	s.need(tableSize)
	t = s.L.CreateTable(0, 0)
	s.L.Push(t)
	return t, s.L.GetTop()
}

// luaValue makes a Lua value of one in Go, and charges for it. The stack holds
// more afterwards.
func (s *state) luaValue(v any) lua.LValue {
	switch v := v.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(v)
	case int:
		return lua.LNumber(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return s.data(v)
	case []string:
		return s.list(v)
	case []any:
		s.work(len(v) / 16)
		t, top := s.newVisible()
		for i, item := range v {
			s.storeAt(t, i+1, s.luaValue(item))
			s.L.SetTop(top)
		}
		return t
	case map[string]any:
		t, top := s.newVisible()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.store(t, s.data(key), s.luaValue(v[key]))
			s.L.SetTop(top)
		}
		return t
	}
	panic(fmt.Sprintf("a module returned a %T", v))
}
