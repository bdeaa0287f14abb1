package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/control"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/senderauth"
	"facteur/server/trial"
)

// replay runs the function deliver of a script over stored mail, and tells what would
// differ from where each message lies now. With apply it moves and flags; it
// never sends anything.
//
// What the script says nothing of stays where it is: another script, or its owner, may
// have put it there. A message is changed at once, durably, or not at all, so
// that the work may end at any message.
type replay struct {
	upkeep
	ctx     context.Context
	request control.UpkeepRequest
	program hook.Program
	account address.Address
	home    *mailbox.Home
	box     hook.Box
	memory  *trial.Memory
	moves   map[move][]mailbox.UID
	copied  map[string]map[[16]byte]bool // what is in the folders that copies go to

	seen, differ, failed, done int
}

// unplayed are the folders whose mail did not come by delivery, or that its owner
// has put there.
var unplayed = []string{`\Sent`, `\Drafts`, `\Trash`, `\Junk`, `\Archive`}

// maxFailures bounds how many failures are told one by one.
const maxFailures = 20

// replay is the work of the verb of that name.
func (u upkeep) replay(ctx context.Context, a address.Address, r control.UpkeepRequest) error {
	options, err := dryOptions(u.settings.Config)
	if err != nil {
		return err
	}
	options.Load = func(name string) ([]byte, error) {
		source, ok := r.Files[name]
		if !ok {
			return nil, fmt.Errorf("%s did not come with the script", name)
		}
		return []byte(source), nil
	}
	options.Limits.Hourly = math.MaxInt64 // all mail of years, in one go
	program, err := lua.New(options).Compile(r.Script, []byte(r.Source))
	if err != nil {
		return err
	}
	if !program.Handles(hook.Deliver) {
		return fmt.Errorf("%s has no function deliver", r.Script)
	}
	home, err := u.store.Home(a)
	if err != nil {
		return err
	}
	p := &replay{
		upkeep: u, ctx: ctx, request: r, program: program, account: a, home: home, memory: trial.NewMemory(),
		moves: make(map[move][]mailbox.UID), copied: make(map[string]map[[16]byte]bool),
	}
	p.memory.Max = maxReplayed
	if p.box, err = u.box(ctx, a); err != nil {
		return err
	}
	folders, err := p.folders()
	if err != nil {
		return err
	}
	p.say(fmt.Sprintf("%-24s %-10s  %-28s  %-36s  %s", "folder/UID", "date", "from", "subject", "what would be"))
	for _, f := range folders {
		if err = p.folder(f); err != nil {
			break
		}
	}
	return errors.Join(err, p.total(err))
}

// maxReplayed bounds what a script may note in a replay, in keys.
const maxReplayed = 1_000_000

// played is a folder as it was when the replay began.
type played struct {
	box  *mailbox.Mailbox
	snap *mailbox.Snapshot
}

func (p *replay) folders() ([]played, error) {
	all, err := p.home.Folders()
	if err != nil {
		return nil, err
	}
	var list []played
	for _, f := range all {
		wanted := f.Exists && !slices.Contains(unplayed, f.Use)
		if p.request.Folder != "" {
			wanted = f.Exists && strings.EqualFold(f.Name, p.request.Folder)
		}
		if !wanted {
			continue
		}
		box, err := p.home.Mailbox(f.Name)
		if err != nil {
			return nil, err
		}
		snap, err := box.Snapshot()
		if err != nil {
			return nil, err
		}
		list = append(list, played{box, snap})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no folder %q", p.request.Folder)
	}
	return list, nil
}

// folder replays one folder, oldest message first.
func (p *replay) folder(f played) error {
	tell := p.progress(p.account)
	from := 0
	if p.request.Limit > 0 {
		from = max(0, f.snap.Len()-p.request.Limit)
	}
	for i, rec := range f.snap.Range(from, f.snap.Len()) {
		if err := p.ctx.Err(); err != nil {
			return errors.Join(err, p.flush(f.box))
		}
		tell(mailbox.Progress{Folder: f.box.Name(), Done: i, Total: f.snap.Len()})
		if at := time.Unix(int64(rec.InternalDate), 0); at.Before(p.request.Since) {
			continue
		}
		if err := p.message(f.box, rec); fault.Is(err, fault.NotFound) {
			continue // it has gone since
		} else if err != nil {
			return errors.Join(err, p.flush(f.box))
		}
	}
	return p.flush(f.box)
}

// message replays one message.
func (p *replay) message(from *mailbox.Mailbox, rec *mailbox.Record) error {
	content, err := from.Open(rec.UID)
	if err != nil {
		return err
	}
	defer content.Close()
	header, err := message.ReadHeader(content)
	if err != nil {
		return err
	}
	p.seen++
	out := p.program.Run(p.ctx, p.call(from, rec, header, content))
	if out.State != nil {
		if err := out.State.Commit(p.ctx); err != nil {
			return err
		}
	}
	line := row{from: from.Name(), uid: rec.UID, date: time.Unix(int64(rec.InternalDate), 0).In(p.settings.Location), header: header}
	if out.Err != nil {
		if p.failed++; p.failed <= maxFailures && p.ctx.Err() == nil {
			p.say(line.with("failed: " + out.Err.Error()))
		}
		return p.ctx.Err()
	}
	change, err := p.compare(from, rec, out.Actions)
	if err != nil || change.none() {
		return err
	}
	p.differ++
	p.say(line.with(change.String()))
	if p.request.Apply {
		return p.apply(from, rec, change)
	}
	return nil
}

// call is how delivery called the script, as far as the message still tells.
func (p *replay) call(from *mailbox.Mailbox, rec *mailbox.Record, h *message.Header, content *mailbox.Content) hook.Call {
	m := &hook.Message{
		ID: fmt.Sprintf("replay-%v-%d", from.ID(), rec.UID), Recipients: []address.Address{p.account}, Size: content.Size(), Content: message.NewContent(h, content),
		Auth: senderauth.Recorded(h, string(p.settings.Hostname)).Hook(),
	}
	if values := h.RawValues("Return-Path"); len(values) > 0 {
		if a, err := address.Parse(strings.Trim(strings.TrimSpace(values[0]), "<>")); err == nil {
			m.ReversePath = a
		}
	}
	if to, _ := h.Addresses("Delivered-To"); len(to) > 0 {
		m.Recipients = to[:1]
	}
	if values := h.Values("X-Spam-Score"); len(values) > 0 {
		score, _, _ := strings.Cut(values[0], " ")
		m.Spam.Score, _ = strconv.ParseFloat(score, 64)
	}
	return hook.Call{
		Stage: hook.Deliver, Message: m, Box: p.box, Now: time.Unix(int64(rec.InternalDate), 0), Location: p.settings.Location,
		Services: hook.Services{KV: p.memory, DNS: noDNS{}},
	}
}

// noDNS answers nothing: what the DNS says today is not what it said then.
type noDNS struct{}

func (noDNS) Lookup(context.Context, string, string) ([]string, error) {
	return nil, errors.New("the DNS is not asked in a replay")
}

// total says how it ended.
func (p *replay) total(err error) error {
	text := fmt.Sprintf("%s: %s looked at, %d would differ", p.account, counted(p.seen, "message"), p.differ)
	if p.request.Apply {
		text = fmt.Sprintf("%s: %s looked at, %d differed, %d changed", p.account, counted(p.seen, "message"), p.differ, p.done)
	}
	if p.failed > 0 {
		text += fmt.Sprintf("; the script failed on %d", p.failed)
	}
	if err != nil {
		text += "; not all were looked at"
	}
	p.say(text)
	if err == nil && p.failed > 0 {
		return fmt.Errorf("the script failed on %s, which stay where they are", counted(p.failed, "message"))
	}
	return nil
}
