package collection

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// aside is an object that another is to replace, by its second name in deleted/; zero: there is none.
type aside struct {
	path string
	size int64
}

// nowhere stands for a directory of deleted/ where nothing is kept there.
const nowhere = "/"

// setAside gives an object a second name among what is deleted, so that another can take its place
// at once. With mu held.
func (c *Collection) setAside(old *record, away string) (a aside, err error) {
	if away == nowhere {
		return a, nil
	}
	file := old.fileOf(c.kind.ext())
	a.size = old.Size
	a.path, err = c.home.away(c.store.opt.FS.Link, c.path(file), away, file)
	if errors.Is(err, fs.ErrNotExist) {
		return aside{}, nil // another program removed it
	}
	if err != nil {
		return aside{}, err
	}
	return a, nil
}

// takeBack undoes setAside: nothing was replaced.
func (c *Collection) takeBack(a aside) {
	if a.path == "" {
		return
	}
	if err := c.store.opt.FS.Remove(a.path); err != nil {
		c.store.opt.Log.Warn("collection.deleted", "path", a.path, "err", err, "result", "it is listed as deleted, and is still there")
	}
}

// syncOver makes the names of objects durable, and that of what was replaced.
func (c *Collection) syncOver(a aside) error {
	if a.path == "" {
		return c.sync()
	}
	if err := c.store.syncer.Sync(filepath.Dir(a.path)); err != nil {
		return err
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.home.bin.Grew(a.size)
	return nil
}
