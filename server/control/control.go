// Package control is the socket by which the command line talks to the running
// server: HTTP with JSON over data/control.sock. Who may open the socket may do
// all that it offers; its file is for the server's own user alone (0600).
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/report"
)

// Status is the answer to `facteur status`.
type Status struct {
	Version    string     `json:"version"`
	PID        int        `json:"pid"`
	Started    time.Time  `json:"started"`
	Config     string     `json:"config"`
	LoadedAt   time.Time  `json:"loaded_at"` // when the settings in force were loaded
	LastReload *Reload    `json:"last_reload,omitempty"`
	Listeners  []Listener `json:"listeners"`
	Accounts   int        `json:"accounts"`
	Queue      int        `json:"queue"` // recipients that wait in the spool
	QueueStatus
	Relay string `json:"relay,omitempty"` // why nothing leaves through the relay; "" is well
	LimitStatus
	Scripts []ScriptStatus    `json:"scripts,omitempty"`
	Failing []FailingCalendar `json:"failing_calendars,omitempty"`
	Memory  uint64            `json:"memory"`
	// Warnings are what people should know of certificates and settings.
	Warnings []string  `json:"warnings,omitempty"`
	Removed  []Removed `json:"removed,omitempty"` // accounts that are gone from the settings, whose mail is still there
}

// FailingCalendar is a calendar that somebody subscribed to and that can't be fetched.
type FailingCalendar struct {
	Owner string    `json:"owner"`
	Name  string    `json:"name"`
	Host  string    `json:"host"` // that publishes it
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
}

// Removed is an account that mail.toml does not name any more.
type Removed struct {
	Account string     `json:"account"`
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until,omitempty"` // when its folder moves to removed/; nil: never
}

// Reload is how the last reload ended. Problems is empty when it succeeded.
type Reload struct {
	At       time.Time `json:"at"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one thing wrong with the settings. Line and Col count from 1;
// they are 0 where there is no place to name.
type Problem struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"` // what to do about it
}

// String returns "mail.toml:12:3: text (hint)".
func (p Problem) String() string {
	s := p.File
	for _, n := range []int{p.Line, p.Col} {
		if n > 0 {
			s += fmt.Sprintf(":%d", n)
		}
	}
	if s != "" {
		s += ": "
	}
	s += p.Text
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Listener is an address on which the server listens.
type Listener struct {
	Service string `json:"service"`
	Address string `json:"address"`
	Proxied bool   `json:"proxied,omitempty"` // proxies may speak for others there
}

// Backend is the server as the command line sees it.
type Backend interface {
	Status() Status
	Reload() Reload
	QueueBackend
	LimitBackend
	TransferBackend
	// Upkeep works on mail and tells what it does, a line at a time.
	Upkeep(ctx context.Context, r UpkeepRequest, say func(line string)) error
	// Report sums up what other servers reported in the last days.
	Report(ctx context.Context, days int) (*report.Digest, error)
	// Domain tells what belongs into the DNS. It makes keys where there are none, and
	// with rotate new ones.
	Domain(ctx context.Context, name string, rotate bool) (DomainFacts, error)
}

// Server answers on the socket.
type Server struct {
	http http.Server
	ln   net.Listener
}

// Listen makes the socket at path, in place of a stale one. The caller holds
// the lock of the data folder, so that no other server can be using it.
func Listen(path string, b Backend) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	short, release, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer release()
	ln, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // by its short name it would be gone already
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, b.Status()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) { answer(w, b.Reload()) })
	mux.HandleFunc("POST /account/reopen", serveWork(b.Reopen))
	mux.HandleFunc("POST /unblock", serveWork(b.Unblock))
	mux.HandleFunc("POST /upkeep", serveWork(b.Upkeep))
	mux.HandleFunc("GET /queue", serveQueue(b))
	mux.HandleFunc("GET /queue/{id}", serveQueueShow(b))
	mux.HandleFunc("POST /queue", serveWork(b.QueueWork))
	mux.HandleFunc("POST /transfer", serveTransfer(b))
	mux.HandleFunc("GET /report", serveReport(b))
	mux.HandleFunc("POST /domain", serveDomain(b))
	s := &Server{ln: ln, http: http.Server{Handler: mux, ReadTimeout: 10 * time.Second}}
	return s, nil
}

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// maxSocketPath is the longest path that fits into a socket address (unix(7)).
const maxSocketPath = 107

// shorten returns a name for path that fits into a socket address: a long one
// is reached through an open descriptor of its folder, until release.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}

// Close ends the socket and the requests on it.
func (s *Server) Close() error { return s.http.Close() }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that left gets nothing
}

// Client talks to the server behind a socket.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		short, release, err := shorten(path)
		if err != nil {
			return nil, err
		}
		defer release()
		var d net.Dialer
		return d.DialContext(ctx, "unix", short)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: time.Minute}}
}

// Status asks for the server's state.
func (c *Client) Status() (s Status, err error) { return s, c.call(http.MethodGet, "/status", &s) }

// Reload has the server load its settings anew.
func (c *Client) Reload() (r Reload, err error) { return r, c.call(http.MethodPost, "/reload", &r) }

// maxAnswer bounds what is read of an answer, in octets.
const maxAnswer = 256 << 20

func (c *Client) call(method, path string, into any) error {
	req, err := http.NewRequest(method, "http://facteur"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.absent(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusInternalServerError:
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
		return errors.Join(errors.New(strings.TrimSpace(string(text))), err)
	default:
		return fmt.Errorf("the server at %s answered %s: is it an older facteur?", c.path, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}
