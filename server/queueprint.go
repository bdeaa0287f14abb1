package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"facteur/server/control"
	"facteur/server/fault"
)

// queueOf runs something with the running server's queue, or with that of a server
// that does not run.
func queueOf(path string, do func(control.QueueBackend) error) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	if err := do(c); !errors.Is(err, control.ErrNoServer) {
		return err
	}
	q, release, err := offlineQueue(path)
	if err != nil {
		return err
	}
	defer release()
	return do(q)
}

// PrintQueue prints what waits in the spool, as JSON an array.
func PrintQueue(w io.Writer, path string, f control.QueueFilter, asJSON bool) error {
	return queueOf(path, func(q control.QueueBackend) error {
		n, now := 0, time.Now()
		err := q.Queue(f, func(e control.Queued) error {
			n++
			if asJSON {
				return printElement(w, n, e)
			}
			printQueued(w, e, now)
			return nil
		})
		switch {
		case err != nil:
			return err
		case asJSON && n == 0:
			fmt.Fprintln(w, "[]")
		case asJSON:
			fmt.Fprintln(w, "\n]")
		case n == 0 && f != control.QueueFilter{}:
			fmt.Fprintln(w, "There is no such message in the queue.")
		case n == 0:
			fmt.Fprintln(w, "The queue is empty.")
		}
		return nil
	})
}

// printElement prints the nth element of a JSON array, which may be long.
func printElement(w io.Writer, n int, v any) error {
	b, err := json.MarshalIndent(v, "  ", "  ")
	if err != nil {
		return err
	}
	before := ",\n  "
	if n == 1 {
		before = "[\n  "
	}
	_, err = w.Write(append([]byte(before), b...))
	return err
}

// PrintQueued prints all that is known of an entry.
func PrintQueued(w io.Writer, path, id string, asJSON bool) error {
	return queueOf(path, func(q control.QueueBackend) error {
		d, err := q.QueueShow(id)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(w, d)
		}
		printDetail(w, d, time.Now())
		return nil
	})
}

// QueueWork works on the queue, and prints what it does.
func QueueWork(ctx context.Context, w io.Writer, path string, r control.QueueRequest) error {
	return queueOf(path, func(q control.QueueBackend) error {
		return q.QueueWork(ctx, r, func(line string) { fmt.Fprintln(w, line) })
	})
}

func printQueued(w io.Writer, e control.Queued, now time.Time) {
	fmt.Fprintf(w, "%s  %s  %d octets  from <%s>\n", e.ID, e.Since.Local().Format(time.DateTime), e.Size, e.Sender)
	switch {
	case e.Quarantine:
		fmt.Fprintf(w, "    in quarantine until it is released: %s\n", e.Hold)
	case e.Hold != "":
		fmt.Fprintf(w, "    held until it is released: %s\n", e.Hold)
	}
	for _, r := range e.Recipients {
		fmt.Fprintf(w, "    %s\n", recipientLine(e, r, now))
	}
	if len(e.Recipients) == 0 {
		fmt.Fprintln(w, "    nobody waits; the sender is yet to be told")
	}
}

func printDetail(w io.Writer, d control.QueuedDetail, now time.Time) {
	printQueued(w, d.Queued, now)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %s: %s\n", name, value)
		}
	}
	line("subject", shown(d.Subject))
	if d.MessageID != d.ID {
		line("message", d.MessageID)
	}
	line("account", d.Account)
	line("client", d.Client)
	if d.NotBefore != nil {
		line("not before", moment(*d.NotBefore, now))
	}
	if d.Expires != nil {
		line("given up", moment(*d.Expires, now))
	}
	line("returned if it fails", map[string]string{"FULL": "the whole message", "HDRS": "the header"}[d.Ret])
	line("envelope id", d.EnvID)
	if d.RequireTLS {
		line("transport", "only under verified TLS (REQUIRETLS)")
	}
	if d.Running {
		line("now", "an attempt is under way")
	}
	for _, r := range d.Recipients {
		if r.Tried != nil {
			line(r.Address, fmt.Sprintf("%s, the last one %s", counted(r.Attempts, "attempt"), moment(*r.Tried, now)))
		}
		if r.Detail != "" && r.Detail != r.Reply {
			line("  detail", r.Detail)
		}
	}
}

// recipientLine tells in plain words how it stands with a recipient.
func recipientLine(e control.Queued, r control.QueuedRecipient, now time.Time) string {
	who := r.Address
	if r.Local {
		who += " (a mailbox here)"
	}
	if r.Forwarder != "" {
		who += " (by way of " + r.Forwarder + ")"
	}
	if r.Via != "" {
		who += " (through " + r.Via + ")"
	}
	because := ""
	if r.Reply != "" {
		because = ": " + r.Reply
	}
	switch r.State {
	case "held":
		return who + " is held" // why: above, for all of them
	case "scheduled":
		return who + " waits until " + moment(*r.Next, now) + ", as its sender wants"
	case "waiting":
		if r.Next == nil || !r.Next.After(now) {
			return fmt.Sprintf("%s is due (%s try)%s", who, ordinal(r.Attempts+1), because)
		}
		return fmt.Sprintf("%s waits until %s (%s try)%s", who, moment(*r.Next, now), ordinal(r.Attempts+1), because)
	}
	told := ""
	if r.Owed {
		told = " (the sender is yet to be told)"
	}
	return who + " " + map[string]string{
		"delivered": "is delivered", "sent": "is done", "failed": "failed for good", "dropped": "was dropped by the operator",
	}[r.State] + because + told
}

// moment is a time for people: of today without the date.
func moment(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2 January 15:04")
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// faultOf returns the text of a fault.
func faultOf(err error) (string, bool) {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Text, true
	}
	return "", false
}

// queueStatus prints the counts of the queue.
func queueStatus(w io.Writer, st control.Status) {
	if st.Messages == 0 {
		fmt.Fprintln(w, "queue: empty")
		return
	}
	fmt.Fprintf(w, "queue: %s of %s", counted(st.Queue, "recipient"), counted(st.Messages, "message"))
	if st.Held > 0 {
		fmt.Fprintf(w, ", %d held", st.Held)
	}
	if st.Oldest != nil {
		fmt.Fprintf(w, ", the oldest of %s", st.Oldest.Local().Format(time.DateTime))
	}
	fmt.Fprintln(w)
}
