package statedb

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// The primary result codes of SQLite that are told apart (sqlite.org/rescode.html).
const (
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// code returns the primary result code in err, or 0.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff // the rest is the extended code
	}
	return 0
}

// diskFailed tells whether it is the disk that failed.
func diskFailed(err error) bool {
	switch code(err) {
	case codeFull, codeIO, codeReadOnly, codeCantOpen:
		return true
	}
	return false
}

// told makes of a failure of the disk a temporary fault for the peer.
func told(err error) error {
	switch {
	case err == nil || !diskFailed(err):
		return err
	case code(err) == codeFull:
		return fault.Wrap(fault.Unavailable, "", fmt.Errorf("state.db: the disk is full: %w", err))
	}
	return fault.Wrap(fault.Unavailable, "", fmt.Errorf("state.db: the disk fails: %w", err))
}

var errDamaged = errors.New("the file is damaged")

// damaged tells whether err means that the content of the file is wrong.
func damaged(err error) bool {
	return errors.Is(err, errDamaged) || code(err) == codeCorrupt || code(err) == codeNotADB
}

// check reads the whole file. Its error is of the file, or says what is wrong in it.
func check(db *sql.DB) error {
	var found string
	if err := db.QueryRow("PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	return nil
}

// create makes an empty file that nobody else may read; SQLite gives its other
// files the same mode.
func create(path string) error {
	f, err := safefile.OS.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return safefile.OS.SyncDir(filepath.Dir(path))
}

// setAside renames a damaged database and makes an empty one. The log of
// changes goes first: without it the file stays damaged, should this be cut short.
func setAside(path string, why error, log *slog.Logger) error {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	for _, suffix := range []string{"-wal", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state.db is damaged (%w) and can't be set aside: %w", why, err)
		}
	}
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	log.Error("statedb.damaged", "error", why, "kept", aside, "result", "counts, memories and reports begin anew; no mail is in it")
	return create(path)
}
