package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"facteur/server/config"
)

// loadLocked reads the settings and takes the lock of their data folder, for a verb that
// works where no server runs. The caller closes the lock.
func loadLocked(path string) (*config.Config, *os.File, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, nil, err
	}
	lock, err := lockData(cfg.Data)
	return cfg, lock, err
}

// lockData takes the lock of a data folder: one process serves it. The lock
// goes with the process, however that ends.
func lockData(data string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s is not there: `facteur serve` makes it when it first runs", data)
	case err != nil:
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another facteur serves %s: stop it first, or give this one a data folder of its own", data)
		}
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return f, nil
}
