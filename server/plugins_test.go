package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facteur/plugins/lua"
	"facteur/server/config"
)

// loadPlugins reads a file with these lines at its end.
func loadPlugins(t *testing.T, lines string) (*config.Config, []lua.Module, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail.toml")
	text := "hostname = \"mail.example.org\"\npostmaster = \"alice@example.org\"\nlisten.smtp = \"127.0.0.1:0\"\n[domains.\"example.org\"]\n[accounts.\"alice@example.org\"]\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := openPlugins(cfg)
	return cfg, modules, err
}

func TestPlugins(t *testing.T) {
	for lines, want := range map[string]string{
		"": "http lists",
		"[plugins.clamav]\naddress = \"127.0.0.1:3310\"\n[plugins.rspamd]\n": "clamav http lists rspamd",
		"[plugins]\ndnsbl = { ip = \"zen.example\" }\n":                      "blocklists http lists",
	} {
		_, modules, err := loadPlugins(t, lines)
		var names []string
		for _, m := range modules {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", lines, got, err, want)
		}
	}
}

func TestPluginProblems(t *testing.T) {
	for lines, want := range map[string]string{
		"[plugins.clamaw]\n":                          `:6:10: there is no plugin "clamaw" (there are clamav, dnsbl, http, lists, rspamd)`,
		"[plugins.clamav]\nport = 3310\n":             ":7:8: plugins.clamav: unknown key: there are address, max_size, timeout",
		"[plugins.clamav]\ntimeout = \"soon\"\n":      ":7:11: plugins.clamav: \"soon\" is no duration",
		"[plugins.dnsbl]\n":                           ":6:10: plugins.dnsbl: name a list",
		"[plugins.lists]\nfolder = \"none\"\nx = 1\n": ":7:10: plugins.lists: there is no such folder",
	} {
		_, _, err := loadPlugins(t, lines)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", lines, err, want)
		}
	}
}

var fence = regexp.MustCompile("(?ms)^```(toml|lua)\n(.*?)^```$")

// What the manual page of each plugin shows is there: its keys, its functions, and
// examples that compile.
func TestPluginPages(t *testing.T) {
	for _, p := range plugins {
		page, err := os.ReadFile(filepath.Join("..", "plugins", p.Name, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(page)
		var modules []lua.Module
		var scripts []string
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] == "lua" {
				scripts = append(scripts, block[2])
				continue
			}
			lines := block[2]
			if p.Name == "lists" { // the folder must be there
				lines = strings.Replace(lines, "/srv/lists", t.TempDir(), 1)
			}
			lines = strings.Replace(lines, `"rspamd.secret"`, `"`+secretFile(t)+`"`, 1)
			_, opened, err := loadPlugins(t, lines)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
			modules = opened
		}
		host := lua.New(lua.Options{Modules: modules})
		for _, source := range scripts {
			if _, err := host.Compile(p.Name+"/README.md", []byte(source)); err != nil {
				t.Error(err)
			}
		}
		if len(scripts) == 0 {
			t.Errorf("%s: no example", p.Name)
		}
		checkFunctions(t, p, modules, text)
	}
}

func secretFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkFunctions compares the table of a page with what its module has.
func checkFunctions(t *testing.T, p lua.Plugin, modules []lua.Module, page string) {
	for _, m := range modules {
		if m.Name != p.Name && !(p.Name == "dnsbl" && m.Name == "blocklists") {
			continue
		}
		for name := range m.Functions {
			if !regexp.MustCompile("(?m)^\\|.*`" + m.Name + `\.` + name + "[({].*\\|$").MatchString(page) {
				t.Errorf("%s: the page does not tell of %s.%s", p.Name, m.Name, name)
			}
		}
		for _, told := range regexp.MustCompile("(?m)^\\| `"+m.Name+`\.(\w+)`).FindAllStringSubmatch(page, -1) {
			if m.Functions[told[1]] == nil {
				t.Errorf("%s: the page tells of %s.%s, which is not there", p.Name, m.Name, told[1])
			}
		}
		return
	}
	t.Errorf("%s: the settings of its page do not turn it on", p.Name)
}

// Whether modules are made anew depends on what the plugins read.
func TestSamePlugins(t *testing.T) {
	dir := t.TempDir()
	load := func(lines string) *config.Config {
		cfg, _, _ := loadPlugins(t, lines)
		cfg.File = dir
		return cfg
	}
	with := load("[plugins.clamav]\naddress = \"127.0.0.1:1\"\n")
	for lines, want := range map[string]bool{
		"[plugins.clamav]\naddress = \"127.0.0.1:1\"\n":          true,
		"[trust]\n[plugins.clamav]\naddress = \"127.0.0.1:1\"\n": true,
		"[plugins.clamav]\naddress = \"127.0.0.1:2\"\n":          false,
		"": false,
		"[lua]\nhttp = [\"a.example\"]\n[plugins.clamav]\naddress = \"127.0.0.1:1\"\n":        false,
		"[plugins.clamav]\naddress = \"127.0.0.1:1\"\n[plugins.rspamd]\nmax_size = \"1 B\"\n": false,
	} {
		if samePlugins(with, load(lines)) != want {
			t.Errorf("%q: %v", lines, !want)
		}
	}
}
