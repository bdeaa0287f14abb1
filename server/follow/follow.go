// Package follow runs the scripts for which nobody waits, after the fact, and carries out
// what they ask for:
//
//   - stored: a client put, copied, moved or flagged messages (Stored, told by imapd);
//   - sent, deferred, bounced: what became of mail at a remote recipient (Told, by spool),
//     for the scripts of the account that sent it or sent it on;
//   - calendar: an invitation came, by mail or from somebody here, or a client put it into a
//     calendar (Invited, by scheduling);
//   - tick: once an hour for each mailbox, at a minute of its own.
//
// It also does what the scripts of the stage deliver leave for later, learning; it hands
// invitations that were delivered and kept on to package scheduling (Delivered), before the
// mail is acknowledged; and it brings snoozed messages back (package schedule).
//
// Who tells of something never waits: it is put into a queue, or dropped when that is full,
// with a line in the log a minute. A queue takes from one mailbox after the other, so that
// one with much to do does not hold up others, and works on one message of a mailbox at a
// time. When no script handles a stage nothing is queued. What waits when the server stops
// is dropped too: nothing here is owed to a peer. Snoozes and what was answered are
// durable; ticks go by the clock.
//
// What scripts do here is no event for scripts: there are no loops.
//
// Locks: each queue has one, and the times of snoozed messages one; neither is held over
// anything that may wait. All goroutines belong to Run.
package follow

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/schedule"
	"facteur/server/scheduling"
	"facteur/server/trace"
)

// The bounds of the queues.
const (
	maxStored = 10_000 // messages that wait for scripts of stored
	maxLater  = 1_000  // deliveries with something left to do
	maxFates  = 1_000  // those of one attempt share an open file
	perBox    = 2      // of a queue, the part that one mailbox may fill: a half
)

// Options are the parts that a Follower works with, for its whole life.
type Options struct {
	Store   *mailbox.Store
	Log     *slog.Logger
	Trace   *trace.Log       // nil: nothing is noted
	Now     func() time.Time // nil: time.Now
	Replies *schedule.Memory // of what is sent on once
	// Deliver notifies, sends on, and shows scripts their mailbox. It may be set later, before
	// anything is told (Use).
	Deliver *deliver.Deliverer
	// Scheduling works invitations into calendars. It may be set later, too (UseScheduling).
	Scheduling *scheduling.Scheduler
}

// Settings are what a reload changes.
type Settings struct {
	Hostname  string
	Directory *directory.Directory
	// Hooks returns the scripts of a mailbox, in order.
	Hooks    func(box address.Address) []hook.Hook
	Services hook.Services  // of scripts
	Location *time.Location // nil: UTC
	// Learn tells a filter what is "spam" and what is "ham". nil: there is none.
	Learn func(ctx context.Context, box address.Address, verdict string, message envelope.Body) error
}

// box tells whether a mailbox exists.
func (s *Settings) box(a address.Address) bool {
	_, ok := s.Directory.Box(a)
	return ok
}

// handles tells whether a script of a mailbox handles a stage.
func (s *Settings) handles(box address.Address, stage hook.Stage) bool {
	return slices.ContainsFunc(s.Hooks(box), func(h hook.Hook) bool { return h.Program.Handles(stage) })
}

// Follower runs scripts after the fact. It may be used by several at once.
type Follower struct {
	opts Options
	live atomic.Pointer[Settings]

	stored, later, fates *queue
	snoozes              snoozes
	applied              chan struct{} // the ticks are to look at the settings
	learner              daily
}

// New returns a Follower with its first settings. Nothing happens until Run.
func New(opts Options, first Settings) *Follower {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	f := &Follower{opts: opts, applied: make(chan struct{}, 1)}
	for _, q := range []struct {
		to   **queue
		name string
		room int
	}{{&f.stored, "stored", maxStored}, {&f.later, "delivered", maxLater}, {&f.fates, "sent", maxFates}} {
		*q.to = newQueue(q.name, q.room, opts.Log, opts.Now)
	}
	f.snoozes.init()
	f.Apply(first)
	return f
}

// UseScheduling gives the Scheduler, which may itself be made with functions of the Follower.
// Without one, invitations stay mail.
func (f *Follower) UseScheduling(s *scheduling.Scheduler) { f.opts.Scheduling = s }

// Use gives the Deliverer, which may itself be made with functions of the Follower.
func (f *Follower) Use(d *deliver.Deliverer) { f.opts.Deliver = d }

// Apply changes the settings from the next run of a script on.
func (f *Follower) Apply(s Settings) {
	if s.Location == nil {
		s.Location = time.UTC
	}
	f.live.Store(&s)
	select {
	case f.applied <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It returns when all has ended.
func (f *Follower) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, q := range []*queue{f.stored, f.later, f.fates} {
		wg.Go(func() { q.work(ctx) })
	}
	wg.Go(func() { f.later.work(ctx) }) // a second one: who learns may be slow
	wg.Go(func() { f.runTicks(ctx) })
	wg.Go(func() { f.runSnoozes(ctx) })
	wg.Wait()
	for _, q := range []*queue{f.stored, f.later, f.fates} {
		q.close()
	}
}

// run runs the scripts of a mailbox at a stage. Its result is to be ended by finish.
func (f *Follower) run(ctx context.Context, live *Settings, box address.Address, call hook.Call, log *slog.Logger) (hook.Result, error) {
	if call.Stage.HasBox() {
		var err error
		if call.Box, err = f.opts.Deliver.Box(ctx, box); err != nil {
			return hook.Result{}, err
		}
	}
	call.Now, call.Location, call.Services = f.opts.Now(), live.Location, live.Services
	res := hook.Run(ctx, live.Hooks(box), call)
	res.Log(log)
	f.traceScripts(box, call, res)
	return res, nil
}

// finish keeps what the scripts noted, once their actions are carried out.
func (f *Follower) finish(ctx context.Context, res hook.Result, log *slog.Logger) {
	if ctx.Err() != nil {
		res.Cancel()
		return
	}
	if err := res.Commit(ctx); err != nil {
		log.Error("follow.memory", "error", err)
	}
}
