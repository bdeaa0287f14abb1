// Package scripts holds the Lua scripts that ship with facteur. mail.toml names one
// as "scripts/NAME.lua"; a file of that name beside mail.toml wins.
package scripts

import (
	"embed"
	"strings"
)

//go:embed *.lua
var files embed.FS

// folder is where mail.toml finds them.
const folder = "scripts/"

// Script is a script that ships.
type Script struct {
	Name   string // "scripts/lists.lua"
	Source []byte
	Tests  []byte // of NAME_test.lua; nil: none
}

// Find returns the script of that name.
func Find(name string) (Script, bool) {
	base, ok := strings.CutPrefix(name, folder)
	if !ok || !strings.HasSuffix(base, ".lua") || strings.Contains(base, "/") {
		return Script{}, false
	}
	source, err := files.ReadFile(base)
	if err != nil {
		return Script{}, false
	}
	tests, err := files.ReadFile(strings.TrimSuffix(base, ".lua") + "_test.lua")
	if err != nil {
		tests = nil
	}
	return Script{name, source, tests}, true
}

// All lists the scripts by name, without their tests.
func All() []Script {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it is in the binary
	}
	var list []Script
	for _, e := range entries {
		if s, ok := Find(folder + e.Name()); ok && !strings.HasSuffix(e.Name(), "_test.lua") {
			list = append(list, s)
		}
	}
	return list
}

// Says is the first sentence of its comment: what the script is for.
func (s Script) Says() string {
	var words []string
	for line := range strings.Lines(string(s.Source)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if text = strings.TrimSpace(text); !ok || text == "" {
			break
		}
		words = append(words, text)
		if strings.HasSuffix(text, ".") {
			break
		}
	}
	text := strings.Join(words, " ")
	if sentence, _, more := strings.Cut(text, ". "); more {
		return sentence + "."
	}
	return text
}
