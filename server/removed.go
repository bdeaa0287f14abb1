package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"facteur/server/control"
	"facteur/server/safefile"
)

// removedSince is the file in the folder of an account that is in mail.toml no
// more: when that was noticed, as RFC 3339 has it.
const removedSince = "removed-since"

// attic is where the folders of removed accounts go, below the data folder.
const attic = "removed"

// removal looks after the folders of accounts that mail.toml does not name any
// more. For as long as retention says they stay where they are, so that a line
// put back brings all mail back; then they move to the attic, so that a new
// account of that name begins empty; there they are kept as long again, and then
// deleted.
type removal struct {
	data string
	keep time.Duration
	now  time.Time
	log  *slog.Logger
	// forget is called with an account whose folder is to move: what else is kept of it
	// goes now. May be nil.
	forget func(account string) error
}

// sweep goes through all folders; known are those of accounts and shared
// mailboxes, as address.Address.Dir returns them.
func (r removal) sweep(known map[string]bool) ([]control.Removed, error) {
	dirs, err := filepath.Glob(filepath.Join(safefile.Globbed(r.data), "domains", "*", "*"))
	if err != nil {
		return nil, err
	}
	var waiting []control.Removed
	var errs []error
	for _, dir := range dirs {
		domain, local := filepath.Base(filepath.Dir(dir)), filepath.Base(dir)
		if known[domain+"/"+local] {
			errs = append(errs, unmark(dir))
			continue
		}
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		w, err := r.wait(dir, local+"@"+domain)
		errs = append(errs, err)
		if w != nil {
			waiting = append(waiting, *w)
		}
	}
	slices.SortFunc(waiting, func(a, b control.Removed) int { return strings.Compare(a.Account, b.Account) })
	return waiting, errors.Join(append(errs, r.empty())...)
}

func unmark(dir string) error {
	err := safefile.OS.Remove(filepath.Join(dir, removedSince))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// wait notes since when a folder is nobody's, and moves it when its time is up.
func (r removal) wait(dir, account string) (*control.Removed, error) {
	since, err := r.mark(dir)
	if err != nil {
		return nil, err
	}
	if r.keep == math.MaxInt64 {
		return &control.Removed{Account: account, Since: since}, nil
	}
	if until := since.Add(r.keep); r.now.Before(until) {
		return &control.Removed{Account: account, Since: since, Until: &until}, nil
	}
	if r.forget != nil {
		if err := r.forget(account); err != nil {
			return nil, err
		}
	}
	to := filepath.Join(r.data, attic)
	if err := safefile.MkdirAll(safefile.OS, to); err != nil {
		return nil, err
	}
	// The folder's time in the attic begins now.
	if err := safefile.WriteFile(safefile.OS, filepath.Join(dir, removedSince), stampOf(r.now)); err != nil {
		return nil, err
	}
	to = filepath.Join(to, r.now.UTC().Format("20060102T150405Z")+"."+filepath.Base(filepath.Dir(dir))+"."+filepath.Base(dir))
	if err := safefile.OS.RenameNoReplace(dir, to); err != nil {
		return nil, err
	}
	r.log.Info("server.account_moved", "account", account, "to", to)
	return nil, errors.Join(safefile.OS.SyncDir(filepath.Dir(to)), safefile.OS.SyncDir(filepath.Dir(dir)))
}

func stampOf(t time.Time) []byte { return []byte(t.UTC().Format(time.RFC3339) + "\n") }

// mark returns when a folder was first seen without its account.
func (r removal) mark(dir string) (time.Time, error) {
	path := filepath.Join(dir, removedSince)
	text, err := os.ReadFile(path)
	if err == nil {
		since, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
		if err == nil {
			return since, nil
		}
		r.log.Warn("server.removed_since", "file", path, "error", err, "result", "counted from now")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, err
	}
	since := r.now.UTC().Truncate(time.Second)
	return since, safefile.WriteFile(safefile.OS, path, stampOf(since))
}

// empty deletes what was in the attic long enough.
func (r removal) empty() error {
	entries, err := os.ReadDir(filepath.Join(r.data, attic))
	if errors.Is(err, fs.ErrNotExist) || r.keep == math.MaxInt64 {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		dir := filepath.Join(r.data, attic, e.Name())
		text, err := os.ReadFile(filepath.Join(dir, removedSince))
		since, perr := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
		if err != nil || perr != nil || r.now.Before(since.Add(r.keep)) {
			continue // what is not known to be old stays
		}
		r.log.Info("server.account_deleted", "folder", dir)
		if err := os.RemoveAll(dir); err != nil {
			errs = append(errs, fmt.Errorf("deleting %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}
