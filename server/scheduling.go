package server

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/itip"
	"facteur/server/schedule"
	"facteur/server/scheduling"
)

// openScheduling opens what invites and answers. It asks and sends with parts that are made
// after it.
func (s *Server) openScheduling(first *settings) (err error) {
	if s.once, err = schedule.Open(s.state); err != nil {
		return fmt.Errorf("opening the memory of what is done once: %w", err)
	}
	s.scheduling, err = scheduling.Open(scheduling.Options{
		Homes: s.dav.homes, Directory: s.newestDirectory,
		Dir: filepath.Join(first.Data, "scheduling"), Log: s.log,
		Location: func() *time.Location { return s.live.Load().Location },
		Language: func() string { return s.live.Load().Language },
		Calm:     5 * time.Second,
		Send:     s.sendInvitation, Known: s.wroteTo, Room: s.isRoom, Answers: s.once,
		Mailed: s.mailed,
		Ask: func(ctx context.Context, box address.Address, about hook.Invitation) scheduling.Decision {
			return s.follow.Invited(ctx, box, about)
		},
	})
	if err != nil {
		return fmt.Errorf("opening what invites and answers: %w", err)
	}
	return nil
}

// mailed is the files that go with an invitation by mail, as far as there is room in a mail.
func (s *Server) mailed(m *itip.Message, most int64) (*itip.Message, []itip.File, []string) {
	return s.dav.attachments.Mailed(m, min(most, s.live.Load().Limits.MessageSize/2))
}

// sendInvitation sends the mail of an invitation or of an answer on its way. What a person
// caused is submitted by that account, with its limits and scripts.
func (s *Server) sendInvitation(ctx context.Context, account address.Address, env envelope.Envelope, body envelope.Body) error {
	if account.IsZero() {
		return s.notify(ctx, env, body)
	}
	select {
	case <-s.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	env.Session.Account = account
	tx := s.intake.Begin(env.Session, auth.Credential{Account: account})
	if err := tx.Mail(ctx, env.Sender); err != nil {
		return err
	}
	for _, r := range env.Recipients {
		if err := tx.Rcpt(ctx, r); err != nil {
			return err
		}
	}
	_, err := tx.Data(ctx, body)
	return err
}

// wroteTo tells whether a mailbox ever wrote to somebody.
func (s *Server) wroteTo(ctx context.Context, box, who address.Address) bool {
	c, err := s.people.Contact(ctx, box, who)
	return err == nil && !c.Written.IsZero()
}

// isRoom tells whether a mailbox is that of a room.
func (s *Server) isRoom(box address.Address) bool {
	account, ok := s.live.Load().directory.Account(box)
	return ok && account.Room
}
