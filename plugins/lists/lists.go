// Package lists lets scripts look things up in tables that people keep beside
// mail.toml: text, CSV and TOML files. Its manual page is README.md.
//
// A file is read again when its size or time has changed. One that can't be read any
// more, because it was saved half-way, leaves the table before in force. Lookups of one
// file take a short lock; a file is read without it.
package lists

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"facteur/plugins/lua"
)

// Plugin is lists. It is there always; [plugins.lists] only says where the files are.
var Plugin = lua.Plugin{Name: "lists", New: open, Always: true}

// Bounds of files.
const (
	maxFile  = 16 << 20 // octets
	maxFiles = 200
	maxKey   = 1000
)

// folder holds the tables of a folder.
type folder struct {
	dir string
	log *slog.Logger

	mu     sync.Mutex
	tables map[string]*table
}

// table is a file that was read.
type table struct {
	mu       sync.Mutex // held while it is read
	modified time.Time
	size     int64
	rows     map[string]any
	err      error // of the last reading
}

func open(s *lua.Settings) lua.Module {
	f := &folder{dir: s.Path("folder", "lists"), log: s.Log, tables: make(map[string]*table)}
	if info, err := os.Stat(f.dir); s.Values["folder"] != nil && (err != nil || !info.IsDir()) {
		s.Fail("folder", "there is no such folder")
	}
	return lua.Module{
		Name:      "lists",
		Local:     true,
		Functions: map[string]lua.Func{"lookup": f.lookupCall, "has": f.hasCall},
		Globals:   map[string]lua.Func{"lookup": f.lookupCall},
	}
}

// lookupCall is lookup(file, key).
func (f *folder) lookupCall(a *lua.Args) (any, error) {
	v, _, err := f.find(a)
	return v, err
}

// hasCall is lists.has(file, key).
func (f *folder) hasCall(a *lua.Args) (any, error) {
	_, ok, err := f.find(a)
	return ok, err
}

func (f *folder) find(a *lua.Args) (any, bool, error) {
	name, key := a.String(1), a.String(2)
	if !filepath.IsLocal(name) || strings.Contains(name, "\\") {
		return nil, false, a.Errorf(1, "%q is no file below the folder of lists", name)
	}
	rows, err := f.rows(name)
	if err != nil {
		return nil, false, err
	}
	if len(key) > maxKey {
		return nil, false, nil
	}
	v, ok := rows[fold(key)]
	return v, ok, nil
}

// fold makes keys equal that differ in case only.
func fold(key string) string { return strings.ToLower(strings.TrimSpace(key)) }

// rows returns the table of a file as it stands now.
func (f *folder) rows(name string) (map[string]any, error) {
	root, err := os.OpenRoot(f.dir) // no way out of the folder, not over a symbolic link either
	if err != nil {
		return nil, gone(name, err)
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, gone(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	// Only now: names of nothing must not take the room of other scripts' files.
	t, err := f.table(filepath.Clean(name))
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows != nil && t.size == info.Size() && t.modified.Equal(info.ModTime()) {
		return t.rows, nil
	}
	if t.err != nil && t.rows == nil && t.size == info.Size() && t.modified.Equal(info.ModTime()) {
		return nil, t.err
	}
	rows, err := load(root, name)
	t.size, t.modified, t.err = info.Size(), info.ModTime(), err
	switch {
	case err == nil:
		t.rows = rows
	case t.rows != nil:
		f.log.Warn("lists.read", "file", name, "error", err, "result", "the table before stays in force")
	default:
		return nil, err
	}
	return t.rows, nil
}

func gone(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %s in the folder of lists", name)
	}
	return fmt.Errorf("%s can't be read", name)
}

// table returns the entry of a file.
func (f *folder) table(name string) (*table, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tables[name]
	if t == nil {
		if len(f.tables) == maxFiles {
			return nil, fmt.Errorf("scripts look into more than %d files", maxFiles)
		}
		t = &table{}
		f.tables[name] = t
	}
	return t, nil
}

// load reads a file by its extension.
func load(root *os.Root, name string) (map[string]any, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, gone(name, err)
	}
	defer file.Close()
	rows, err := parse(strings.ToLower(filepath.Ext(name)), file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}
