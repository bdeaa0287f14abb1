package follow

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
)

const (
	// hour is the time between two ticks of a mailbox.
	hour = time.Hour
	// firstTick is how long after the start there is none.
	firstTick = 5 * time.Minute
)

// turn is the moment of the hour at which a mailbox has its tick: always the same one, so
// that a restart neither doubles nor moves it, and mailboxes are spread.
type turn struct {
	box    address.Address
	offset time.Duration
}

// turns returns the mailboxes whose scripts handle tick, in the order of their moments.
func turns(live *Settings) []turn {
	var all []turn
	for _, a := range live.Directory.Boxes() {
		if live.handles(a, hook.Tick) {
			all = append(all, turn{a, offsetOf(a)})
		}
	}
	slices.SortFunc(all, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.box.Key(), b.box.Key()))
	})
	return all
}

func offsetOf(a address.Address) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(a.Key()))
	return time.Duration(h.Sum64() % uint64(hour))
}

// next returns the first moment after a time at which somebody has a turn.
func next(all []turn, after time.Time) time.Time {
	start := after.Truncate(hour)
	for _, t := range all {
		if at := start.Add(t.offset); at.After(after) {
			return at
		}
	}
	return start.Add(hour + all[0].offset)
}

// runTicks runs the scripts of tick, one mailbox after the other, until ctx ends. What was
// not done for an hour, since the machine slept or scripts were slow, is left out.
func (f *Follower) runTicks(ctx context.Context) {
	done := f.opts.Now().Add(firstTick)
	timer := time.NewTimer(0)
	defer timer.Stop()
	live := f.live.Load()
	all := turns(live)
	for {
		if now := f.live.Load(); now != live {
			live, all = now, turns(now)
		}
		wait := hour
		if now := f.opts.Now(); now.Sub(done) > hour {
			if len(all) > 0 {
				f.opts.Log.Warn("follow.ticks_late", "since", done, "result", "what was due since then is left out")
			}
			done = now
		}
		if len(all) > 0 {
			at := next(all, done)
			if wait = at.Sub(f.opts.Now()); wait <= 0 {
				for _, t := range all {
					if at.Truncate(hour).Add(t.offset).Equal(at) {
						f.tick(ctx, live, t.box)
					}
				}
				done = at
				if ctx.Err() != nil {
					return
				}
				continue
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-f.applied:
		case <-ctx.Done():
			return
		}
	}
}

// tick runs the scripts of one mailbox, if it has any mail.
func (f *Follower) tick(ctx context.Context, live *Settings, box address.Address) {
	if !f.opts.Store.Holds(box, "") {
		return
	}
	log := f.opts.Log.With("box", box.String(), "stage", string(hook.Tick))
	res, err := f.run(ctx, live, box, hook.Call{Stage: hook.Tick}, log)
	if err != nil {
		log.Error("follow.tick", "error", err)
		return
	}
	for _, a := range res.Actions {
		if a.Kind == hook.Expire {
			f.expire(box, a, log)
		}
	}
	f.notify(ctx, box, res.Actions, nil, fmt.Sprint("tick ", f.opts.Now().Unix()))
	f.finish(ctx, res, log)
}

// expire moves to the deleted messages what came into a folder long ago: the mechanism of
// [retention] (mailbox.Store.Expire).
func (f *Follower) expire(box address.Address, a hook.Action, log *slog.Logger) {
	if a.For <= 0 {
		log.Warn("follow.expire", "folder", a.Folder, "error", "an age above 0 is needed")
		return
	}
	n, err := f.opts.Store.ExpireFolder(box, a.Folder, a.For)
	if err != nil {
		log.Error("follow.expire", "folder", a.Folder, "error", err)
	}
	if n > 0 {
		log.Info("follow.expired", "folder", a.Folder, "messages", n)
	}
}
