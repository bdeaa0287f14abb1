package collection

import (
	"sync"
	"sync/atomic"
)

const (
	// maxContents bounds the octets of objects that a Store has in memory.
	maxContents = 4 << 20
	// maxContent bounds one of them: what is larger is read.
	maxContent   = 16 << 10
	fixedContent = 256 // what it takes beside its octets
	// forgetAfter is the time after which those are let go that nobody read twice.
	forgetAfter = idleAfter
)

// content is the octets of an object in memory: what was put or read last is what other
// devices of a person ask for next. They hold as long as the file is as it was: asking
// that takes one system call, reading takes four.
type content struct {
	data []byte // never changes; record.ETag is their hash
	at   version
	read atomic.Bool // since it was looked at last
}

// contents bounds what the records of a Store have in memory. The oldest go first, but for
// those that were read meanwhile.
type contents struct {
	mu     sync.Mutex
	queue  []*record // those with a content, oldest first
	octets int
}

func (k *content) octets() int { return len(k.data) + fixedContent }

// keep gives a record its content, of maxContent octets at most.
func (m *contents) keep(r *record, data []byte, at version) {
	k := &content{data: data, at: at}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := r.content.Swap(k); old != nil {
		m.octets -= old.octets()
	} else {
		m.queue = append(m.queue, r)
	}
	m.octets += k.octets()
	for m.octets > maxContents {
		m.next()
	}
}

// forget lets go of all that was not read since it did so last.
func (m *contents) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range len(m.queue) {
		m.next()
	}
}

// next lets go of the oldest content, unless it was read. With mu held.
func (m *contents) next() {
	r := m.queue[0]
	m.queue[0] = nil
	m.queue = m.queue[1:]
	k := r.content.Load()
	if k.read.Swap(false) && r.until.Load() == 0 {
		m.queue = append(m.queue, r)
		return
	}
	r.content.Store(nil)
	m.octets -= k.octets()
}
