package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/control"
	"facteur/server/fault"
	"facteur/server/safefile"
	"facteur/server/spool"
)

// queueWork looks at the queue and works on it: the verbs of `facteur queue`. It runs
// within the server, or beside none.
type queueWork struct{ spool *spool.Spool }

// Queue is that of control.QueueBackend.
func (s *Server) Queue(f control.QueueFilter, each func(control.Queued) error) error {
	return s.queueWork().Queue(f, each)
}

// QueueShow is that of control.QueueBackend.
func (s *Server) QueueShow(id string) (control.QueuedDetail, error) {
	return s.queueWork().QueueShow(id)
}

// QueueWork is that of control.QueueBackend.
func (s *Server) QueueWork(ctx context.Context, r control.QueueRequest, say func(string)) error {
	return s.queueWork().QueueWork(ctx, r, say)
}

func (s *Server) queueWork() queueWork { return queueWork{spool: s.spool} }

// offlineQueue takes the data folder of a server that does not run, and opens its
// queue, in which nothing is tried then.
func offlineQueue(path string) (_ queueWork, release func(), err error) {
	cfg, lock, err := loadLocked(path)
	if err != nil {
		return queueWork{}, nil, err
	}
	sp, err := spool.Open(spool.Options{
		Dir: filepath.Join(cfg.Data, "spool"), FS: safefile.OS, Hostname: string(cfg.Hostname), Idle: true,
	})
	if err != nil {
		lock.Close()
		return queueWork{}, nil, err
	}
	return queueWork{spool: sp}, func() {
		sp.Close(context.Background())
		lock.Close()
	}, nil
}

func parseQueueFilter(f control.QueueFilter) (out spool.Filter, err error) {
	if out.From, err = spool.ParseMatch(f.From); err != nil {
		return out, err
	}
	out.To, err = spool.ParseMatch(f.To)
	return out, err
}

func (q queueWork) Queue(f control.QueueFilter, each func(control.Queued) error) error {
	filter, err := parseQueueFilter(f)
	if err != nil {
		return err
	}
	for e := range q.spool.Entries(filter) {
		entry := queued(e)
		entry.Recipients = nil
		for _, r := range e.Recipients {
			if !r.Done {
				entry.Recipients = append(entry.Recipients, queuedRecipient(r))
			}
		}
		if err := each(entry); err != nil {
			return err
		}
	}
	return nil
}

func (q queueWork) QueueShow(id string) (control.QueuedDetail, error) {
	e, err := q.spool.Show(id)
	if err != nil {
		return control.QueuedDetail{}, plain(err)
	}
	d := control.QueuedDetail{
		Queued: queued(e.Summary), Subject: e.Subject, MessageID: e.Envelope.ID, Account: e.Envelope.Session.Account.String(),
		Ret: e.Envelope.Sender.Ret, EnvID: e.Envelope.Sender.EnvID, RequireTLS: e.Envelope.Sender.RequireTLS, Running: e.Running,
	}
	if remote := e.Envelope.Session.Remote; remote.IsValid() {
		d.Client = remote.Addr().String()
	}
	return d, nil
}

// queued turns an entry into its form for the socket.
func queued(e spool.Summary) control.Queued {
	out := control.Queued{
		ID: e.ID, Since: e.Received, Size: e.Size, Sender: e.Sender.String(), Hold: e.Hold, Quarantine: e.Quarantine, NotBefore: timeOrNil(e.NotBefore),
	}
	if e.Hold == "" {
		out.Expires = timeOrNil(e.Expires)
	}
	for _, r := range e.Recipients {
		out.Recipients = append(out.Recipients, queuedRecipient(r))
	}
	return out
}

func queuedRecipient(r spool.Status) control.QueuedRecipient {
	out := control.QueuedRecipient{
		Address: r.Address.String(), Local: r.Local, Via: r.Via, State: string(r.State), Attempts: r.Attempts, Tried: timeOrNil(r.Tried),
		Reply: r.Words, Detail: r.Detail, Delayed: r.Delayed, Owed: r.Owed,
	}
	if !r.Forwarder.IsZero() {
		out.Forwarder = r.Forwarder.String()
	}
	if r.State == spool.Waiting || r.State == spool.Scheduled {
		out.Next = timeOrNil(r.Next)
	}
	return out
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// plain is an error without the codes of SMTP.
func plain(err error) error {
	if f, ok := faultOf(err); ok {
		return errors.New(f)
	}
	return err
}

func (q queueWork) QueueWork(ctx context.Context, r control.QueueRequest, say func(string)) error {
	filter, err := parseQueueFilter(r.QueueFilter)
	if err != nil {
		return err
	}
	work, ok := map[string]func(id string, to spool.Match, r control.QueueRequest) (string, error){
		"retry": q.retry, "hold": q.hold, "release": q.release, "drop": q.drop,
	}[r.Verb]
	if !ok {
		return fmt.Errorf("%q is no work on the queue", r.Verb)
	}
	var ids []string
	for _, id := range r.IDs {
		parts := q.spool.Parts(id)
		if len(parts) == 0 {
			parts = []string{id} // which is told below
		}
		ids = append(ids, parts...)
	}
	if len(ids) == 0 {
		for e := range q.spool.Entries(filter) {
			if r.Verb != "release" || e.Hold != "" || e.NotBefore.After(time.Now()) {
				ids = append(ids, e.ID)
			}
		}
		switch {
		case len(ids) > 0:
		case r.Verb == "release":
			say("No such message is held.")
		default:
			say("There is no such message in the queue.")
		}
	}
	var wrong []error
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text, err := work(id, filter.To, r)
		switch {
		case err != nil && len(r.IDs) == 0 && fault.Is(err, fault.NotFound):
			continue // it was done before its turn came
		case err != nil:
			wrong = append(wrong, plain(err))
			continue
		}
		say(id + ": " + text)
	}
	return errors.Join(wrong...)
}

func (q queueWork) retry(id string, to spool.Match, _ control.QueueRequest) (string, error) {
	return "is tried as soon as its turn comes", q.spool.Retry(id, to)
}

// hold keeps the reason of what is held already, unless another one is given.
func (q queueWork) hold(id string, _ spool.Match, r control.QueueRequest) (string, error) {
	if e, err := q.spool.Show(id); err == nil && e.Hold != "" && r.Reason == "" {
		return "is held already: " + e.Hold, nil
	}
	reason := cmp.Or(r.Reason, "by the operator")
	return "is held until it is released: " + reason, q.spool.Hold(id, reason)
}

func (q queueWork) release(id string, _ spool.Match, _ control.QueueRequest) (string, error) {
	if err := q.spool.Release(id); err != nil {
		return "", err
	}
	e, err := q.spool.Show(id)
	if err == nil && e.NotBefore.After(time.Now()) {
		return "is released, and waits for the time that its sender wants, " + moment(e.NotBefore, time.Now()), nil
	}
	return "is released", nil
}

func (q queueWork) drop(id string, to spool.Match, _ control.QueueRequest) (string, error) {
	gone, err := q.spool.Drop(id, to)
	if err != nil {
		return "", err
	}
	var who []string
	for _, r := range gone.Recipients {
		who = append(who, r.Address.String())
	}
	if len(who) == 0 {
		who = []string{"nobody who still waited"}
	}
	return fmt.Sprintf("the message of <%s> to %s is dropped, nobody is told", gone.Sender, strings.Join(who, ", ")), nil
}
