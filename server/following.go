package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/follow"
	"facteur/server/imapd"
	"facteur/server/spool"
)

// openFollowing makes what runs scripts after the fact. The delivery that it works with is
// made after it.
func (s *Server) openFollowing(first *settings) {
	s.follow = follow.New(follow.Options{Store: s.store, Log: s.log, Trace: s.trace, Replies: s.once}, s.followSettings(first))
}

// startFollowing runs it until the server stops.
func (s *Server) startFollowing() {
	ctx, cancel := context.WithCancel(context.Background())
	s.maintained.Go(func() {
		<-s.stopping
		cancel()
	})
	s.maintained.Go(func() { s.follow.Run(ctx) })
	s.maintained.Go(func() { s.scheduling.Run(ctx) })
}

func (s *Server) followSettings(c *settings) follow.Settings {
	d := s.deliverSettings(c)
	return follow.Settings{
		Hostname: d.Hostname, Directory: d.Directory, Hooks: c.deliverHooks, Services: d.Services, Location: d.Location,
		Learn: learner(c.modules),
	}
}

// learner has all plugins that learn be told what a message is; nil: none does.
func learner(modules []lua.Module) func(context.Context, address.Address, string, envelope.Body) error {
	modules = slices.DeleteFunc(slices.Clone(modules), func(m lua.Module) bool { return m.Learn == nil })
	if len(modules) == 0 {
		return nil
	}
	return func(ctx context.Context, _ address.Address, verdict string, message envelope.Body) error {
		var wrong []error
		for _, m := range modules {
			if err := m.Learn(ctx, verdict, envelope.NewReader(message)); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", m.Name, err))
			}
		}
		return errors.Join(wrong...)
	}
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
