package follow

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

const (
	// maxNotifications is how many notifications one run leads to.
	maxNotifications = 10
	// learnTimeout bounds a learner.
	learnTimeout = time.Minute
)

// notify sends the notifications that scripts ask for. An occasion is what they are about:
// the same words of another one are another notification.
func (f *Follower) notify(ctx context.Context, box address.Address, actions []hook.Action, about *message.Header, occasion string) {
	said := 0
	for _, a := range actions {
		if a.Kind != hook.Notify || a.Notice == nil || said == maxNotifications {
			continue
		}
		said++
		f.opts.Deliver.Notify(ctx, deliver.Notification{Box: box, Said: *a.Notice, About: about, Occasion: []byte(occasion)})
	}
}

// learn tells the filter what a message is.
func (f *Follower) learn(ctx context.Context, live *Settings, box address.Address, verdict string, body envelope.Body, log *slog.Logger) {
	if live.Learn == nil {
		if f.learner.due(f.opts.Now()) {
			log.Warn("follow.learn", "verdict", verdict, "result", "no plugin learns: it is forgotten, and so is what else is learned today")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	if err := live.Learn(ctx, box, verdict, body); err != nil {
		log.Error("follow.learn", "verdict", verdict, "error", err)
		return
	}
	log.Info("follow.learned", "verdict", verdict)
}

// daily is something that is said once a day.
type daily struct {
	mu   sync.Mutex
	last time.Time
}

// due tells whether it is to be said now.
func (d *daily) due(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.last.IsZero() && now.Sub(d.last) < 24*time.Hour {
		return false
	}
	d.last = now
	return true
}
