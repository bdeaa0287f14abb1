// Package rspamd lets scripts ask an rspamd about a message, and teaches it what
// people take for spam. Its manual page is README.md.
//
// It speaks HTTP: POST /checkv2 to a worker, POST /learnspam and /learnham to the
// controller.
package rspamd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/server/hook"
)

// Plugin is rspamd.
var Plugin = lua.Plugin{Name: "rspamd", New: open}

// daemon is an rspamd.
type daemon struct {
	check, learn *service // learn nil: nothing is learnt
	password     string
	most         int64 // octets of a message that is asked about
	timeout      time.Duration
}

// service is a worker of rspamd.
type service struct {
	base   string // "http://127.0.0.1:11333"
	client *http.Client
}

// open reads [plugins.rspamd].
func open(s *lua.Settings) lua.Module {
	d := &daemon{
		check: newService(s, "url", "http://127.0.0.1:11333"), learn: newService(s, "learn", ""), password: s.Secret("password_file"),
		most: s.Size("max_size", 25_000_000), timeout: s.Duration("timeout", 8*time.Second),
	}
	m := lua.Module{Name: "rspamd", Functions: map[string]lua.Func{"check": d.checkCall}}
	if d.learn != nil {
		m.Learn = d.teach
	}
	return m
}

// newService reads where a worker is: a URL, or "unix:" and the path of a socket; nil for
// nowhere.
func newService(s *lua.Settings, key, otherwise string) *service {
	at := s.Text(key, otherwise)
	if at == "" {
		return nil
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		at = "http://rspamd"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil {
		s.Fail(key, `write "http://127.0.0.1:11333", or "unix:/run/rspamd/worker.sock"`)
	}
	return &service{at, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// checkCall is rspamd.check().
func (d *daemon) checkCall(a *lua.Args) (any, error) {
	if _, err := a.Content(); err != nil {
		return nil, err
	}
	if err := a.Outside(); err != nil {
		return nil, err
	}
	v, err := d.ask(a.Context(), a.Call())
	if err != nil {
		return nil, err
	}
	return v.table(), nil
}

// answer is what /checkv2 says, as far as scripts want to know.
type answer struct {
	Score    float64           `json:"score"`
	Required float64           `json:"required_score"`
	Action   string            `json:"action"`
	Symbols  map[string]symbol `json:"symbols"`
	Error    string            `json:"error"`
}

type symbol struct {
	Score       float64 `json:"score"`
	Description string  `json:"description"`
}

// maxSymbols bounds what a script gets.
const maxSymbols = 500

func (v answer) table() map[string]any {
	symbols := make(map[string]any)
	for name, s := range v.Symbols {
		if len(symbols) == maxSymbols {
			break
		}
		symbols[name] = s.Score
	}
	return map[string]any{"score": v.Score, "required": v.Required, "action": v.Action, "symbols": symbols}
}

// ask has the message of a call checked.
func (d *daemon) ask(ctx context.Context, call *hook.Call) (v answer, err error) {
	m := call.Message
	if m.Size > d.most {
		return v, fmt.Errorf("rspamd: the message is larger than %d octets", d.most)
	}
	header := make(http.Header)
	add := func(name, value string) {
		if value != "" && !strings.ContainsAny(value, "\r\n") {
			header.Add(name, value)
		}
	}
	add("From", m.ReversePath.String())
	for _, r := range m.Recipients {
		add("Rcpt", r.String())
	}
	add("Queue-Id", m.ID)
	if c := call.Client; c != nil {
		if c.IP.IsValid() {
			add("IP", c.IP.String())
		}
		add("Helo", c.Helo)
		add("Hostname", c.RDNS)
		add("User", c.User)
		add("TLS-Version", c.TLSVersion)
		add("TLS-Cipher", c.TLSCipher)
	}
	if err := d.post(ctx, d.check, "/checkv2", header, m.Content.Raw(), &v); err != nil {
		return v, err
	}
	if v.Error != "" {
		return v, fmt.Errorf("rspamd says %q", v.Error)
	}
	return v, nil
}

// teach has rspamd learn a message.
func (d *daemon) teach(ctx context.Context, kind string, raw io.Reader) error {
	var v struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
	}
	err := d.post(ctx, d.learn, "/learn"+kind, http.Header{}, raw, &v)
	if err == nil && v.Error != "" {
		return fmt.Errorf("rspamd says %q", v.Error)
	}
	return err
}

// maxAnswer bounds an answer, in octets.
const maxAnswer = 1 << 20

// post sends a message and reads the JSON of the answer.
func (d *daemon) post(ctx context.Context, to *service, path string, header http.Header, body io.Reader, into any) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.base+path, io.LimitReader(body, d.most))
	if err != nil {
		return fmt.Errorf("rspamd: %w", err)
	}
	req.Header = header
	if d.password != "" {
		req.Header.Set("Password", d.password)
	}
	res, err := to.client.Do(req)
	if err != nil {
		return fmt.Errorf("rspamd: %w", err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent, http.StatusAlreadyReported: // learnt before
		return nil
	default:
		return fmt.Errorf("rspamd answers %s", res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("rspamd: %w", err)
	}
	return nil
}
