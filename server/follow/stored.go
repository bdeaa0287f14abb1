package follow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"facteur/server/address"
	"facteur/server/deliver"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/senderauth"
)

// Stored is what a client did to messages. The fields are those of imapd.Stored.
type Stored struct {
	Account address.Address
	Box     address.Address
	Kind    string
	Mailbox *mailbox.Mailbox
	UIDs    []mailbox.UID
	From    string
	Added   []string
	Removed []string
}

// Follows tells whether scripts of a mailbox handle the stage stored.
func (f *Follower) Follows(box address.Address) bool { return f.live.Load().handles(box, hook.Stored) }

// Stored has the scripts of a mailbox run for messages, soon. It does not wait.
func (f *Follower) Stored(e Stored) {
	kept := f.stored.fits(e.Box.Key(), len(e.UIDs))
	lost := len(e.UIDs) - kept
	e.UIDs = slices.Clone(e.UIDs[:kept]) // so that what is dropped takes no memory
	f.stored.put(batch{box: e.Box.Key(), n: kept, lost: lost, do: func(ctx context.Context, i int) { f.runStored(ctx, e, e.UIDs[i]) }})
}

// held is a message that lies in a folder.
type held struct {
	*message.Content
	body   *mailbox.Content
	flags  []string
	facts  *hook.Message
	header *message.Header
}

// open opens a message; nil when it is gone.
func (f *Follower) open(live *Settings, box address.Address, mb *mailbox.Mailbox, uid mailbox.UID) (*held, error) {
	snap, err := mb.Snapshot()
	if err != nil {
		return nil, ifThere(err)
	}
	i, ok := snap.Find(uid)
	if !ok {
		return nil, nil
	}
	h := &held{flags: mb.Flags(snap.At(i))}
	if h.body, err = mb.Open(uid); err != nil {
		return nil, ifThere(err)
	}
	if h.header, err = message.ReadHeader(h.body); err != nil {
		h.body.Close()
		return nil, err
	}
	h.Content = message.NewContent(h.header, h.body)
	h.facts = &hook.Message{
		ID: fmt.Sprintf("%s-%d", envelope.NewID()[:8], uid), Recipients: []address.Address{box}, Size: h.body.Size(), Content: h.Content,
		ReversePath: returnPath(h.header), Auth: senderauth.Recorded(h.header, live.Hostname).Hook(),
	}
	return h, nil
}

// ifThere is err, or nil when it says that the message or its folder is gone.
func ifThere(err error) error {
	if fault.Is(err, fault.NotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// returnPath returns the reverse-path that delivery wrote on top (RFC 5321 4.4).
func returnPath(h *message.Header) address.Address {
	if list := h.RawValues("Return-Path"); len(list) > 0 {
		if found, ok := message.ParseAddresses(list[0]); ok && len(found) > 0 {
			return found[0]
		}
	}
	return address.Address{}
}

// runStored runs the scripts for one message.
func (f *Follower) runStored(ctx context.Context, e Stored, uid mailbox.UID) {
	live := f.live.Load()
	if !live.box(e.Box) || !live.handles(e.Box, hook.Stored) {
		return
	}
	folder := e.Mailbox.Name()
	log := f.opts.Log.With("box", e.Box.String(), "folder", folder, "uid", uint32(uid), "change", e.Kind)
	m, err := f.open(live, e.Box, e.Mailbox, uid)
	if err != nil {
		log.Error("follow.stored", "error", err)
	}
	if m == nil {
		return // it is gone: that is no error
	}
	defer m.body.Close()
	res, err := f.run(ctx, live, e.Box, hook.Call{
		Stage: hook.Stored, Message: m.facts,
		Change: &hook.Change{Kind: e.Kind, Folder: folder, From: e.From, Flags: m.flags, Added: e.Added, Removed: e.Removed},
	}, log.With("id", m.facts.ID))
	if err != nil {
		log.Error("follow.stored", "error", err)
		return
	}
	s := storing{Follower: f, live: live, event: e, uid: uid, message: m, log: log}
	s.carryOut(ctx, res.Actions)
	f.finish(ctx, res, log)
}

// storing is the carrying out of what scripts of stored ask for.
type storing struct {
	*Follower
	live    *Settings
	event   Stored
	uid     mailbox.UID
	message *held
	log     *slog.Logger
}

// carryOut does what scripts ask for, in a fixed order: learn, flags, notifications, and
// last the folder.
func (s *storing) carryOut(ctx context.Context, actions []hook.Action) {
	var filings []hook.Action
	for _, a := range actions {
		if a.Kind == hook.Learn {
			s.learn(ctx, s.live, s.event.Box, a.Text, s.message.body, s.log)
		}
	}
	for _, a := range actions {
		switch a.Kind {
		case hook.Flag:
			s.setFlags(s.event.Mailbox, s.uid, mailbox.AddFlags, a.Flags)
		case hook.Unflag:
			s.setFlags(s.event.Mailbox, s.uid, mailbox.RemoveFlags, a.Flags)
		case hook.FileInto:
			filings = append(filings, a)
		}
	}
	s.notify(ctx, s.event.Box, actions, s.message.header, fmt.Sprint(s.event.Mailbox.ID(), s.uid, s.event.Kind, s.opts.Now().UnixNano()))
	s.file(filings)
}

func (s *storing) setFlags(mb *mailbox.Mailbox, uid mailbox.UID, op mailbox.FlagOp, flags []string) {
	if len(flags) == 0 {
		return
	}
	_, err := mb.SetFlags(mailbox.StoreOptions{UIDs: []mailbox.UID{uid}, Op: op, Flags: flags})
	switch {
	case err == nil:
		s.log.Info("follow.flagged", "in", mb.Name(), "flags", flags, "removed", op == mailbox.RemoveFlags)
	case ifThere(err) != nil:
		s.log.Warn("follow.flags", "flags", flags, "error", err)
	}
}

// file copies the message into folders, and into the last one moves it, unless all of them
// were to be copies.
func (s *storing) file(filings []hook.Action) {
	move := slices.ContainsFunc(filings, func(a hook.Action) bool { return !a.Copy })
	for i, a := range filings {
		if err := s.fileInto(a, move && i == len(filings)-1); ifThere(err) != nil {
			s.log.Warn("follow.fileinto", "to", a.Folder, "error", err)
		}
	}
}

func (s *storing) fileInto(a hook.Action, move bool) error {
	from := s.event.Mailbox
	to, err := from.Home().Mailbox(a.Folder)
	if fault.Is(err, fault.NotFound) && a.Create {
		if err = from.Home().Create(a.Folder, ""); err == nil || fault.Is(err, fault.Exists) {
			to, err = from.Home().Mailbox(a.Folder)
		}
	}
	if err != nil {
		s.log.Warn("follow.fileinto", "to", a.Folder, "error", err, "result", "it stays where it is")
		return nil
	}
	if to == from { // it lies there
		s.setFlags(from, s.uid, mailbox.AddFlags, a.Flags)
		return nil
	}
	transfer := from.Move
	if !move {
		transfer = from.Copy
		if err := deliver.CheckQuota(from.Home(), s.live.Directory, s.event.Box, s.message.body.Size()); err != nil {
			return err
		}
	}
	pairs, err := transfer([]mailbox.UID{s.uid}, to, nil)
	for _, p := range pairs {
		s.setFlags(to, p.Dst, mailbox.AddFlags, a.Flags)
		s.log.Info("follow.filed", "to", to.Name(), "as", uint32(p.Dst), "moved", move)
	}
	return err
}
