package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A script that ships need not be there; a file of its name wins.
func TestBuiltIn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mail.toml")
	const text = `
hostname   = "mail.example.org"
postmaster = "a@example.org"
scripts    = ["./scripts/lists.lua"]
[listen]
imap = "127.0.0.1:0"
[domains."example.org"]
[accounts."a@example.org"]
password = "$2b$04$abcdefghijklmnopqrstuukpT6/rAWFFcbBfEblfGqmNEecvFUNVy"
`
	load := func(text string) (Script, *Config, error) {
		t.Helper()
		c, err := Parse(file, []byte(text))
		if err != nil {
			return Script{}, nil, err
		}
		return c.ScriptFiles[0], c, nil
	}
	s, c, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	source, err := s.Read()
	if s.Name != "scripts/lists.lua" || !s.BuiltIn || err != nil || !strings.Contains(string(source), "function deliver") {
		t.Errorf("%+v, %v", s, err)
	}
	if slices.Contains(c.Files(), s.Path) {
		t.Errorf("a folder that is not there is watched: %v", c.Files())
	}

	if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o700); err != nil {
		t.Fatal(err)
	}
	if s, c, _ = load(text); !s.BuiltIn || !slices.Contains(c.Files(), s.Path) {
		t.Errorf("the file that may come is not watched: %v", c.Files())
	}
	if err := os.WriteFile(s.Path, []byte("-- mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err = load(text)
	if err != nil {
		t.Fatal(err)
	}
	if source, err := s.Read(); s.BuiltIn || string(source) != "-- mine" || err != nil {
		t.Errorf("%+v: %q, %v", s, source, err)
	}
	if _, _, err := load(strings.Replace(text, "scripts/lists.lua", "other/lists.lua", 1)); err == nil || !strings.Contains(err.Error(), `there is no file "./other/lists.lua"`) {
		t.Errorf("a file that neither is there nor ships: %v", err)
	}
}

// A script that is not there is told with the one that may be meant.
func TestScriptGuess(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scripts/mine.lua", "scripts/mine_test.lua", "own.lua"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"mine.lua": `did you mean "scripts/mine.lua"?`, "scripts/mine": `did you mean "scripts/mine.lua"?`,
		"script/mine.lua": `did you mean "scripts/mine.lua"?`, "spam": `did you mean "scripts/spam.lua"?`,
		"scripts/spma.lua": `did you mean "scripts/spam.lua"?`, "scripts/own.lua": `did you mean "own.lua"?`,
		"rules/invoices.lua": "paths are relative to the folder of this file",
	} {
		_, err := Parse(filepath.Join(dir, "mail.toml"), []byte("scripts = [\""+name+"\"]\n"))
		if err == nil || !strings.Contains(err.Error(), `there is no file "`+name+`" (`+want+`)`) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
