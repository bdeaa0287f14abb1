package lua

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/address"
	"facteur/server/hook"
)

// Bounds of what a run may do with its memory. What the store allows in all is
// its own affair.
const (
	maxKey     = 256
	maxKV      = 64 << 10 // octets of a value, as JSON
	maxKVRun   = 1 << 20  // octets that one run stores
	maxKVCalls = 1000
	maxTTL     = 10 * 366 * 24 * time.Hour
	maxRate    = 31 * 24 * time.Hour
	defaultTTL = 24 * time.Hour // of duplicate
)

// kv returns the memory of the script and the mailbox. Its transaction begins
// with the first call.
func (s *state) kv(what string) hook.State {
	if s.call.Services.KV == nil {
		s.missing(what)
	}
	s.work(toolCost)
	if s.run.kvCalls++; s.run.kvCalls > maxKVCalls {
		s.fail(ErrKV)
	}
	if s.run.state == nil {
		var box address.Address
		if s.call.Box != nil {
			box = s.call.Box.Address()
		}
		s.run.state = s.call.Services.KV.Begin(s.script.name, box, s.call.Now)
	}
	return s.run.state
}

// key returns argument n, a key.
func (s *state) key(n int) string {
	key := s.str(n)
	if key == "" || len(key) > maxKey {
		s.argError(n, "a key has 1 to %d octets; hash.sha256(key) makes a short one", maxKey)
	}
	return string([]byte(key))
}

// ttl returns the option ttl of the table that is argument n; 0 without one.
func (s *state) ttl(n int) (ttl time.Duration) {
	s.options(n, option{"ttl", func(w where, v lua.LValue) { ttl = s.duration(w, v, time.Second, maxTTL) }})
	return ttl
}

// kvGet is kv.get(key).
func kvGet(s *state) int {
	state, key := s.kv("kv"), s.key(1)
	var value string
	var ok bool
	var err error
	s.wait(func() { value, ok, err = state.Get(key) })
	switch {
	case err != nil:
		return s.failed(err)
	case !ok:
		return s.push(lua.LNil)
	}
	// What Incr counts is a number in decimal, which is JSON too.
	if v, err := s.decodeJSON(value); err == nil {
		return s.push(v)
	}
	return s.push(s.data(value))
}

// kvSet is kv.set(key, value[, {ttl=}]). nil deletes.
func kvSet(s *state) int {
	if s.L.Get(2) == lua.LNil {
		return kvDelete(s)
	}
	state, key := s.kv("kv"), s.key(1)
	value, err := s.encodeJSON(s.L.Get(2))
	if err != nil {
		s.argError(2, "%s", err.Error())
	}
	if len(value) > maxKV {
		s.argError(2, "longer than %d octets", maxKV)
	}
	ttl := s.ttl(3)
	if s.run.kvOctets += len(key) + len(value); s.run.kvOctets > maxKVRun {
		s.fail(ErrKV)
	}
	s.wait(func() { err = state.Set(key, value, ttl) })
	return s.done(err)
}

// done returns true, or nil and the text of an error.
func (s *state) done(err error) int {
	if err != nil {
		return s.failed(err)
	}
	return s.push(lua.LTrue)
}

// kvDelete is kv.delete(key).
func kvDelete(s *state) int {
	state, key := s.kv("kv"), s.key(1)
	var err error
	s.wait(func() { err = state.Delete(key) })
	return s.done(err)
}

// kvIncr is kv.incr(key[, by[, {ttl=}]]).
func kvIncr(s *state) int {
	state, key := s.kv("kv"), s.key(1)
	by, ttl := s.optInteger(2, 1), s.ttl(3)
	var n int64
	var err error
	s.wait(func() { n, err = state.Incr(key, int64(by), ttl) })
	if err != nil {
		return s.failed(err)
	}
	return s.push(lua.LNumber(n))
}

// toolRate is rate(key, n, period): whether there were more than n, and how many.
func toolRate(s *state) int {
	state, key := s.kv("rate"), s.key(1)
	most := s.number(2)
	period := s.duration(here(3), s.L.Get(3), time.Second, maxRate)
	var n int64
	var err error
	s.wait(func() { n, err = state.Rate(key, period) })
	if err != nil {
		return s.failed(err)
	}
	return s.push(lua.LBool(float64(n) > most), lua.LNumber(n))
}

// toolDuplicate is duplicate(key[, period]).
func toolDuplicate(s *state) int {
	state, key := s.kv("duplicate"), s.key(1)
	period := defaultTTL
	if v := s.L.Get(2); v != lua.LNil {
		period = s.duration(here(2), v, time.Second, maxTTL)
	}
	var seen bool
	var err error
	s.wait(func() { seen, err = state.Duplicate(key, period) })
	if err != nil {
		return s.failed(err)
	}
	return s.push(lua.LBool(seen))
}
