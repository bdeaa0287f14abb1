package safefile

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tempPrefix begins the names of temporary files.
const tempPrefix = "facteur-tmp-"

func tempName(dir string) string {
	return filepath.Join(dir, tempPrefix+strconv.FormatUint(rand.Uint64(), 36))
}

// createTemp makes a file under a name that nobody else uses.
func createTemp(fsys FS, dir string) (File, error) {
	for range 100 {
		f, err := fsys.Create(tempName(dir))
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "create", Path: dir, Err: fs.ErrExist}
}

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

// RemoveStale removes from dir the temporary files that a crash left there and that were last written before olderThan.
func RemoveStale(fsys FS, dir string, olderThan time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(olderThan) {
			fsys.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
