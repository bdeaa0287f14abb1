package server

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/certs"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/relay"
)

// settings is everything that one version of mail.toml leads to, checked and
// loaded, before any of it is in force. It is never changed.
type settings struct {
	*config.Config
	directory *directory.Directory
	host      *lua.Host          // that of the settings before, while limits and plugins are the same
	modules   []lua.Module       // of the plugins that are on
	includes  *includes          // of the host
	scripts   map[string]*script // by their name in mail.toml
	certs     *certs.Bundle
	smarthost *relay.Smarthost // nil: none
	loaded    time.Time
}

// problems is an error of several lines, one a problem.
type problems []control.Problem

func (p problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// listProblems returns the problems that an error is made of.
func listProblems(err error) problems {
	var (
		list    problems
		several *config.Errors
		script  *lua.Error
		joined  interface{ Unwrap() []error }
	)
	switch {
	case errors.As(err, &list):
		return list
	case errors.As(err, &several):
		for _, p := range several.Problems {
			list = append(list, control.Problem(p))
		}
		return list
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			list = append(list, listProblems(e)...)
		}
		return list
	case errors.As(err, &script):
		return problems{{File: script.Script, Line: script.Line, Text: script.Text}}
	}
	return problems{{Text: err.Error()}}
}

// loadSettings reads mail.toml and its scripts. Scripts that did not change
// are those of old, which may be nil. When it is the scripts that are wrong, the
// settings are returned beside the error.
func loadSettings(path string, old *settings) (*settings, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	s := &settings{Config: cfg, directory: directory.New(cfg.Directory), scripts: make(map[string]*script), loaded: time.Now()}
	var wrong problems
	if err := s.openHost(old); err != nil {
		return nil, err
	}
	for _, f := range cfg.ScriptFiles {
		compiled, err := s.compile(f, old)
		if compiled != nil {
			s.scripts[f.Name] = compiled
		}
		if err != nil {
			wrong = append(wrong, listProblems(err)...)
		}
	}
	if len(wrong) > 0 {
		return s, wrong
	}
	return s, nil
}

func luaLimits(c config.Lua) lua.Limits {
	return lua.Limits{
		Instructions: c.Instructions, SMTPTime: c.CPUSMTP, DeliverTime: c.CPUDeliver, Memory: c.Memory,
		Actions: c.Actions, Redirects: orNone(c.Redirects), Vacations: orNone(c.Vacations), Replies: orNone(c.Replies),
		Notices: orNone(c.Notices), Lookups: orNone(c.Lookups), Source: int(c.ScriptSize),
	}
}

// orNone is a number of mail.toml as lua.Limits has it, where 0 is the default.
func orNone(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// hooks returns the scripts of those names, in order.
func (s *settings) hooks(names []string) []hook.Hook {
	var out []hook.Hook
	for _, n := range names {
		if sc := s.scripts[n]; sc != nil {
			out = append(out, sc.Hook)
		}
	}
	return out
}

// boxHooks returns the scripts of a mailbox's domain and its own.
func (s *settings) boxHooks(a address.Address) []hook.Hook {
	box, ok := s.directory.Box(a)
	if !ok {
		return nil
	}
	return s.hooks(box.Scripts)
}

// domainHooks returns the scripts of a domain.
func (s *settings) domainHooks(name address.Domain) []hook.Hook {
	return s.hooks(s.directory.Scripts(name))
}

// handled returns a function that tells whether any script is for a stage.
func (s *settings) handled() func(hook.Stage) bool {
	stages := make(map[hook.Stage]bool)
	for _, sc := range s.scripts {
		for _, stage := range hook.Stages {
			stages[stage] = stages[stage] || sc.Program.Handles(stage)
		}
	}
	return func(stage hook.Stage) bool { return stages[stage] }
}

// deliverHooks returns all scripts of a mailbox, the server's first.
func (s *settings) deliverHooks(a address.Address) []hook.Hook {
	return append(s.hooks(s.Scripts), s.boxHooks(a)...)
}

// loadCerts reads the certificates, or makes one below the data folder.
func loadCerts(s *settings) (*certs.Bundle, error) {
	o := certs.Options{
		Cert: s.TLS.Cert, Key: s.TLS.Key, Hostname: string(s.Hostname), Dir: filepath.Join(s.Data, "tls"),
	}
	for _, d := range s.TLS.Domains {
		o.Domains = append(o.Domains, certs.Domain(d))
	}
	return certs.Load(o)
}
