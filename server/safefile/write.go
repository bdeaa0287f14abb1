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

// TempName returns a name for a temporary file in dir that nobody uses, as good as
// surely. RemoveStale removes what a crash leaves under such a name.
func TempName(dir string) string {
	return filepath.Join(dir, tempPrefix+strconv.FormatUint(rand.Uint64(), 36))
}

// createTemp makes a file under a name that nobody else uses.
func createTemp(fsys FS, dir string) (File, error) {
	for range 100 {
		f, err := fsys.Create(TempName(dir))
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
	temp, err := WriteTemp(fsys, dir, data)
	if err != nil {
		return err
	}
	if err := fsys.Rename(temp, path); err != nil {
		fsys.Remove(temp)
		return err
	}
	return fsys.SyncDir(dir)
}

// WriteTemp writes a temporary file into dir, syncs it, and returns its path. Its place in
// the directory is not durable.
func WriteTemp(fsys FS, dir string, data []byte) (path string, err error) {
	f, err := createTemp(fsys, dir)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		fsys.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
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
