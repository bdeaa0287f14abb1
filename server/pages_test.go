package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/plugins/lists"
	"facteur/plugins/lua"
	"facteur/plugins/plugintest"
	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/trial"
)

// The pages of examples/ show scripts, messages, and what the one does with the other:
// blocks ```lua, ```mail and ```result.

var (
	pageBlock = regexp.MustCompile("(?ms)^```(sieve|lua|mail|result)(| [^\n]*)\n(.*?)^```$")
	pageTitle = regexp.MustCompile(`(?m)^## (\d+)\. `)
)

// page is a page of examples/, in pieces.
type page struct {
	*testing.T
	host  *lua.Host
	file  string
	world *trial.World
}

func openPage(t *testing.T, name string) (page, string) {
	t.Helper()
	file := filepath.Join("..", "examples", name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	settings := plugintest.Settings(t, map[string]any{"folder": "../examples/sieve"})
	settings.Dir, _ = os.Getwd()
	host := lua.New(lua.Options{
		Modules: []lua.Module{plugintest.Open(t, lists.Plugin, settings)}, Log: slog.New(slog.DiscardHandler),
		Load: func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join("..", "examples", "sieve", filepath.Base(name)))
		},
	})
	return page{T: t, host: host, file: file}, string(text)
}

// check runs each script over the messages below it.
func (p page) check(text string) (scripts, results int) {
	var script *lua.Script
	var call []string // of the last mail block: options and text
	for _, at := range pageBlock.FindAllStringSubmatchIndex(text, -1) {
		kind, options, body := text[at[2]:at[3]], strings.TrimSpace(text[at[4]:at[5]]), text[at[6]:at[7]]
		where := fmt.Sprintf("%s:%d", p.file, 1+strings.Count(text[:at[0]], "\n"))
		switch kind {
		case "lua":
			compiled, err := p.host.Compile(where, []byte(body))
			if err != nil {
				p.Fatal(err)
			}
			script, call = compiled, nil
			scripts++
		case "mail":
			call = []string{options, body}
		case "result":
			if script == nil || call == nil {
				p.Fatalf("%s: a result without a script and a mail", where)
			}
			if got := p.run(where, script, call[0], call[1]); got != body {
				p.Errorf("%s: it is\n%swant\n%s", where, got, body)
			}
			results++
		}
	}
	return scripts, results
}

// run has a message come in, and returns what the script asks for, a line each.
func (p page) run(where string, script *lua.Script, options, text string) string {
	p.Helper()
	p.world = trial.NewWorld(time.UTC)
	p.world.Box = trial.NewBox(address.MustParse("alice@example.org"))
	p.world.Box.Names = append(p.world.Box.Names, "Archive", "Junk")
	facts := p.world.Facts()
	raw := mailText(text)
	if err := facts.SetBody(envelope.Bytes(raw)); err != nil {
		p.Fatalf("%s: %v", where, err)
	}
	if from := facts.Message.Content.Addresses("From"); len(from) > 0 {
		facts.Message.ReversePath = from[0]
	}
	rounds := 1
	for _, option := range strings.Fields(options) {
		key, value, _ := strings.Cut(option, "=")
		if key == "twice" {
			rounds = 2
			continue
		}
		p.option(where, &facts, key, value)
	}
	var said string
	for range rounds {
		said = p.once(where, script, facts, raw)
	}
	return said
}

// once runs the stages through which a message from outside goes.
func (p page) once(where string, script *lua.Script, facts trial.Facts, raw string) string {
	var lines strings.Builder
	for _, stage := range []hook.Stage{hook.Rcpt, hook.Data, hook.Deliver} {
		if !script.Handles(stage) {
			continue
		}
		res := hook.Run(p.Context(), []hook.Hook{{Program: script}}, p.world.Call(stage, facts))
		for _, f := range res.Failures {
			p.Fatalf("%s: %v", where, f.Err)
		}
		for _, a := range res.Actions {
			fmt.Fprintln(&lines, a)
			if a.Kind == hook.AddHeader && stage == hook.Data {
				raw = a.Name + ": " + a.Value + "\r\n" + raw
			}
		}
		if err := res.Commit(p.Context()); err != nil {
			p.Fatal(err)
		}
		if res.Refusal != nil || res.Discard {
			break
		}
		size := facts.Message.Size
		if err := facts.SetBody(envelope.Bytes(raw)); err != nil {
			p.Fatal(err)
		}
		facts.Message.Size, facts.Message.Spam = size, res.Spam
	}
	if lines.Len() == 0 {
		return "nothing\n"
	}
	return lines.String()
}

// option is a word behind ```mail.
func (p page) option(where string, facts *trial.Facts, key, value string) {
	p.Helper()
	m := &facts.Message
	var err error
	switch key {
	case "from":
		m.ReversePath, err = address.Address{}, nil
		if value != "<>" {
			m.ReversePath, err = address.Parse(value)
		}
	case "to":
		var to address.Address
		to, err = address.Parse(value)
		facts.SetRecipient(to)
		m.Recipients = []address.Address{to}
	case "size":
		m.Size, err = strconv.ParseInt(value, 10, 64)
	case "now":
		p.world.Now, err = time.Parse(time.RFC3339, value)
	case "ip":
		facts.Client.IP, err = netip.ParseAddr(value)
	case "rdns":
		facts.Client.RDNS = value
	case "spam":
		m.Spam.Score, err = strconv.ParseFloat(value, 64)
	case "virus":
		m.Virus = value
	case "spf", "dkim", "dmarc":
		if m.Auth == nil {
			m.Auth = &hook.Authenticity{}
		}
		*map[string]*string{"spf": &m.Auth.SPF, "dkim": &m.Auth.DKIM, "dmarc": &m.Auth.DMARC}[key] = value
	case "contact": // somebody one has written to
		var who address.Address
		who, err = address.Parse(value)
		p.world.Box.Contacts = map[address.Key]hook.Contact{who.Key(): {Written: p.world.Now.AddDate(0, -1, 0), Received: p.world.Now.AddDate(0, -1, 0)}}
	default:
		err = fmt.Errorf("unknown option %q", key)
	}
	if err != nil {
		p.Fatalf("%s: %v", where, err)
	}
}

// mailText completes a message: a page shows what matters of it.
func mailText(text string) string {
	header, body, _ := strings.Cut(text, "\n\n")
	header = strings.TrimSuffix(header, "\n")
	for _, field := range []string{"From: Carol <carol@example.net>", "To: alice@example.org", "Date: Mon, 15 Jun 2026 09:00:00 +0000", "Message-ID: <m1@example.net>", "Subject: Hello"} {
		name, _, _ := strings.Cut(field, ":")
		if !strings.Contains("\n"+header, "\n"+name+":") {
			header += "\n" + field
		}
	}
	return strings.ReplaceAll(strings.TrimPrefix(header, "\n")+"\n\n"+body, "\n", "\r\n")
}

// Each task of the page about Sieve has its script, and that does what the page says.
func TestSievePage(t *testing.T) {
	p, text := openPage(t, "sieve.md")
	tasks := len(pageTitle.FindAllString(text, -1))
	scripts, results := p.check(text)
	if tasks < 40 || scripts != tasks || results != tasks {
		t.Errorf("%d tasks, %d scripts, %d results", tasks, scripts, results)
	}
	for i, m := range pageTitle.FindAllStringSubmatch(text, -1) {
		if m[1] != strconv.Itoa(i+1) {
			t.Errorf("task %s is number %d", m[1], i+1)
		}
	}
}

// The Sieve beside it is Sieve: Pigeonhole compiles it.
func TestSieveOfPage(t *testing.T) {
	compiler, err := exec.LookPath("sievec")
	if err != nil {
		if os.Getenv("E2E_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("sievec (dovecot-sieve) is not installed")
	}
	dir := t.TempDir()
	conf := fmt.Sprintf("plugin {\n sieve_extensions = +spamtest +virustest +editheader +vnd.dovecot.environment\n sieve_dir = %[1]s\n sieve = %[1]s/x.sieve\n"+
		" sieve_spamtest_status_type = score\n sieve_spamtest_status_header = X-Spam-Score\n sieve_spamtest_max_value = 10\n"+
		" sieve_virustest_status_type = text\n sieve_virustest_status_header = X-Virus\n sieve_virustest_text_value1 = clean\n}\nlog_path = /dev/stderr\nbase_dir = %[1]s\nmail_location = maildir:%[1]s\n", dir)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("dovecot.conf", conf)
	write("colours.sieve", "keep;\n")
	_, text := openPage(t, "sieve.md")
	compiled := 0
	for i, m := range pageBlock.FindAllStringSubmatch(text, -1) {
		if m[1] != "sieve" || strings.Contains(m[3], "extlists") || strings.Contains(m[3], "ereject") { // Pigeonhole has neither: RFC 6134, 5429
			continue
		}
		script := write(fmt.Sprintf("rule%d.sieve", i), m[3])
		cmd := exec.Command(compiler, "-c", filepath.Join(dir, "dovecot.conf"), script)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s", m[3], bytes.TrimSpace(said))
		}
		compiled++
	}
	if compiled < 40 {
		t.Errorf("%d scripts compiled", compiled)
	}
}

// The steps of the tutorial do what it says.
func TestTutorial(t *testing.T) {
	p, text := openPage(t, "tutorial.md")
	steps := len(pageTitle.FindAllString(text, -1))
	scripts, results := p.check(text)
	if steps != 10 || scripts < 10 || results < 10 {
		t.Errorf("%d steps, %d scripts, %d results", steps, scripts, results)
	}
}
