package lua

import (
	"math"
	"slices"
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// luaConcat is the operator "..".
func luaConcat(s *state) int {
	var parts [maxConcat]string
	n, size := s.L.GetTop(), 0
	for i := range n {
		switch v := s.L.Get(i + 1).(type) {
		case lua.LString:
			parts[i] = string(v)
		case lua.LNumber:
			parts[i] = formatNumber(float64(v))
		default:
			s.L.RaiseError("attempt to concatenate a %s value", typeName(v))
		}
		size += len(parts[i])
	}
	s.build(size)
	return s.push(lua.LString(strings.Join(parts[:n], "")))
}

// build is called before a string of that size is made.
func (s *state) build(size int) {
	if size > maxString {
		s.fail(ErrMemory)
	}
	s.need(size + stringSize)
	if size > 1<<10 {
		s.work(size >> 8)
	}
}

// luaStore is the assignment t[k] = v.
func luaStore(s *state) int {
	t, ok := s.L.Get(1).(*lua.LTable)
	if !ok {
		v := s.L.Get(1)
		if u, isObject := v.(*lua.LUserData); isObject {
			s.L.RaiseError("%s is read only", tostring(u))
		}
		s.L.RaiseError("attempt to index a %s value", typeName(v))
	}
	if t.Metatable != lua.LNil {
		s.L.RaiseError("the table is read only")
	}
	s.store(t, s.L.Get(2), s.L.Get(3))
	return 0
}

// store stores into a table, having charged for its growth.
func (s *state) store(t *lua.LTable, key, value lua.LValue) {
	room := layoutOf(t)
	switch k := key.(type) {
	case *lua.LNilType:
		s.L.RaiseError("table index is nil")
	case lua.LNumber:
		if math.IsNaN(float64(k)) {
			s.L.RaiseError("table index is NaN")
		}
		if i := int(k); float64(i) == float64(k) && i >= 1 && i < arrayLimit {
			s.storeAt(t, i, value)
			return
		}
		s.growHash(room, room.dict[k] == nil)
	case lua.LString:
		s.growHash(room, room.strdict[string(k)] == nil)
	default:
		s.growHash(room, room.dict[k] == nil)
	}
	t.RawSet(key, value)
}

// storeAt stores into the array of a table.
func (s *state) storeAt(t *lua.LTable, i int, value lua.LValue) {
	room := layoutOf(t)
	if i > len(room.array) && value == lua.LNil {
		return // else the array would be filled up to there
	}
	if i > cap(room.array) {
		s.growArray(room, i)
	}
	if i == arrayLimit-1 {
		s.fail(ErrMemory) // the next one would land in the hash part, unseen by #
	}
	t.RawSetInt(i, value)
}

// growArray charges for an array that gets room for i values, while the old
// one is still there.
func (s *state) growArray(room *tableLayout, i int) {
	if i > len(room.array)+1 {
		s.work((i - len(room.array)) / 64)
		s.need(2 * slotSize * i) // it grows step by step, up to the hole
		return
	}
	s.need(slotSize * (i + i/4 + 256))
}

// growHash charges for a new key. The maps grow by steps, the list of keys at
// once.
func (s *state) growHash(room *tableLayout, isNew bool) {
	if !isNew {
		return
	}
	if room.strdict == nil && room.dict == nil {
		s.need(dictSize)
	}
	s.need(keySize)
	if n := len(room.keys); n == cap(room.keys) && n > 256 {
		s.need(slotSize * (n + n/4))
	}
	if room.dict == nil {
		s.need(40 * len(room.strdict)) // gopher-lua makes dict as large as strdict
	}
}

// luaKey is a computed key in a table constructor.
func luaKey(s *state) int {
	if k, ok := s.L.Get(1).(lua.LNumber); ok && k > maxNativeKey && k < arrayLimit {
		s.work(int(k) / 64)
		s.need(2 * slotSize * int(k))
	}
	s.need(keySize)
	return 1
}

// luaOpen is the open end of a table constructor.
func luaOpen(s *state) int {
	n := s.L.GetTop()
	s.work(n / 8)
	s.need(2 * slotSize * n)
	return n
}

func tableConcat(s *state) int {
	t := s.table(1)
	sep := ""
	if s.L.Get(2) != lua.LNil {
		sep = s.str(2)
	}
	from, to := s.optInteger(3, 1), s.optInteger(4, t.Len())
	size := 0
	for i := from; i <= to; i++ {
		s.work(1)
		switch v := t.RawGetInt(i).(type) {
		case lua.LString:
			size += len(v)
		case lua.LNumber:
			size += 24
		default:
			s.L.RaiseError("table.concat: item %d is a %s, not a string", i, typeName(v))
		}
		if size += len(sep); size > maxString+len(sep)+24 {
			s.fail(ErrMemory)
		}
	}
	s.build(min(size, maxString))
	var b strings.Builder
	b.Grow(min(size, maxString))
	for i := from; i <= to; i++ {
		b.WriteString(tostring(t.RawGetInt(i)))
		if i < to {
			b.WriteString(sep)
		}
	}
	if b.Len() > maxString {
		s.fail(ErrMemory)
	}
	return s.push(lua.LString(b.String()))
}

func tableInsert(s *state) int {
	t := s.writable(1)
	n := t.Len()
	switch s.L.GetTop() {
	case 2:
		s.store(t, lua.LNumber(n+1), s.L.Get(2))
	case 3:
		pos := s.integer(2)
		if pos < 1 || pos > n+1 {
			s.argError(2, "position out of bounds")
		}
		s.work((n - pos) / 16)
		if pos <= n {
			s.store(t, lua.LNumber(n+1), t.RawGetInt(n))
			array := layoutOf(t).array
			copy(array[pos:n], array[pos-1:n-1])
		}
		s.store(t, lua.LNumber(pos), s.L.Get(3))
	default:
		s.L.RaiseError("wrong number of arguments to table.insert")
	}
	return 0
}

func tableRemove(s *state) int {
	t := s.writable(1)
	n := t.Len()
	pos := s.optInteger(2, n)
	if n == 0 || pos < 1 || pos > n {
		return 0
	}
	s.work((n - pos) / 16)
	return s.push(t.Remove(pos))
}

// sorter sorts values by a function of the script, or by "<". A function that
// lies makes a wrong order, no more.
type sorter struct {
	s      *state
	less   lua.LValue
	values []lua.LValue
}

func (o *sorter) Len() int      { return len(o.values) }
func (o *sorter) Swap(i, j int) { o.values[i], o.values[j] = o.values[j], o.values[i] }
func (o *sorter) Less(i, j int) bool {
	o.s.work(1)
	if o.less == lua.LNil {
		return o.s.L.LessThan(o.values[i], o.values[j])
	}
	o.s.push(o.less, o.values[i], o.values[j])
	o.s.L.Call(2, 1)
	less := lua.LVAsBool(o.s.L.Get(-1))
	o.s.L.Pop(1)
	return less
}

func tableSort(s *state) int {
	t := s.writable(1)
	less := s.L.Get(2)
	if less != lua.LNil && less.Type() != lua.LTFunction {
		s.typeError(2, "function")
	}
	n := t.Len()
	s.need(slotSize * n)
	values := slices.Clone(layoutOf(t).array[:n])
	sort.Sort(&sorter{s, less, values})
	for i, v := range values {
		if i < len(layoutOf(t).array) {
			t.RawSetInt(i+1, v)
		}
	}
	return 0
}
