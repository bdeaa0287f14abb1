package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"facteur/scripts"
	"facteur/server/directory"
)

// maxScripts bounds the files that are looked at for a guess.
const maxScripts = 1000

// guessScript says which script may have been meant by one that is not there: a file
// beside mail.toml or in its folder scripts, or one that ships.
func guessScript(name, dir string) string {
	var names []string
	for _, pattern := range []string{"*.lua", filepath.Join("scripts", "*.lua")} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern)) // a folder whose name is a bad pattern has no guess
		for _, f := range files[:min(len(files), maxScripts)] {
			if rel, err := filepath.Rel(dir, f); err == nil && !strings.HasSuffix(rel, "_test.lua") {
				names = append(names, filepath.ToSlash(rel))
			}
		}
	}
	for _, s := range scripts.All() {
		names = append(names, s.Name)
	}
	base := strings.TrimSuffix(path.Base(name), ".lua") + ".lua"
	near := directory.Nearest(name, slices.Values(names))
	for _, n := range names {
		if path.Base(n) == base {
			near = n
			break
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", near)
}
