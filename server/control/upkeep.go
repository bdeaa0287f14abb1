package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// UpkeepRequest asks for work on the mail of accounts and shared mailboxes.
type UpkeepRequest struct {
	Verb     string    `json:"verb"`               // verify, reindex, undelete, replay
	Accounts []string  `json:"accounts,omitempty"` // none: all
	Since    time.Time `json:"since,omitzero"`     // undelete: what was expunged at that time or later; replay: what came
	Folder   string    `json:"folder,omitempty"`   // undelete, replay: of this folder; "": of all
	List     bool      `json:"list,omitempty"`     // undelete: only tell what there is

	Script string            `json:"script,omitempty"` // replay: its name
	Source string            `json:"source,omitempty"` // and what is in it
	Files  map[string]string `json:"files,omitempty"`  // and in what it includes
	Limit  int               `json:"limit,omitempty"`  // replay: the newest messages of each folder; 0: all
	Apply  bool              `json:"apply,omitempty"`  // replay: move and flag
}

// said is one line of the answer. The last one has Done, or an Error.
type said struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

// maxRequest bounds a request, in octets.
const maxRequest = 4 << 20

// serveWork answers with a stream of lines, for the work may take long.
func serveWork[Request any](work func(context.Context, Request, func(line string)) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req Request
		if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&req); err != nil {
			http.Error(w, "not a request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := json.NewEncoder(w)
		flush := http.NewResponseController(w)
		tell := func(s said) {
			_ = out.Encode(s) // a client that left hears nothing
			_ = flush.Flush()
		}
		last := said{Done: true}
		if err := work(r.Context(), req, func(line string) { tell(said{Text: line}) }); err != nil {
			last = said{Error: err.Error()}
		}
		tell(last)
	}
}

// Upkeep has the running server work on mail; each line that it says goes to
// say.
func (c *Client) Upkeep(ctx context.Context, r UpkeepRequest, say func(line string)) error {
	return c.work(ctx, "/upkeep", r, say)
}

// work has the running server do something that it tells of in lines.
func (c *Client) work(ctx context.Context, path string, r any, say func(line string)) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://facteur"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	patient := c.http
	patient.Timeout = 0 // a large account takes long
	resp, err := patient.Do(req)
	if err != nil {
		return c.absent(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s answered %s: is it an older facteur?", c.path, resp.Status)
	}
	in := json.NewDecoder(resp.Body)
	for {
		var s said
		if err := in.Decode(&s); err != nil {
			return fmt.Errorf("the server ended before the work was done: %w", err)
		}
		switch {
		case s.Error != "":
			return errors.New(s.Error)
		case s.Done:
			return nil
		}
		say(s.Text)
	}
}

// ErrNoServer tells that no server answers on the socket.
var ErrNoServer = errors.New("no server answers")

// absent is the error when the socket gave none.
func (c *Client) absent(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w at %s: is `facteur serve` running with this mail.toml?", ErrNoServer, c.path)
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%s may not be used by you: run this as the user of the server, or as root", c.path)
	}
	var op *net.OpError // without the names of the protocol around it
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w at %s: %w", ErrNoServer, c.path, err)
}
