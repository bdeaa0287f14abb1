package scheduling

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/ical"
	"facteur/server/itip"
)

// deliver brings a message to one person. It returns what is to be noted of it.
func (s *Scheduler) deliver(ctx context.Context, t *task, to *send) (status string, err error) {
	m, err := t.message(to.Message)
	if err != nil {
		return statusFailed, fault.Wrap(fault.Malformed, "", err)
	}
	box, here := s.boxOf(to.To)
	if !here {
		return s.mail(ctx, t, to, m)
	}
	res, err := s.receive(ctx, &incoming{box: box, message: m, from: s.person(t.Box), create: true, quiet: to.Quiet, only: to.Only, again: t.again})
	switch {
	case err != nil:
		return statusFailed, err
	case res.Outcome == itip.Refused && res.Reason == itip.NoObject && m.Method == itip.Reply:
		return s.mail(ctx, t, to, m) // the organizer keeps it elsewhere
	case res.Outcome == itip.Refused:
		return statusRefused, fault.New(fault.Policy, string(res.Reason))
	}
	s.opts.Log.Info("scheduling.delivered", "id", t.ID, "box", t.Box.String(), "uid", m.UID, "method", string(m.Method), "to", box.String(), "why_not", string(res.Reason))
	return statusDelivered, nil
}

// mail sends a message as mail.
func (s *Scheduler) mail(ctx context.Context, t *task, to *send, m *itip.Message) (status string, err error) {
	if !s.reachable(to.To) {
		return statusUnknown, fault.New(fault.NoSuchAddress, "")
	}
	if n := len(t.Messages[to.Message]); n > itip.MaxSize { // each of many would get one of its own, and few programs read it
		return statusFailed, fault.Newf(fault.TooLarge, "an invitation of %d octets is not sent as mail", n)
	}
	from := to.From.Mailbox()
	if from.IsZero() || !s.person(t.Box)(to.From) {
		from = t.Box
	}
	w := itip.Mail{
		Message: m, From: from, To: to.To.Mailbox(), Name: s.name(t.Box, to.From), ID: t.mailID(to), About: to.About, Comment: to.Comment,
		Now: s.opts.Now().In(s.location()), Zone: s.location(), Automatic: t.Account.IsZero(),
	}
	if s.opts.Language != nil {
		w.Language = s.opts.Language()
	}
	if s.opts.Mailed != nil {
		w.Message, w.Files, w.Left = s.opts.Mailed(m, s.maxFiles(t))
	}
	env, body, err := w.Write()
	if err != nil {
		return statusFailed, fault.Wrap(fault.Malformed, "", err)
	}
	if err := s.opts.Send(ctx, t.Account, env, body); err != nil {
		return statusFailed, err
	}
	s.opts.Log.Info("scheduling.sent", "id", t.ID, "mail", w.ID, "box", t.Box.String(), "uid", m.UID, "method", string(m.Method), "to", w.To.String())
	return statusSent, nil
}

// The bounds of the files that go with mail, in octets: of a mail, which many servers take up to
// 10 MB in base64, and of all those of a task.
const (
	maxMailFiles = 5 << 20
	maxTaskFiles = 100 << 20
)

// maxFiles bounds the files of each mail of a task. It stays the same while some are sent already.
func (s *Scheduler) maxFiles(t *task) int64 {
	if t.files > 0 {
		return t.files
	}
	people := make(map[string]bool)
	for i := range t.Sends {
		if to := &t.Sends[i]; s.byMail(to) {
			people[to.To.Key()] = true
		}
	}
	t.files = min(maxMailFiles, maxTaskFiles/int64(max(len(people), 1)))
	return t.files
}

// mailID is the id of a mail: the same each time that it is tried.
func (t *task) mailID(to *send) string {
	h := sha256.Sum256([]byte(t.ID + "\x00" + to.To.Key() + "\x00" + strconv.Itoa(to.Message)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(h[:10]))
}

// name is how a sender is called.
func (s *Scheduler) name(box address.Address, u itip.User) string {
	if account, ok := s.opts.Directory().Account(box); ok && account.Name != "" {
		return account.Name
	}
	return u.Name
}

// incoming is a message for a mailbox here.
type incoming struct {
	box      address.Address
	message  *itip.Message
	from     itip.Person // who sent it
	create   bool        // it may make a new object
	quiet    bool
	only     bool     // of itip.Delivery
	again    bool     // it may have been worked in before a crash
	decision Decision // what scripts said before
	about    string   // Message-ID of the mail
	mail     bool     // it came by mail
	asked    bool     // scripts had their say
	claimed  bool     // it is known whether it was answered before
	before   bool     // it was
	// cancelled is what cancelled the object by mail; nil: nothing did.
	cancelled *itip.Version
}

// receive works a message in.
func (s *Scheduler) receive(ctx context.Context, in *incoming) (itip.Result, error) {
	for range maxTries {
		res, t, err := s.try(ctx, in)
		var conflict *collection.UIDConflict
		if errors.Is(err, collection.ErrCondition) || errors.As(err, &conflict) {
			continue
		}
		if err == nil && t != nil {
			s.start(ctx, t)
		}
		return res, err
	}
	return itip.Result{}, errBusy
}

// try makes one try. The task is what is to be done next.
func (s *Scheduler) try(ctx context.Context, in *incoming) (res itip.Result, t *task, err error) {
	if s.room(in.box) {
		defer s.lock(in.box)()
	}
	now, err := s.find(in.box, in.message.UID)
	if err != nil {
		return res, nil, err
	}
	if err := s.cancelled(ctx, in, now); err != nil {
		return res, nil, err
	}
	res = s.apply(in, now)
	if err := s.remember(ctx, in, res); err != nil {
		return res, nil, err
	}
	stranger := res.Outcome == itip.Refused && res.Reason == itip.Stranger
	if !stranger && (res.Outcome == itip.Refused || res.Outcome == itip.Ignored) {
		return res, nil, nil
	}
	s.ask(ctx, in)
	if stranger {
		if in.decision.Kind == "" {
			return res, nil, nil
		}
		in.create = true // a script has looked at it
		if res = s.apply(in, now); res.Outcome == itip.Refused {
			return res, nil, nil
		}
	}
	object, messages, comment, err := s.answer(ctx, in, now, res)
	if err != nil {
		return res, nil, err
	}
	if !in.quiet && (object != nil || res.Remove || res.Outcome == itip.Noted) {
		if err := s.toInbox(in.box, in.message); err != nil {
			return res, nil, err
		}
	}
	t = s.newTask(in.box, address.Address{}, messages)
	s.addOthers(t, res)
	for i := range t.Sends {
		t.Sends[i].Comment, t.Sends[i].About = comment, in.about
	}
	return res, t, s.keep(in, now, res, object, t)
}

func (s *Scheduler) apply(in *incoming, now object) itip.Result {
	return itip.Delivery{
		Message: in.message, Stored: now.cal, Self: s.person(in.box), From: in.from, Now: s.stamp(in.message.UID), Create: in.create, Only: in.only, Floating: s.location(), Cancelled: in.cancelled,
	}.Apply()
}

// keep makes the change that a message leads to.
func (s *Scheduler) keep(in *incoming, now object, res itip.Result, object *ical.Calendar, t *task) error {
	if object == nil && !(res.Remove && now.entry != nil) {
		if len(t.Sends) == 0 {
			return nil
		}
		s.expect(t)
		if err := s.journal.add(t); err != nil {
			return fault.Wrap(fault.Unavailable, "", err)
		}
		return nil
	}
	var data []byte
	if object != nil {
		if status := s.expect(t); len(status) > 0 && res.Role == itip.AsAttendee {
			object = itip.SetStatus(object, res.Role, status)
		}
		data = object.Append(nil)
	}
	if now.entry == nil {
		var err error
		if now, err = s.made(in.box, in.message.Kind, in.message.UID); err != nil {
			return err
		}
	}
	_, _, err := s.commit(now, data, t)
	return err
}

// addOthers has the other attendees here shown what one of them answered. To others that
// would be mail with nothing new.
func (s *Scheduler) addOthers(t *task, res itip.Result) {
	for _, o := range res.Others {
		if _, here := s.boxOf(o.To); !here {
			continue
		}
		t.Sends = append(t.Sends, send{From: o.From, To: o.To, Message: t.index(o.Message), Quiet: true})
	}
}

// ask asks the scripts of a mailbox, once for each message that means something to it.
func (s *Scheduler) ask(ctx context.Context, in *incoming) {
	if in.asked || in.quiet || s.opts.Ask == nil {
		return
	}
	in.asked = true
	about, ok := in.message.Invitation(s.location())
	if !ok {
		return
	}
	if d := s.opts.Ask(ctx, in.box, about); in.decision.Kind == "" {
		in.decision = d
	}
}

// answer adds the answer of scripts or of a room to what a message leads to, and its comment.
func (s *Scheduler) answer(ctx context.Context, in *incoming, now object, res itip.Result) (_ *ical.Calendar, messages []itip.Outgoing, comment string, err error) {
	messages = slices.Clone(res.Answers)
	if len(res.News) == 0 || res.Object == nil || res.Role != itip.AsAttendee {
		return res.Object, messages, "", nil
	}
	a := itip.Answer{Self: s.person(in.box), Comment: in.decision.Comment, Among: res.News, Now: s.stamp(in.message.UID)}
	switch {
	case in.decision.Kind != "":
		a.PartStat = partStat(in.decision)
	case s.room(in.box):
		// At each try anew: what was free may be taken.
		said, err := s.roomAnswer(in.box, res, in.message.UID)
		if err != nil {
			return nil, nil, "", err
		}
		a.PartStat, a.Comment, a.Declined = said.partStat, said.comment, said.declined
	default:
		return res.Object, messages, "", nil
	}
	reply, ok := a.Reply(res.Object)
	if !ok {
		return res.Object, messages, a.Comment, nil
	}
	if a.PartStat == declined && now.entry == nil { // what is declined at once is not kept
		first, err := s.first(ctx, in)
		if first {
			messages = append(messages, reply)
		}
		return nil, messages, a.Comment, err
	}
	return a.Set(res.Object), append(messages, reply), a.Comment, nil
}

// first tells whether an invitation of which nothing is kept was not answered before. What
// was begun before a crash is answered, maybe once more.
func (s *Scheduler) first(ctx context.Context, in *incoming) (bool, error) {
	if in.again || in.claimed || s.opts.Answers == nil {
		return !in.before, nil
	}
	parts := []string{"declined", in.message.UID}
	for _, c := range in.message.Calendar.Children {
		if c.Name == in.message.Kind {
			parts = append(parts, c.Value("RECURRENCE-ID"), c.Value("SEQUENCE"))
		}
	}
	first, err := s.opts.Answers.Claim(ctx, in.box, sha256.Sum256([]byte(strings.Join(parts, "\x00"))), s.opts.Now())
	in.claimed, in.before = err == nil, err == nil && !first
	return first, err
}

// The answers (RFC 5545 3.2.12) that are given here.
const (
	accepted = "ACCEPTED"
	declined = "DECLINED"
)

func partStat(d Decision) string {
	if d.Kind == hook.Accept {
		return accepted
	}
	return declined
}

// answered tells whether a person has answered in an object.
func answered(c *ical.Calendar, self itip.Person) bool {
	for _, child := range c.Children {
		for _, p := range child.All("ATTENDEE") {
			if stat := p.Param("PARTSTAT"); self(itip.ParseUser(p)) && stat != "" && !strings.EqualFold(stat, "NEEDS-ACTION") {
				return true
			}
		}
	}
	return false
}

// invitation is what scripts are told of an object that a client puts.
func (s *Scheduler) invitation(c *ical.Calendar) (hook.Invitation, bool) {
	m := &itip.Message{Calendar: c}
	m.Organizer, _ = itip.Organizer(c)
	for _, child := range c.Children {
		if child.Name != "VTIMEZONE" && m.UID == "" {
			m.Kind, m.UID = child.Name, child.Value("UID")
		}
	}
	return m.Invitation(s.location())
}

func (s *Scheduler) room(box address.Address) bool { return s.opts.Room != nil && s.opts.Room(box) }

// The bounds of an inbox: what its owner's clients don't remove.
const (
	inboxItems  = 500
	inboxOctets = 32 << 20 // they count towards no quota
	inboxAge    = 60 * 24 * time.Hour
)

// toInbox keeps a message in a scheduling inbox (RFC 6638 4.1), under the same name each time.
func (s *Scheduler) toInbox(box address.Address, m *itip.Message) error {
	home, err := s.opts.Homes.Own(box)
	if err != nil {
		return err
	}
	inbox, err := home.Inbox()
	if err != nil {
		return err
	}
	octets := m.Octets()
	if _, _, err := inbox.Put(sum(octets)[:32]+".ics", octets, collection.Condition{}); err != nil {
		return err
	}
	all, err := inbox.Snapshot()
	if err != nil {
		return err
	}
	surplus, old := all.Len()-inboxItems, s.opts.Now().Add(-inboxAge)
	total := int64(0)
	for e := range all.All() {
		total += e.Size
	}
	for e := range all.All() {
		if surplus <= 0 && total <= inboxOctets && !e.Modified.Before(old) {
			break
		}
		surplus--
		total -= e.Size
		if err := inbox.Remove(e.Href, collection.Condition{}); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}
