package lua

import (
	"fmt"
	"time"

	"facteur/server/hook"
)

// Limits bound one run of a script. A zero field stands for its default, and in a
// number of actions or look-ups -1 for none.
type Limits struct {
	Instructions int           // 5 million
	SMTPTime     time.Duration // CPU at the SMTP stages: 250 ms
	DeliverTime  time.Duration // CPU at delivery: 2 s
	WallTime     time.Duration // a whole run, calls of ours included: 10 s
	Memory       int64         // octets held at once: 32 MB, at least 8 MB
	Actions      int           // 32
	Redirects    int           // 4
	Vacations    int           // 1
	Replies      int           // 1
	Notices      int           // 10
	Lookups      int           // in the DNS: 20
	Source       int           // octets of a script: 256 kB
	Hourly       time.Duration // CPU of a script in an hour, before it is suspended: 30 s
}

const minMemory = 8_000_000

func (l Limits) withDefaults() Limits {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
		*n = max(*n, 0)
	}
	defTime := func(t *time.Duration, d time.Duration) {
		if *t <= 0 {
			*t = d
		}
	}
	def(&l.Instructions, 5_000_000)
	def(&l.Actions, 32)
	def(&l.Redirects, 4)
	def(&l.Vacations, 1)
	def(&l.Replies, 1)
	def(&l.Notices, 10)
	def(&l.Lookups, 20)
	def(&l.Source, 256_000)
	defTime(&l.SMTPTime, 250*time.Millisecond)
	defTime(&l.DeliverTime, 2*time.Second)
	defTime(&l.WallTime, 10*time.Second)
	defTime(&l.Hourly, 30*time.Second)
	if l.Memory <= 0 {
		l.Memory = 32_000_000
	}
	l.Memory = max(l.Memory, minMemory)
	return l
}

// cpu returns the CPU time of one run at a stage.
func (l Limits) cpu(stage hook.Stage) time.Duration {
	if stage.Live() {
		return l.SMTPTime
	}
	return l.DeliverTime
}

// of returns how many actions of a kind one run may ask for, and the limit that
// says so; "" for those that only Actions bounds.
func (l Limits) of(k hook.Kind) (int, Limit) {
	switch k {
	case hook.Redirect:
		return l.Redirects, ErrRedirects
	case hook.Vacation:
		return l.Vacations, ErrVacations
	case hook.Reply:
		return l.Replies, ErrReplies
	case hook.Notify:
		return l.Notices, ErrNotices
	}
	return 0, ""
}

// Limit is a limit that ended a run. A script can't catch it. The error of the
// run wraps it, so that errors.Is finds it.
type Limit string

// The limits.
const (
	ErrInstructions Limit = "instructions"
	ErrTime         Limit = "time"
	ErrMemory       Limit = "memory"
	ErrActions      Limit = "actions"
	ErrRedirects    Limit = "redirects"
	ErrVacations    Limit = "vacations"
	ErrReplies      Limit = "replies"
	ErrNotices      Limit = "notifications"
	ErrLookups      Limit = "lookups"
	ErrKV           Limit = "kv"
	ErrSuspended    Limit = "suspended" // over Limits.Hourly
	ErrCancelled    Limit = "cancelled" // the caller's context ended
)

func (l Limit) Error() string { return string(l) }

// explain says for people what a limit was.
func (l Limits) explain(limit Limit, stage hook.Stage) string {
	switch limit {
	case ErrInstructions:
		return fmt.Sprintf("it ran more than %d instructions", l.Instructions)
	case ErrTime:
		return fmt.Sprintf("it took more than %v of CPU, or %v in all", l.cpu(stage), l.WallTime)
	case ErrMemory:
		return fmt.Sprintf("it used more than %d MB of memory, or made a string longer than %d MB", l.Memory/1_000_000, maxString>>20)
	case ErrActions:
		return fmt.Sprintf("it asked for more than %d actions", l.Actions)
	case ErrRedirects:
		return fmt.Sprintf("it asked for more than %d redirects", l.Redirects)
	case ErrVacations:
		return fmt.Sprintf("it asked for more than %d vacations", l.Vacations)
	case ErrReplies:
		return fmt.Sprintf("it asked for more than %d replies", l.Replies)
	case ErrNotices:
		return fmt.Sprintf("it asked for more than %d notifications", l.Notices)
	case ErrLookups:
		return fmt.Sprintf("it asked for more than %d DNS look-ups", l.Lookups)
	case ErrKV:
		return fmt.Sprintf("it used its memory more than %d times, or stored more than %d MB", maxKVCalls, maxKVRun>>20)
	case ErrSuspended:
		return fmt.Sprintf("it is suspended: it used more than %v of CPU within an hour", l.Hourly)
	case ErrCancelled:
		return "it was cancelled"
	}
	return string(limit)
}

// Error is why a script does not compile, or why a run failed.
type Error struct {
	Script string
	Line   int // 0: unknown
	Text   string
	Cause  error // a Limit, or nil
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.Script, e.Line, e.Text)
	}
	return fmt.Sprintf("%s: %s", e.Script, e.Text)
}

// Unwrap returns the Limit that ended the run, or nil.
func (e *Error) Unwrap() error { return e.Cause }
