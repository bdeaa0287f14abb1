package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// QueueStatus counts the entries of the spool.
type QueueStatus struct {
	Messages int        `json:"queue_messages"`
	Held     int        `json:"queue_held"`             // of them
	Oldest   *time.Time `json:"queue_oldest,omitempty"` // when the oldest was received
}

// Queued is an entry of the spool.
type Queued struct {
	ID         string            `json:"id"`
	Since      time.Time         `json:"since"`
	Size       int64             `json:"size"`
	Sender     string            `json:"sender"`               // "" is the null reverse-path
	Hold       string            `json:"hold,omitempty"`       // why it is held
	Quarantine bool              `json:"quarantine,omitempty"` // a script holds it, to be looked at
	NotBefore  *time.Time        `json:"not_before,omitempty"`
	Expires    *time.Time        `json:"expires,omitempty"` // when it is given up; nil while it is held
	Recipients []QueuedRecipient `json:"recipients"`        // that are not done; QueuedDetail has all
}

// QueuedRecipient is one recipient of a Queued.
type QueuedRecipient struct {
	Address   string     `json:"address"`
	Forwarder string     `json:"forwarder,omitempty"` // who forwards to it
	Local     bool       `json:"local,omitempty"`     // a mailbox here
	Via       string     `json:"via,omitempty"`       // the server through which it leaves, when a script said so
	State     string     `json:"state"`               // waiting, held, scheduled; delivered, sent, failed, dropped
	Attempts  int        `json:"attempts"`
	Next      *time.Time `json:"next,omitempty"`
	Tried     *time.Time `json:"tried,omitempty"`
	Reply     string     `json:"reply,omitempty"`   // why, in plain words
	Detail    string     `json:"detail,omitempty"`  // more of it
	Delayed   bool       `json:"delayed,omitempty"` // the sender was told that it takes long
	Owed      bool       `json:"owed,omitempty"`    // the sender is yet to be told how it ended
}

// QueuedDetail is all that is known of an entry.
type QueuedDetail struct {
	Queued
	Subject    string `json:"subject,omitempty"`
	MessageID  string `json:"message_id"` // in Received, the log and the trace
	Account    string `json:"account,omitempty"`
	Client     string `json:"client,omitempty"` // address of who brought it
	Ret        string `json:"ret,omitempty"`
	EnvID      string `json:"envid,omitempty"`
	RequireTLS bool   `json:"requiretls,omitempty"`
	Running    bool   `json:"running,omitempty"` // an attempt is under way
}

// QueueFilter chooses entries: "" is any, a domain or an address those.
type QueueFilter struct {
	From string `json:"from,omitempty"` // "<>" is the null reverse-path
	To   string `json:"to,omitempty"`   // of a recipient that is not done
}

// QueueRequest asks for work on the queue.
type QueueRequest struct {
	Verb   string   `json:"verb"`          // retry, hold, release, drop
	IDs    []string `json:"ids,omitempty"` // none: all that the filter chooses
	Reason string   `json:"reason,omitempty"`
	QueueFilter
}

// QueueBackend is the queue as the command line sees it.
type QueueBackend interface {
	// Queue tells the entries, oldest first.
	Queue(f QueueFilter, each func(Queued) error) error
	QueueShow(id string) (QueuedDetail, error)
	// QueueWork works on entries and tells what it does, a line at a time.
	QueueWork(ctx context.Context, r QueueRequest, say func(line string)) error
}

// entryOrEnd is one line of a list. The last one has Done, or an Error.
type entryOrEnd struct {
	*Queued
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

// serveQueue answers with a line for each entry, for there may be many.
func serveQueue(b QueueBackend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := json.NewEncoder(w)
		f := QueueFilter{From: r.FormValue("from"), To: r.FormValue("to")}
		last := entryOrEnd{Done: true}
		if err := b.Queue(f, func(q Queued) error { return out.Encode(entryOrEnd{Queued: &q}) }); err != nil {
			last = entryOrEnd{Error: err.Error()}
		}
		_ = out.Encode(last) // a client that left hears nothing
	}
}

func serveQueueShow(b QueueBackend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := b.QueueShow(r.PathValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		answer(w, d)
	}
}

// Queue tells the entries that a filter chooses, oldest first.
func (c *Client) Queue(f QueueFilter, each func(Queued) error) error {
	resp, err := c.get("/queue?" + url.Values{"from": {f.From}, "to": {f.To}}.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := json.NewDecoder(resp.Body)
	for {
		var e entryOrEnd
		if err := in.Decode(&e); err != nil {
			return fmt.Errorf("the server ended before the list did: %w", err)
		}
		switch {
		case e.Error != "":
			return errors.New(e.Error)
		case e.Queued == nil:
			return nil
		}
		if err := each(*e.Queued); err != nil {
			return err
		}
	}
}

// QueueShow tells all of an entry.
func (c *Client) QueueShow(id string) (d QueuedDetail, err error) {
	resp, err := c.get("/queue/" + url.PathEscape(id))
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	return d, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&d)
}

// QueueWork has the running server work on the queue; each line that it says goes to
// say.
func (c *Client) QueueWork(ctx context.Context, r QueueRequest, say func(line string)) error {
	return c.work(ctx, "/queue", r, say)
}

// get asks without a limit of time: a long list takes long. An answer that is not 200
// is an error with its text.
func (c *Client) get(path string) (*http.Response, error) {
	patient := c.http
	patient.Timeout = 0
	resp, err := patient.Get("http://facteur" + path)
	if err != nil {
		return nil, c.absent(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return nil, errors.New(string(bytes.TrimSpace(text)))
}
