// Package scheduling is implicit scheduling (RFC 6638) with the messages of iTIP (RFC 5546),
// to people here and, as mail (RFC 6047), to all others: what is put into a calendar or taken
// out of it invites, answers and cancels; what others send changes the calendar.
//
// Put and Remove are what a client does. For a person here a message is kept in the
// scheduling inbox and worked into that person's calendars; to others it goes as mail, and so
// it does to an address here that is not one mailbox's alone. Mail takes what came by mail.
// FreeBusy answers the outbox, and BusyTime finds when somebody is busy. Who is who, and what a message means, is package itip's.
//
// What is durable when:
//
//  1. A task, a file in Options.Dir, holds the messages that follow from a change, and what
//     the object was before and is afterwards. It is synced before the change is made.
//  2. Then the object is changed, on the condition that it still is what the messages were
//     made from. Else the task is removed and all begins anew, so that two who answer at once
//     both count. Only now the client may be told.
//  3. Then each message is delivered. For a person here: the inbox first, under a name made of
//     the message, then the calendar object, by 1 to 3 as well when that leads to
//     messages of its own (a room's answer). For others: the mail is durable in the spool.
//  4. Then the task is removed. What failed for a while is tried again, for five days; what a
//     limit of the account refuses waits until it may be sent.
//
// Mail of what a person changes waits in its task for some seconds (Options.Calm). When more
// changes of the object follow, of all that waits for somebody one message is made: what leads from
// what that person was told last to what is now (merge).
//
// After a crash Open finds the tasks. One whose object is still what it was before is
// removed: the change was never made, and no client was told that it was; unless a later one names
// it, which was made after it and took it back. For all others 3 is
// done once more, whole: an inbox that has the message keeps it as it is, iTIP ignores what an
// object has already (SEQUENCE, DTSTAMP), and only mail may go out twice, with the same
// Message-ID, which calendars ignore likewise. A message by mail is a task before
// the mail is acknowledged, so it is worked in even when the process ends right then.
//
// A MOVE to somebody else's calendar, or over a meeting (Transfer), is two such changes; a task of its own sees to it
// that the second is made after a crash when the first was.
//
// Nothing is locked over two calendars: each change is of one object, with a condition, and
// is tried again when another came first. The one lock, that of a mailbox that answers by
// itself (so that a room is not given twice), is held while its own object is changed, never
// while a message is delivered. Put and Remove deliver before they return, when
// there are few; Run does what is left, and what came by mail.
//
// Not here: HTTP (davd), rights (homes, davd), and what becomes of a message as mail.
package scheduling

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/itip"
	"facteur/server/safefile"
	"facteur/server/schedule"
)

// Options are what a Scheduler needs, for its whole life.
type Options struct {
	Homes *homes.Homes
	// Directory returns the newest one.
	Directory func() *directory.Directory
	Dir       string           // of what is not done yet; it is made
	FS        safefile.FS      // nil: safefile.OS
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
	// Location is that of times without a zone; nil: UTC.
	Location func() *time.Location
	// Language is that of the text of mail, as itip.Mail has it; nil: English.
	Language func() string
	// Send takes a mail over, durably. account is whose it is, so that the limits of that
	// account count; zero: it is this server's own. nil: mail goes nowhere.
	Send func(ctx context.Context, account address.Address, env envelope.Envelope, body envelope.Body) error
	// Mailed makes a message fit to go by mail to those who have no login here: the files that
	// go with it, with at most so many octets together, and the names of those that do not. nil:
	// nothing is attached.
	Mailed func(m *itip.Message, most int64) (out *itip.Message, files []itip.File, left []string)
	// Ask asks the scripts of a mailbox (hook.Calendar) what is to be done about an invitation.
	// nil: nothing is.
	Ask func(ctx context.Context, box address.Address, about hook.Invitation) Decision
	// Known tells whether a mailbox knows an address, so that it is no stranger's. nil: none is known.
	Known func(ctx context.Context, box, who address.Address) bool
	// Room tells whether a mailbox is a room's, which answers by itself. nil: none is.
	Room func(box address.Address) bool
	// Answers remembers the invitations that were declined and are kept nowhere, so that each is
	// answered once, and what was cancelled by mail. nil: nothing does.
	Answers *schedule.Memory
	// Calm is how long mail of a change waits for the next one, which may replace it; of one that
	// follows the other at most so many times that (maxCalm). Zero: it waits for nothing.
	Calm time.Duration
}

// Decision is what scripts say about an invitation.
type Decision struct {
	Kind    hook.Kind // Accept, Decline or Reject; "": they say nothing
	Comment string    // for the organizer; of Reject, for who is refused
}

// Scheduler schedules. It may be used by several at once.
type Scheduler struct {
	opts    Options
	journal *journal
	last    safefile.Clock // that of the newest task

	mu      sync.Mutex
	waiting []pending     // what Run has to do, in order
	wake    chan struct{} // something was added to waiting
	boxes   map[address.Key]*boxLock
	stamps  map[string]time.Time    // the last one that was given for a UID
	limits  map[address.Key]limited // of accounts that may send no more for now
	changes map[place][]string      // the tasks that made them and are not done, in their order
}

// Open returns a Scheduler. What a crash left is done by Run.
func Open(opts Options) (*Scheduler, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.FS == nil {
		opts.FS = safefile.OS
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Scheduler{opts: opts, wake: make(chan struct{}, 1), boxes: make(map[address.Key]*boxLock), stamps: make(map[string]time.Time), limits: make(map[address.Key]limited), changes: make(map[place][]string)}
	var err error
	if s.journal, err = openJournal(opts.FS, opts.Dir); err != nil {
		return nil, err
	}
	followed := make(map[string]bool)
	err = s.journal.each(s.opts.Log, func(t *task) error {
		if t.Change != nil {
			for _, id := range t.Change.Follows {
				followed[id] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.journal.each(s.opts.Log, func(t *task) error {
		if !followed[t.ID] && !s.wasMade(t) {
			return s.journal.remove(t)
		}
		t.again = true
		s.committed(t)
		s.later(s.pending(t, time.Time{}))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Scheduler) location() *time.Location {
	if s.opts.Location == nil {
		return time.UTC
	}
	return s.opts.Location()
}

// maxStamps is when stamps that are over are forgotten.
const maxStamps = 1000

// stamp is the time of a change of what has a UID: later than those given for it before, by a
// second, which is as exact as DTSTAMP is (RFC 5545 3.8.7.2). So of two changes within a
// second the later one counts everywhere, in whatever order they are delivered. The stamp is
// taken after the object was read that is changed on the condition that it is still so:
// hence the changes that are made have stamps in their order.
func (s *Scheduler) stamp(uid string) time.Time {
	now := s.opts.Now().Truncate(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.stamps[uid]; ok && !now.After(last) {
		now = last.Add(time.Second)
	}
	if len(s.stamps) >= maxStamps {
		maps.DeleteFunc(s.stamps, func(_ string, last time.Time) bool { return last.Before(now) })
	}
	s.stamps[uid] = now
	return now
}

// boxLock is held by who answers for a mailbox.
type boxLock struct {
	sync.Mutex
	users int
}

// lock locks a mailbox that answers by itself, and returns what unlocks it.
func (s *Scheduler) lock(box address.Address) (unlock func()) {
	s.mu.Lock()
	l := s.boxes[box.Key()]
	if l == nil {
		l = &boxLock{}
		s.boxes[box.Key()] = l
	}
	l.users++
	s.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.boxes, box.Key())
		}
	}
}
