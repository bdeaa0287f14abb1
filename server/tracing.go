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
	"facteur/server/config"
	"facteur/server/hook"
	"facteur/server/spool"
	"facteur/server/trace"
)

func traceDir(data string) string { return filepath.Join(data, "trace") }

// openTrace begins to note what happens to messages.
func (s *Server) openTrace(first *settings) (err error) {
	s.trace, err = trace.Open(trace.Options{Dir: traceDir(first.Data), Log: s.log, Keep: first.Retention.Trace, Ran: s.ran})
	if err != nil {
		return fmt.Errorf("opening the traces: %w", err)
	}
	return nil
}

// ran takes note of the scripts of a stage (trace.Options.Ran).
func (s *Server) ran(r trace.Run, res hook.Result) {
	s.scripts.ran(res.Ran, time.Now())
	s.failures.note(r, res)
}

// traceFate notes what came of an attempt at a recipient. Of a mailbox here that is
// noted where it is delivered.
func (s *Server) traceFate(e spool.Event) {
	if e.Local && e.Kind == spool.Sent {
		return
	}
	kind, ok := map[spool.Kind]trace.Kind{
		spool.Sent: trace.Sent, spool.Deferred: trace.Deferred, spool.Delayed: trace.Deferred, spool.Bounced: trace.Bounced, spool.Expired: trace.Bounced,
		spool.Removed: trace.Bounced,
	}[e.Kind]
	if !ok {
		return
	}
	noted := trace.Event{
		ID: trace.MessageOf(e.ID), Kind: kind, Entry: e.ID, To: []string{trace.AddressText(e.Recipient.ForwardPath)},
		Remote: e.Result.Remote, Reply: e.Result.Reply, TLS: e.Result.TLS,
	}
	if e.Result.Fault != nil {
		noted.Reply = e.Result.Fault.Error()
	}
	if !e.Next.IsZero() {
		noted.Next = &e.Next
	}
	s.trace.Note(noted)
}

// TraceOptions are those of `facteur trace`.
type TraceOptions struct {
	Config string
	What   string // the id of a message or a connection, a Message-ID, or an address
	Since  time.Time
	Limit  int
	JSON   bool
}

// Trace prints what happened to a message, or lists the newest of an address. It reads
// the files: the server need not run.
func Trace(ctx context.Context, w io.Writer, o TraceOptions) error {
	data, err := config.DataFolder(o.Config)
	if err != nil {
		return err
	}
	zone := time.Local
	if cfg, err := config.Load(o.Config); err == nil && cfg.Location != nil { // a trace is readable whatever is wrong there
		zone = cfg.Location
	}
	stories, err := findStories(ctx, traceDir(data), o)
	if err != nil {
		return err
	}
	switch {
	case len(stories) == 0:
		return errors.New("nothing is noted of " + o.What + "; what happened just now is told in a second")
	case o.JSON:
		return printJSON(w, stories)
	case len(stories) == 1 || !strings.Contains(o.What, "@"):
		for _, s := range stories {
			if err := s.Print(w, zone); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range stories {
		if _, err := fmt.Fprintln(w, s.Summary(zone)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(w, "The second column tells the message: facteur trace ID has all of it.")
	return err
}

// findStories finds by what o.What looks like: a Message-ID and an address are much alike.
func findStories(ctx context.Context, dir string, o TraceOptions) ([]trace.Story, error) {
	q := trace.Query{Since: o.Since, Limit: o.Limit}
	if !strings.Contains(o.What, "@") {
		q.ID = o.What
		return trace.Find(ctx, dir, q)
	}
	if a, err := address.Parse(o.What); err == nil && !strings.HasPrefix(o.What, "<") {
		q.Address = trace.AddressText(a)
		if stories, err := trace.Find(ctx, dir, q); err != nil || len(stories) > 0 {
			return stories, err
		}
	}
	q.Address, q.MessageID = "", o.What
	return trace.Find(ctx, dir, q)
}
