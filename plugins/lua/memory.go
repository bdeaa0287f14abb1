package lua

import (
	"runtime/metrics"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// maxString is the longest string that a script may make, in octets. It bounds
// what any one instruction can do: compare, hash, or put into an error message.
const maxString = 1 << 20

// memory bounds what a state holds. It keeps an upper bound, held, made of
// what the last walk found, what our functions allocated since, and what the
// whole process allocated since as the runtime counts it; once that could be
// over the budget, the state is walked for what it holds in truth.
type memory struct {
	budget  int64 // of held
	live    int64 // found by the last walk
	sampled int64 // allocated by the process from the walk to the last sample
	charged int64 // allocated by our functions since that sample
	mark    int64 // the process's count at the walk, 0 before the first sample

	counter [1]metrics.Sample
}

const (
	// slack is for what the VM allocates between two samples (at most 1.1 kB an
	// instruction: a closure over 60 variables), and for what the runtime counts late.
	slack = 4 << 20
	// room is what a state may at least allocate between two walks.
	room = 2 << 20
)

func (m *memory) init() { m.counter[0].Name = "/gc/heap/allocs:bytes" }

func (m *memory) start(budget int64) {
	m.budget = budget
	m.live, m.sampled, m.charged, m.mark = 0, 0, 0, 0
}

func (m *memory) count() int64 {
	metrics.Read(m.counter[:])
	return int64(m.counter[0].Value.Uint64())
}

func (m *memory) held() int64 { return m.live + m.sampled + m.charged }

// resample replaces what was charged by what was counted.
func (m *memory) resample() {
	now := m.count()
	if m.mark == 0 {
		m.mark = now - m.charged
	}
	m.sampled = max(now-m.mark, m.sampled)
	m.charged = 0
}

// walked notes what a walk found.
func (m *memory) walked(live int64) {
	m.mark = m.count()
	m.live, m.sampled, m.charged = live, 0, 0
}

// full tells whether the last walk left too little room to go on.
func (m *memory) full() bool { return m.live > m.budget-room }

// need is called before n octets are allocated on behalf of the script. It
// does not return when they are too many.
func (s *state) need(n int) {
	s.mem.charged += int64(n)
	if s.mem.held() <= s.mem.budget {
		return
	}
	s.mem.charged -= int64(n)
	s.mem.resample()
	if s.mem.held()+int64(n) > s.mem.budget {
		s.mem.walked(s.walk())
		if s.mem.live+int64(n) > s.mem.budget || s.mem.full() {
			s.enlarge()
		}
		if s.mem.live+int64(n) > s.mem.budget || s.mem.full() {
			s.fail(ErrMemory)
		}
	}
	s.mem.charged += int64(n)
}

// sampleMemory looks at the memory between instructions.
func (s *state) sampleMemory() {
	s.mem.resample()
	if s.mem.held() <= s.mem.budget {
		return
	}
	s.mem.walked(s.walk())
	if s.mem.full() {
		s.enlarge()
	}
	if s.mem.full() {
		s.reach(ErrMemory)
	}
}

// text returns str as a value, charged.
func (s *state) text(str string) lua.LValue {
	s.need(len(str) + stringSize)
	return lua.LString(str)
}

// Sizes in octets, rounded up, the walker's own notes included.
const (
	tableSize    = 160
	slotSize     = 16  // of an array
	keySize      = 200 // in keys, k2i and one of the maps
	dictSize     = 3 << 10
	stringSize   = 32
	functionSize = 96
	upvalueSize  = 72
	blockSize    = 256 // of 32 numbers, which stay in memory together
)

// walker adds up what is reachable. Each table, function and upvalue, and each
// longer string, counts once. It stops when there is too much.
type walker struct {
	total int64
	stop  int64
	seen  map[uintptr]struct{}
	todo  []lua.LValue
	block uintptr // of the last number
}

// walk returns how much the state holds.
func (s *state) walk() int64 {
	w := &walker{stop: s.limits.Memory - slack, seen: make(map[uintptr]struct{})}
	w.total = int64(cap(s.in.registry.array)) * slotSize
	for _, v := range s.in.values() {
		w.visit(v)
	}
	w.visit(s.env)
	for len(w.todo) > 0 && w.total <= w.stop {
		last := len(w.todo) - 1
		v := w.todo[last]
		w.todo = w.todo[:last]
		switch v := v.(type) {
		case *lua.LTable:
			w.table(layoutOf(v))
		case *lua.LFunction:
			w.function(v)
		}
	}
	return w.total
}

func (w *walker) visit(v lua.LValue) {
	switch x := v.(type) {
	case lua.LNumber:
		// One number that is kept keeps its block.
		if b := addressOf(v) &^ (blockSize - 1); b != w.block && w.first(b) {
			w.total += blockSize
			w.block = b
		}
	case lua.LString:
		w.total += stringSize
		if len(x) <= 64 || w.first(uintptr(unsafe.Pointer(unsafe.StringData(string(x))))) {
			w.total += int64(len(x))
		}
	case *lua.LTable, *lua.LFunction:
		if w.first(addressOf(v)) {
			w.todo = append(w.todo, v)
		}
	}
}

func (w *walker) first(p uintptr) bool {
	if _, ok := w.seen[p]; ok {
		return false
	}
	w.seen[p] = struct{}{}
	return true
}

func (w *walker) table(t *tableLayout) {
	w.total += tableSize + int64(cap(t.array))*slotSize + int64(len(t.keys))*keySize
	if t.strdict != nil || t.dict != nil {
		w.total += dictSize
	}
	for _, v := range t.array {
		w.visit(v)
	}
	for _, k := range t.keys {
		w.visit(k)
		if s, ok := k.(lua.LString); ok {
			if v, ok := t.strdict[string(s)]; ok {
				w.visit(v)
			}
		} else if v, ok := t.dict[k]; ok {
			w.visit(v)
		}
		if w.total > w.stop {
			return
		}
	}
}

func (w *walker) function(f *lua.LFunction) {
	w.total += functionSize + int64(len(f.Upvalues))*8
	for _, uv := range f.Upvalues {
		if uv != nil && w.first(uintptr(unsafe.Pointer(uv))) {
			w.total += upvalueSize
			w.visit(uv.Value())
		}
	}
}
