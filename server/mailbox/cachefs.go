package mailbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/safefile"
)

// cacheFS is the file system of the caches of a home: nothing of it is synced, and
// no directory is made above root, so that the directory of an account that was
// moved away is not made again.
type cacheFS struct {
	safefile.Unsynced
	root string
}

func (h *Home) cacheFS() safefile.FS {
	return cacheFS{safefile.Unsynced{FS: safefile.OS}, h.indexDir()}
}

// Mkdir makes root or a directory below it.
func (c cacheFS) Mkdir(path string) error {
	if path != c.root && !strings.HasPrefix(path, c.root+"/") {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrNotExist}
	}
	return c.Unsynced.Mkdir(path)
}

// removeStrayCaches removes what the caches left where the directory of the
// account was moved away.
func (h *Home) removeStrayCaches() {
	if _, err := os.Lstat(h.dir); err == nil {
		return
	}
	os.RemoveAll(h.indexDir())
	os.Remove(filepath.Dir(h.dir)) // fails when it is not empty
}
