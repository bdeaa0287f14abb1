package server

import (
	"context"
	"fmt"
	"path/filepath"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/buffer"
	"facteur/server/collection"
	"facteur/server/davd"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
)

// calendars are the stores of calendars and contacts, and who sees what of them.
type calendars struct {
	kept        *collection.Store  // of what people keep
	derived     *collection.Store  // of what is made for them here
	files       *files.Store       // plain folders and files
	attached    *files.Store       // the octets of attachments
	attachments *attachments.Store // what calendar objects name of these
	homes       *homes.Homes
	handler     *davd.Handler
}

// openCalendars opens the stores.
func (s *Server) openCalendars(first *settings) (err error) {
	domains, tmp := filepath.Join(first.Data, "domains"), filepath.Join(first.Data, "spool", "tmp")
	s.dav.kept, err = collection.Open(collection.Options{
		Dir: domains, Tmp: tmp, Log: s.log, Room: s.room, Bins: s.bins,
		Index: homes.Index, IndexVersion: homes.IndexVersion, Defaults: homes.Defaults(),
	})
	if err != nil {
		return fmt.Errorf("opening the calendars and contacts: %w", err)
	}
	s.dav.derived, err = collection.Open(collection.Options{
		Dir: filepath.Join(first.Data, "derived"), Tmp: tmp, Log: s.log,
		Index: homes.DerivedIndex, IndexVersion: homes.DerivedIndexVersion,
	})
	if err != nil {
		return fmt.Errorf("opening what is made of calendars and contacts: %w", err)
	}
	s.dav.files, err = files.Open(files.Options{Dir: domains, Tmp: tmp, Log: s.log, Room: s.room, Bins: s.bins})
	if err != nil {
		return fmt.Errorf("opening the files: %w", err)
	}
	s.dav.attached, err = files.Open(files.Options{
		Folder: attachments.Folder, MaxSize: attachments.MaxSize, Dir: domains, Tmp: tmp, Log: s.log, Room: s.room, Bins: s.bins,
	})
	if err != nil {
		return fmt.Errorf("opening the attachments: %w", err)
	}
	s.dav.homes = homes.New(homes.Options{
		Store: s.dav.kept, Derived: s.dav.derived, Directory: s.newestDirectory, Resolver: s.resolver, Log: s.log, Tell: s.tellFailing,
		Shared: s.tellShared,
	})
	s.dav.homes.Apply(homesSettings(first))
	s.dav.attachments = attachments.New(attachments.Options{Files: s.dav.attached, Homes: s.dav.homes, Directory: s.newestDirectory, Log: s.log})
	return nil
}

// openCalendarServer opens what serves the stores: import and export go without.
func (s *Server) openCalendarServer(first *settings) error {
	if err := s.openScheduling(first); err != nil {
		return err
	}
	bodies, err := buffer.NewPool(buffer.Options{Total: maxBodiesArriving, Dir: filepath.Join(first.Data, "spool", "tmp")})
	if err != nil {
		return err
	}
	s.dav.handler = davd.New(davd.Options{Homes: s.dav.homes, Bodies: bodies, Files: s.dav.files, Attachments: s.dav.attachments, Scheduling: s.scheduling,
		Directory: s.newestDirectory, Usage: s.usage, Log: s.log})
	return nil
}

// maxBodiesArriving is how many octets of large requests are in memory while they arrive; the others are in files.
const maxBodiesArriving = 4 << 20

func homesSettings(c *settings) homes.Settings { return homes.Settings{Hosts: c.Subscriptions} }

// startCalendars fetches what people subscribe to, until the server stops.
func (s *Server) startCalendars() {
	ctx, cancel := context.WithCancel(context.Background())
	s.maintained.Go(func() {
		<-s.stopping
		cancel()
	})
	s.maintained.Go(func() { s.dav.homes.Run(ctx) })
}

func (s *Server) closeCalendars() {
	for _, store := range []*collection.Store{s.dav.kept, s.dav.derived} {
		if store == nil {
			continue
		}
		if err := store.Close(); err != nil {
			s.log.Error("server.calendars", "error", err)
		}
	}
	for _, store := range []*files.Store{s.dav.files, s.dav.attached} {
		if store != nil {
			store.Close() // has nothing to write
		}
	}
}

// forget drops an account from memory.
func (c *calendars) forget(a address.Address) {
	c.kept.Forget(a)
	c.derived.Forget(a)
	c.files.Forget(a)
	c.attached.Forget(a)
	c.homes.Refresh(a)
}

func (s *Server) newestDirectory() *directory.Directory { return s.live.Load().directory }

// usage is how much of its quota a mailbox uses, with all that counts; a quota of 0 is none.
func (s *Server) usage(a address.Address) (used, quota int64, err error) {
	box, ok := s.newestDirectory().Box(a)
	if !ok {
		return 0, 0, fault.New(fault.NotFound, "The account is gone")
	}
	home, err := s.store.Home(a)
	if err != nil {
		return 0, 0, err
	}
	u, err := home.Usage()
	return u.Octets, max(box.Quota, 0), err
}

// beside is what an account holds that is no mail (mailbox.Options.Beside).
func (s *Server) beside(a address.Address) (int64, error) {
	kept, err := s.dav.kept.Usage(a)
	if err != nil {
		return 0, err
	}
	plain, err := s.dav.files.Usage(a)
	if err != nil {
		return 0, err
	}
	attached, err := s.dav.attached.Usage(a)
	return kept.Octets + plain.Octets + attached.Octets, err
}

// room tells whether so many octets more fit into the quota of an account, with its mail
// (collection.Options.Room).
func (s *Server) room(a address.Address, octets int64) error {
	if box, ok := s.newestDirectory().Box(a); ok && box.Quota <= 0 {
		return nil // nobody needs to count
	}
	used, quota, err := s.usage(a)
	if err != nil {
		return err
	}
	if used+octets > quota {
		return fault.New(fault.OverQuota, "The quota would be exceeded")
	}
	return nil
}
