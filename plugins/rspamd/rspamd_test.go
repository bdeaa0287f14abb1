package rspamd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/plugins/lua"
	"facteur/plugins/plugintest"
	"facteur/server/hook"
)

// daemonOf is a plugin that asks a handler.
func daemonOf(t *testing.T, h http.HandlerFunc, more map[string]any) lua.Module {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	values := map[string]any{"url": server.URL, "learn": server.URL}
	for key, value := range more {
		values[key] = value
	}
	s := plugintest.Settings(t, values)
	if more["password_file"] != nil {
		if err := os.WriteFile(filepath.Join(s.Dir, "rspamd.secret"), []byte("hush\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return plugintest.Open(t, Plugin, s)
}

const check = `local r, problem = rspamd.check()
	if not r then return log("problem", problem) end
	log(r.score, r.required, r.action, r.symbols.BAYES_SPAM, r.symbols.NOTHING)`

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		status    int
		body      string
		want, not string
	}{
		{200, `{"score": 7.5, "required_score": 15, "action": "add header", "symbols": {"BAYES_SPAM": {"score": 5.1, "description": "x"}}}`, "7.5\t15\tadd header\t5.1\tnil", ""},
		{200, `{"score": -1}`, "-1\t0\t\tnil\tnil", ""},
		{200, `{"error": "no such"}`, "problem\trspamd says \"no such\"", ""},
		{200, `{"is_skipped": true, "action": "reject", "score": 20}`, "20\t0\treject\tnil\tnil", ""}, // decided before its rules
		{200, `{"score": `, "problem\trspamd: unexpected EOF", ""},
		{200, `{"score": "many"}`, "problem\trspamd: json", ""},
		{403, `secret words`, "problem\trspamd answers 403 Forbidden", "secret"},
		{302, ``, "problem\trspamd answers 302 Found", ""},
	} {
		m := daemonOf(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}, nil)
		got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), check)
		if !strings.HasPrefix(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%d %s: %q, want %q", c.status, c.body, got, c.want)
		}
	}
}

// What rspamd is told of a message.
func TestRequest(t *testing.T) {
	var got string
	m := daemonOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		got = fmt.Sprintln(r.Method, r.URL.Path, h.Get("From"), h["Rcpt"], h.Get("IP"), h.Get("Helo"), h.Get("Hostname"), h.Get("Queue-Id"), h.Get("Password"), string(body) == plugintest.Message)
		io.WriteString(w, "{}")
	}, map[string]any{"password_file": "rspamd.secret"})
	plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), "assert(rspamd.check())")
	if want := "POST /checkv2 carol@elsewhere.net [alice@example.org] 192.0.2.7 mx.elsewhere.net mx.elsewhere.net m1 hush true\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// A client can't add header fields of its own.
	call := plugintest.Call(t, plugintest.Message)
	call.Client.Helo = "x\r\nUser: root"
	plugintest.Run(t, m, call, "assert(rspamd.check())")
	if !strings.Contains(got, "192.0.2.7  mx") {
		t.Errorf("%q", got)
	}
}

func TestLearn(t *testing.T) {
	var got string
	answer := `{"success": true}`
	m := daemonOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(body)
		io.WriteString(w, answer)
	}, nil)
	if err := m.Learn(t.Context(), "spam", strings.NewReader("x")); err != nil || got != "/learnspam x" {
		t.Error(err, got)
	}
	if err := m.Learn(t.Context(), "ham", strings.NewReader("y")); err != nil || got != "/learnham y" {
		t.Error(err, got)
	}
	answer = `{"error": "no password"}`
	if err := m.Learn(t.Context(), "ham", strings.NewReader("y")); err == nil || !strings.Contains(err.Error(), "no password") {
		t.Error(err)
	}
	off := plugintest.Open(t, Plugin, plugintest.Settings(t, nil))
	if off.Learn != nil {
		t.Error("it learns without a controller")
	}
}

func TestLimits(t *testing.T) {
	m := daemonOf(t, func(w http.ResponseWriter, r *http.Request) { t.Error("asked") }, map[string]any{"max_size": "10 B"})
	if got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), check); got != "problem\trspamd: the message is larger than 10 octets" {
		t.Error(got)
	}
	call := plugintest.Call(t, plugintest.Message)
	call.Services.Outside = false
	if got := plugintest.Run(t, m, call, check); got != "problem\tnothing outside is reached in a dry run" {
		t.Error(got)
	}
	call.Stage, call.Message.Content = hook.Rcpt, nil
	if out := plugintest.Try(t, m, call, check); out.Err == nil || errors.Is(out.Err, lua.ErrTime) {
		t.Error(out.Err)
	}
}

func TestSettings(t *testing.T) {
	got := plugintest.Problems(Plugin, plugintest.Settings(t, map[string]any{
		"url": "127.0.0.1:11333", "learn": "ftp://x", "password_file": "none", "timeout": "0s", "user": "x",
	}))
	for _, want := range []string{"url: write", "learn: write", "password_file: the file can't be read", "timeout: ", "user: unknown key"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
