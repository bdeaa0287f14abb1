package lua

import (
	"context"
	"sync/atomic"
	"time"
)

// lookEvery is the number of instructions between two looks at the memory.
const lookEvery = 1024

// meter is the context of a state. gopher-lua calls Done before each
// instruction: so it counts them.
type meter struct {
	context.Context // of the run

	left   int // instructions until look
	rest   int // instructions after these
	unseen int // instructions given since the memory was looked at

	started time.Time
	outside time.Duration // spent in calls of ours that serve data
	queued  time.Duration // of these, until other scripts were done
	cpu     time.Duration
	wall    time.Duration
	timer   *time.Timer
	fired   atomic.Bool // by timer: look at the clock

	limit Limit // reached; every further instruction fails

	trace  func() // before each instruction, when the run is verbose
	sample func() // every lookEvery instructions
}

// always is a channel that is closed.
var always = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (m *meter) init() {
	m.timer = time.AfterFunc(time.Hour, func() { m.fired.Store(true) })
	m.timer.Stop()
}

// start begins a run.
func (m *meter) start(ctx context.Context, instructions int, cpu, wall time.Duration, trace func()) {
	m.Context = ctx
	m.left, m.rest, m.unseen = 0, instructions, 0
	m.outside, m.queued, m.cpu, m.wall = 0, 0, cpu, wall
	m.limit = ""
	m.trace = trace
	m.fired.Store(false)
	m.started = time.Now()
	m.timer.Reset(min(cpu, wall))
}

// stop ends a run; it returns the CPU time.
func (m *meter) stop() time.Duration {
	m.timer.Stop()
	m.Context = nil
	return time.Since(m.started) - m.outside
}

// Done is called by the VM before each instruction.
func (m *meter) Done() <-chan struct{} {
	if m.left > 0 && !m.fired.Load() {
		m.left--
		return nil
	}
	return m.look()
}

// Err is what the VM raises when Done says so.
func (m *meter) Err() error { return m.limit }

func (m *meter) look() <-chan struct{} {
	if m.trace != nil {
		m.trace()
	}
	m.clock()
	m.take(1)
	if m.limit != "" {
		return always
	}
	return nil
}

// take counts n instructions.
func (m *meter) take(n int) {
	if m.left -= n; m.left >= 0 {
		return
	}
	need := -m.left
	m.left = 0
	if need > m.rest {
		m.reach(ErrInstructions)
		return
	}
	if m.unseen += need; m.unseen >= lookEvery {
		m.unseen = 0
		if m.Context.Err() != nil {
			m.reach(ErrCancelled)
		}
		m.sample()
	}
	if m.trace == nil {
		m.left = min(lookEvery, m.rest-need)
	}
	m.unseen += m.left
	m.rest -= need + m.left
}

// clock looks at the time when the timer asked for it.
func (m *meter) clock() {
	if !m.fired.Load() {
		return
	}
	m.fired.Store(false)
	elapsed := time.Since(m.started)
	left := min(m.cpu-(elapsed-m.outside), m.wall-(elapsed-m.queued))
	if left <= 0 {
		m.reach(ErrTime)
		return
	}
	m.timer.Reset(left)
}

func (m *meter) reach(l Limit) {
	if m.limit == "" {
		m.limit = l
	}
}

// spend counts work of our functions as instructions. It tells whether a limit
// is reached.
func (m *meter) spend(n int) bool {
	m.clock()
	m.take(n)
	return m.limit != ""
}

// serve runs a call of ours that serves data: its time is not the script's.
func (m *meter) serve(call func()) {
	began := time.Now()
	defer func() { m.outside += time.Since(began) }()
	call()
}
