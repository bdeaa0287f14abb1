package server

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/control"
)

// maintenance is how often retention is looked after.
const maintenance = time.Hour

// maintain does what [retention] says at the start and each hour, until the server
// stops: it expunges what is too old in Trash and Junk, deletes for good what was
// expunged long ago, and looks after removed accounts. It also looks after our DKIM keys
// and the quarantine.
func (s *Server) maintain() {
	tick := time.NewTicker(maintenance)
	defer tick.Stop()
	for {
		s.sweepRemoved()
		s.tidy()
		s.prunePeople()
		s.refreshKeys()
		s.keepQuarantine()
		select {
		case <-s.stopping:
			return
		case <-tick.C:
		}
	}
}

// tidy goes through all accounts and shared mailboxes that have anything.
func (s *Server) tidy() {
	live := s.live.Load()
	for _, a := range live.directory.Boxes() {
		select {
		case <-s.stopping:
			return
		default:
		}
		if _, err := os.Stat(filepath.Join(live.Data, "domains", a.Dir())); err != nil {
			continue // it never had any
		}
		s.expire(a, `\Trash`, live.Retention.Trash)
		s.expire(a, `\Junk`, live.Retention.Junk)
		// What an object names again comes back before it is too old.
		if err := s.dav.attachments.Tidy(a); err != nil {
			s.log.Error("server.attachments", "account", a.String(), "error", err)
		}
		s.dav.files.Recount(a)
		s.dav.attached.Recount(a)
		if err := s.bins.Purge(a); err != nil {
			s.log.Error("server.purge", "account", a.String(), "error", err)
		}
	}
}

// expire expunges what lies too long in folders of a use (RFC 6154).
func (s *Server) expire(a address.Address, use string, age time.Duration) {
	if age == config.Never {
		return
	}
	n, err := s.store.Expire(a, use, age)
	if err != nil {
		s.log.Error("server.expire", "account", a.String(), "use", use, "error", err)
	}
	if n > 0 {
		s.log.Info("server.expired", "account", a.String(), "use", use, "messages", n)
	}
}

// sweepRemoved looks after the folders of accounts that are in the settings no
// more. One at a time, for a reload asks for it too.
func (s *Server) sweepRemoved() {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	live := s.live.Load()
	known := make(map[string]bool)
	for _, a := range live.directory.Boxes() {
		known[a.Dir()] = true
	}
	r := removal{data: live.Data, keep: live.Retention.Account, now: time.Now(), log: s.log, forget: s.forget}
	waiting, err := r.sweep(known)
	if err != nil {
		s.log.Error("server.removed", "error", err)
	}
	s.removed.Store(&waiting)
}

// removedAccounts lists the accounts that are gone from the settings, whose
// folders are still in their place.
func (s *Server) removedAccounts() []control.Removed {
	if list := s.removed.Load(); list != nil {
		return *list
	}
	return nil
}

// prunePeople forgets whom mailboxes knew long ago, and what those knew that are gone for
// good.
func (s *Server) prunePeople() {
	known := make(map[address.Key]bool)
	for _, a := range s.live.Load().directory.Boxes() {
		known[a.Key()] = true
	}
	for _, r := range s.removedAccounts() { // their folders are still there
		if a, err := address.Parse(r.Account); err == nil {
			known[a.Key()] = true
		}
	}
	if err := s.people.Prune(context.Background(), func(box address.Key) bool { return known[box] }); err != nil {
		s.log.Error("server.people", "error", err)
	}
}
