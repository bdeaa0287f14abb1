package resident

import "sync"

// Loaded are the parts of homes that are in memory.
type Loaded[T comparable] struct {
	mu    sync.Mutex
	parts map[T]struct{}
}

// Note notes whether a part is in memory.
func (l *Loaded[T]) Note(part T, loaded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !loaded {
		delete(l.parts, part)
		return
	}
	if l.parts == nil {
		l.parts = make(map[T]struct{})
	}
	l.parts[part] = struct{}{}
}

// All returns the parts, in any order.
func (l *Loaded[T]) All() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]T, 0, len(l.parts))
	for part := range l.parts {
		all = append(all, part)
	}
	return all
}
