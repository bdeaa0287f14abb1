package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/people"
	"facteur/server/statedb"
)

// upkeep works on what accounts keep, mail, calendars, contacts, attachments and files: the verbs verify,
// reindex, undelete and replay. It runs within the server, or beside none.
type upkeep struct {
	store     *mailbox.Store
	calendars *collection.Store
	files     *files.Store
	attached  *attachments.Store
	directory *directory.Directory
	settings  *settings                                                // while the server is off only Config and directory
	box       func(context.Context, address.Address) (hook.Box, error) // as scripts see it
	now       func() time.Time
	say       func(line string)
	refresh   func(address.Address) // after calendars were brought back
}

// Upkeep is that of control.Backend.
func (s *Server) Upkeep(ctx context.Context, r control.UpkeepRequest, say func(string)) error {
	live := s.live.Load()
	u := upkeep{
		store: s.store, calendars: s.dav.kept, files: s.dav.files, attached: s.dav.attachments, directory: live.directory, settings: live,
		box: s.deliver.Box, now: time.Now, say: say, refresh: s.dav.homes.Refresh,
	}
	return u.run(ctx, r)
}

func (u upkeep) run(ctx context.Context, r control.UpkeepRequest) error {
	boxes, err := u.boxes(r.Accounts)
	if err != nil {
		return err
	}
	work, ok := map[string]func(address.Address, control.UpkeepRequest) error{
		"verify": u.verify, "reindex": u.reindex, "undelete": u.undelete,
		"replay": func(a address.Address, r control.UpkeepRequest) error { return u.replay(ctx, a, r) },
	}[r.Verb]
	if !ok {
		return fmt.Errorf("%q is no work that can be asked for", r.Verb)
	}
	var wrong []error
	for _, a := range boxes {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := work(a, r); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", a, err))
		}
	}
	return errors.Join(wrong...)
}

// boxes returns the accounts and shared mailboxes that are named, or all.
func (u upkeep) boxes(names []string) ([]address.Address, error) {
	if len(names) == 0 {
		return u.directory.Boxes(), nil
	}
	var out []address.Address
	for _, name := range names {
		a, err := address.Parse(name)
		if account, ok := u.directory.Login(name); ok {
			a, err = account.Address, nil
		}
		if err != nil {
			return nil, err
		}
		box, ok := u.directory.Box(a)
		if !ok {
			return nil, fmt.Errorf("%s is neither an account nor a shared mailbox in mail.toml", name)
		}
		out = append(out, box.Address)
	}
	return out, nil
}

// progress says how far the work is, at most once a second.
func (u upkeep) progress(a address.Address) func(mailbox.Progress) {
	last := u.now()
	return func(p mailbox.Progress) {
		if now := u.now(); now.Sub(last) >= time.Second {
			last = now
			u.say(fmt.Sprintf("%s %s: %d of %d", a, p.Folder, p.Done, p.Total))
		}
	}
}

func (u upkeep) verify(a address.Address, _ control.UpkeepRequest) error {
	problems, err := u.store.Verify(a, u.progress(a))
	unreadable := 0
	if err == nil {
		var more []string
		more, unreadable, err = u.verifyCalendars(a)
		problems = append(problems, more...)
	}
	for _, p := range problems {
		u.say(fmt.Sprintf("%s: %s", a, p))
	}
	damaged, strays := 0, 0
	if err == nil {
		damaged, strays, err = u.verifyFiles(a)
		unreadable += strays
	}
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s; `facteur reindex %s` makes the index anew", counted(len(problems), "problem"), a)
	}
	if damaged > 0 {
		err = errors.Join(err, fmt.Errorf("%s with attachments, told above", counted(damaged, "problem")))
	}
	switch {
	case err != nil:
	case unreadable > 0:
		u.say(fmt.Sprintf("%s is fine but for %s that no program is shown: mend them or take them away", a, counted(unreadable, "file")))
	default:
		u.say(a.String() + " is fine")
	}
	return err
}

func (u upkeep) reindex(a address.Address, _ control.UpkeepRequest) error {
	if err := u.store.Reindex(a, u.progress(a)); err != nil {
		return err
	}
	if home, err := u.calendarsOf(a); err != nil {
		return err
	} else if home != nil {
		if err := home.Reindex(); err != nil {
			return err
		}
	}
	u.say(a.String() + " has a new index")
	return nil
}

func (u upkeep) undelete(a address.Address, r control.UpkeepRequest) error {
	if r.List {
		return u.listDeleted(a, r)
	}
	n, err := u.store.Undelete(a, r.Since, r.Folder)
	if n > 0 || err == nil {
		u.say(fmt.Sprintf("%s: %s brought back", a, counted(n, "message")))
	}
	if err != nil {
		return err
	}
	return errors.Join(u.undeleteCalendars(a, r), u.undeleteFiles(a, r))
}

func (u upkeep) listDeleted(a address.Address, r control.UpkeepRequest) error {
	list, err := u.store.Deleted(a)
	if err != nil {
		return err
	}
	n := 0
	for _, d := range list {
		if d.At.Before(r.Since) || r.Folder != "" && d.Folder != r.Folder {
			continue
		}
		n++
		u.say(fmt.Sprintf("%s  %9d octets  %s", d.At.Local().Format(time.DateTime), d.Size, d.Folder))
	}
	u.say(fmt.Sprintf("%s: %s can be brought back", a, counted(n, "message")))
	return errors.Join(u.listDeletedCalendars(a, r), u.listDeletedFiles(a, r), u.listDeletedAttachments(a, r))
}

// Upkeep has the running server do the work; without one it takes the data folder
// and does it here.
func Upkeep(ctx context.Context, w io.Writer, path string, r control.UpkeepRequest) error {
	say := func(line string) { fmt.Fprintln(w, line) }
	c, err := client(path)
	if err != nil {
		return err
	}
	if err := c.Upkeep(ctx, r, say); !errors.Is(err, control.ErrNoServer) {
		return err
	}
	return withoutServer(path, w, func(s *Server) error {
		if err := s.openBoxes(); err != nil {
			return err
		}
		return errors.Join(s.Upkeep(ctx, r, say), s.state.Close())
	})
}

// openBoxes opens what scripts see of mailboxes while the server is off.
func (s *Server) openBoxes() (err error) {
	live := s.live.Load()
	if s.state, err = statedb.Open(filepath.Join(live.Data, "state.db"), s.log); err != nil {
		return err
	}
	if s.people, err = people.Open(s.state, nil); err != nil {
		return errors.Join(err, s.state.Close())
	}
	s.deliver = deliver.New(
		deliver.Options{Store: s.store, People: s.people, Log: s.log, Contacts: s.dav.homes.Contact, Busy: offlineBusy},
		deliver.Settings{Directory: live.directory, Location: live.Location})
	return nil
}

// offlineBusy is that of deliver.Options while the server is off.
func offlineBusy(address.Address, time.Time, time.Time, string) ([]hook.Busy, error) {
	return nil, fault.New(fault.NotPossible, "calendars are asked only while the server runs")
}

// ParseSince reads a time for people: a date, a date with a time, or how long ago
// ("36h", "7 days").
func ParseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02 15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	ago, err := config.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return time.Time{}, fmt.Errorf(`%q is no time: write a date such as 2026-11-22, or how long ago, such as "7 days"`, text)
	}
	return now.Add(-ago), nil
}
