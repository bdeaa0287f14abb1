package auth

// maxAccepted is how many accepted logins are remembered.
const maxAccepted = 4096

// memory is a set of marks; when it is full, the oldest is forgotten.
type memory struct {
	known map[mark]bool
	ring  []mark
	next  int
}

func newMemory(size int) *memory {
	return &memory{known: make(map[mark]bool), ring: make([]mark, size)}
}

func (m *memory) has(id mark) bool { return m.known[id] }

func (m *memory) add(id mark) {
	if m.known[id] {
		return
	}
	if len(m.known) == len(m.ring) {
		delete(m.known, m.ring[m.next])
	}
	m.known[id] = true
	m.ring[m.next] = id
	m.next = (m.next + 1) % len(m.ring)
}
