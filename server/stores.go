package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/mailbox"
	"facteur/server/retention"
)

// openMailboxes opens the store of mail. noText: its texts are not indexed.
func (s *Server) openMailboxes(first *settings, noText bool) (err error) {
	s.store, err = mailbox.Open(mailbox.Options{
		Dir: filepath.Join(first.Data, "domains"), Tmp: filepath.Join(first.Data, "spool", "tmp"),
		Log: s.log, Bins: s.bins, Beside: s.beside, NoText: noText,
	})
	if err != nil {
		return fmt.Errorf("opening the mailboxes: %w", err)
	}
	return nil
}

// openBins makes what keeps deleted things for all stores; each is opened with it.
func (s *Server) openBins(first *settings) {
	s.bins = retention.New(retention.Options{Dir: filepath.Join(first.Data, "domains"), Log: s.log, Keep: s.keepDeleted})
}

// keepDeleted tells how long, and how much of, what was deleted is kept (retention.Options.Keep).
func (s *Server) keepDeleted(a address.Address) (time.Duration, int64) {
	live := s.live.Load()
	box, _ := live.directory.Box(a)
	return live.Retention.Deleted, box.Quota
}

// withoutServer calls work with a Server of which only the stores of what people keep are
// there, while it holds the lock of the data folder: none runs. What goes wrong in them is
// written to log.
func withoutServer(path string, log io.Writer, work func(*Server) error) error {
	cfg, lock, err := loadLocked(path)
	if err != nil {
		return err
	}
	defer lock.Close()
	s := &Server{log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	first := &settings{Config: cfg, directory: directory.New(cfg.Directory)}
	s.live.Store(first)
	s.openBins(first)
	err = s.openCalendars(first)
	if err == nil {
		err = s.openMailboxes(first, true)
	}
	if err == nil {
		err = work(s)
	}
	s.bins.Close()
	s.closeCalendars()
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	return err
}
