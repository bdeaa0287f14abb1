package trial

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

// Memory is a memory of scripts that is gone with the process (hook.KV).
type Memory struct {
	Max int // keys of each kind at one place

	mu     sync.Mutex
	places map[place]*store
}

// place is the memory of one script and one mailbox.
type place struct{ script, box string }

// store is what is kept at one place.
type store struct {
	values map[string]value
	noted  map[string]time.Time // until when, by key of Duplicate
	events map[string][]time.Time
}

type value struct {
	text  string
	until time.Time // zero: no end
}

// maxKeys is the first Memory.Max.
const maxKeys = 10_000

var errFull = errors.New("the memory of the script is full")

// NewMemory returns an empty memory.
func NewMemory() *Memory { return &Memory{Max: maxKeys, places: make(map[place]*store)} }

// Begin is that of hook.KV.
func (m *Memory) Begin(script string, box address.Address, now time.Time) hook.State {
	return &state{
		memory: m, at: place{script, box.String()}, now: now,
		values: make(map[string]*value), noted: make(map[string]time.Time),
	}
}

// store returns what is at a place. The caller holds the lock.
func (m *Memory) store(at place) *store {
	s := m.places[at]
	if s == nil {
		s = &store{values: make(map[string]value), noted: make(map[string]time.Time), events: make(map[string][]time.Time)}
		m.places[at] = s
	}
	return s
}

// state is one transaction.
type state struct {
	memory *Memory
	at     place
	now    time.Time
	values map[string]*value // changed; nil: deleted
	noted  map[string]time.Time
	ended  bool
}

func (v value) over(now time.Time) bool { return !v.until.IsZero() && !now.Before(v.until) }

func (s *state) until(ttl time.Duration) time.Time {
	if ttl <= 0 {
		return time.Time{}
	}
	return s.now.Add(ttl)
}

func (s *state) Get(key string) (string, bool, error) {
	if v, changed := s.values[key]; changed {
		if v == nil {
			return "", false, nil
		}
		return v.text, true, nil
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	v, ok := s.memory.store(s.at).values[key]
	if !ok || v.over(s.now) {
		return "", false, nil
	}
	return v.text, true, nil
}

func (s *state) Set(key, text string, ttl time.Duration) error {
	if len(s.values) >= s.memory.Max {
		return errFull
	}
	s.values[key] = &value{text, s.until(ttl)}
	return nil
}

func (s *state) Delete(key string) error {
	if len(s.values) >= s.memory.Max {
		return errFull
	}
	s.values[key] = nil
	return nil
}

// Incr counts at once, but for what this run has set itself.
func (s *state) Incr(key string, by int64, ttl time.Duration) (int64, error) {
	if v, changed := s.values[key]; changed {
		if v == nil {
			v = &value{"0", s.until(ttl)}
		}
		n, err := s.add(*v, by)
		if err == nil {
			s.values[key] = &value{strconv.FormatInt(n, 10), v.until}
		}
		return n, err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	st := s.memory.store(s.at)
	v, ok := st.values[key]
	if !ok && len(st.values) >= s.memory.Max {
		return 0, errFull
	}
	if !ok || v.over(s.now) {
		v = value{"0", s.until(ttl)}
	}
	n, err := s.add(v, by)
	if err == nil {
		st.values[key] = value{strconv.FormatInt(n, 10), v.until}
	}
	return n, err
}

func (s *state) add(v value, by int64) (int64, error) {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		return 0, errors.New("the value is no whole number")
	}
	return n + by, nil
}

func (s *state) Rate(key string, period time.Duration) (int64, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	st := s.memory.store(s.at)
	key = period.String() + " " + key
	var recent []time.Time
	for _, at := range st.events[key] {
		if s.now.Sub(at) < period {
			recent = append(recent, at)
		}
	}
	if len(recent) >= s.memory.Max || len(st.events) >= s.memory.Max {
		return 0, errFull
	}
	st.events[key] = append(recent, s.now)
	return int64(len(recent)) + 1, nil
}

func (s *state) Duplicate(key string, ttl time.Duration) (bool, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	until, ok := s.memory.store(s.at).noted[key]
	if mine, again := s.noted[key]; again {
		until, ok = mine, true
	}
	if ok && (until.IsZero() || s.now.Before(until)) {
		return true, nil
	}
	if len(s.noted) >= s.memory.Max {
		return false, errFull
	}
	s.noted[key] = s.until(ttl)
	return false, nil
}

func (s *state) Commit(context.Context) error {
	if s.ended {
		return nil
	}
	s.ended = true
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	st := s.memory.store(s.at)
	if len(st.values)+len(s.values) > 2*s.memory.Max || len(st.noted)+len(s.noted) > 2*s.memory.Max {
		return errFull
	}
	for key, v := range s.values {
		if v == nil {
			delete(st.values, key)
		} else {
			st.values[key] = *v
		}
	}
	for key, until := range s.noted {
		st.noted[key] = until
	}
	return nil
}

func (s *state) Cancel() { s.ended = true }
