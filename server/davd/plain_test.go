package davd

import (
	"path/filepath"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/files"
	"facteur/server/retention"
)

const filesPath = homePath + "files/"

// newPlainServer is a server that has plain files.
func newPlainServer(t testing.TB) *server {
	t.Helper()
	return newServer(t, func(o *Options) { o.Files = openFiles(t) })
}

func openFiles(t testing.TB) *files.Store {
	t.Helper()
	dir := t.TempDir()
	store, err := files.Open(files.Options{
		Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "tmp"),
		Bins: retention.New(retention.Options{
			Dir: filepath.Join(dir, "domains"), Keep: func(address.Address) (time.Duration, int64) { return time.Hour, 0 },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}
