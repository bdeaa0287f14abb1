package lua

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"
)

func mathOne(f func(float64) float64) function {
	return func(s *state) int { return s.push(lua.LNumber(f(s.number(1)))) }
}

func mathTwo(f func(a, b float64) float64) function {
	return func(s *state) int { return s.push(lua.LNumber(f(s.number(1), s.number(2)))) }
}

func mathBest(f func(a, b float64) float64) function {
	return func(s *state) int {
		best := s.number(1)
		for i := 2; i <= s.L.GetTop(); i++ {
			best = f(best, s.number(i))
		}
		return s.push(lua.LNumber(best))
	}
}

func mathModf(s *state) int {
	whole, part := math.Modf(s.number(1))
	return s.push(lua.LNumber(whole), lua.LNumber(part))
}

type random = rand.Rand

// mathRandom draws from a source that begins anew with each run, from its time:
// a dry run at the same time gives the same.
func mathRandom(s *state) int {
	if s.run.random == nil {
		s.run.random = rand.New(rand.NewPCG(uint64(s.call.Now.UnixNano()), 0))
	}
	f := s.run.random.Float64()
	lo, hi := 1.0, 1.0
	switch s.L.GetTop() {
	case 0:
		return s.push(lua.LNumber(f))
	case 1:
		hi = s.number(1)
	default:
		lo, hi = s.number(1), s.number(2)
	}
	lo, hi = math.Floor(lo), math.Floor(hi)
	if !(lo <= hi) {
		s.argError(s.L.GetTop(), "interval is empty")
	}
	return s.push(lua.LNumber(lo + math.Floor(f*(hi-lo+1))))
}
