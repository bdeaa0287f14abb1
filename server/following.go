package server

import (
	"context"
	"fmt"

	"facteur/server/follow"
	"facteur/server/imapd"
	"facteur/server/schedule"
	"facteur/server/spool"
)

// openFollowing makes what runs scripts after the fact. The delivery that it works with is
// made after it.
func (s *Server) openFollowing(first *settings) error {
	replies, err := schedule.Open(s.state)
	if err != nil {
		return fmt.Errorf("opening the memory of invitations: %w", err)
	}
	s.follow = follow.New(follow.Options{Store: s.store, Log: s.log, Trace: s.trace, Replies: replies, Inject: s.notify}, s.followSettings(first))
	return nil
}

// startFollowing runs it until the server stops.
func (s *Server) startFollowing() {
	ctx, cancel := context.WithCancel(context.Background())
	s.maintained.Go(func() {
		<-s.stopping
		cancel()
	})
	s.maintained.Go(func() { s.follow.Run(ctx) })
}

func (s *Server) followSettings(c *settings) follow.Settings {
	d := s.deliverSettings(c)
	return follow.Settings{Hostname: d.Hostname, Directory: d.Directory, Hooks: c.deliverHooks, Services: d.Services, Location: d.Location}
}

// storedBy is that of imapd.Options.Stored.
func (s *Server) storedBy(e imapd.Stored) { s.follow.Stored(follow.Stored(e)) }

// wantedBy is that of spool.Options.Wanted. The spool is there before what follows it.
func (s *Server) wantedBy(e spool.Event) bool {
	select {
	case <-s.ready:
		return s.follow.Wanted(e)
	default:
		return false
	}
}

// toldOf is that of spool.Options.Told.
func (s *Server) toldOf(e spool.Event) {
	s.told(e)
	select {
	case <-s.ready:
		s.follow.Told(e)
	default:
	}
}
