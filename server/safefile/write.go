package safefile

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// WriteFile replaces the file at path as a whole: after a crash it holds data
// or what it held before. It is durable when WriteFile returns.
func WriteFile(fsys FS, path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := createTemp(fsys, dir)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(f.Name(), path)
	}
	if err != nil {
		fsys.Remove(f.Name())
		return err
	}
	return fsys.SyncDir(dir)
}

// RemoveStale removes from dir the drafts and temporary files that a crash
// left there and that were last written before olderThan.
func RemoveStale(fsys FS, dir string, olderThan time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), draftPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(olderThan) {
			fsys.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
