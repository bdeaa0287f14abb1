package collection

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// Deleted objects lie in deleted/DATE/calendars/NAME/TIME~FILE beside the deleted
// mail, likewise for contacts: the day in UTC, the directory of the collection, the
// time in ms in base 36, and the file as it was named. A deleted collection lies as
// a whole in deleted/DATE/calendars-removed/TIME~NAME.
const (
	wholeSuffix = "-removed"
	timeSep     = "~"
)

// Deleted is what can be brought back: an object, or a whole collection.
type Deleted struct {
	retention.Thing
	Kind       Kind
	Collection string
	Href       string // "": the whole collection
}

// awayDir makes the directory for objects of a collection that are deleted now, ""
// when they are not kept.
func (h *Home) awayDir(c *Collection) (string, error) {
	return h.bin.Today(filepath.Join(c.kind.dir(), filepath.Base(c.at.Load().dir)))
}

// moveAway moves a file or directory to a directory of deleted/.
func (h *Home) moveAway(path, dir, base string) error {
	for at := h.store.now().UnixMilli(); ; at++ {
		err := h.store.opt.FS.RenameNoReplace(path, filepath.Join(dir, strconv.FormatInt(at, 36)+timeSep+base))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// Deleted lists what can be brought back, oldest first.
func (s *Store) Deleted(a address.Address) ([]Deleted, error) {
	h, err := s.homes.Get(a)
	if err != nil {
		return nil, err
	}
	all, err := h.bin.List()
	return all, diskFault(err)
}

// deletedOn lists what was deleted on a day.
func deletedOn(day retention.Day) (all []Deleted, err error) {
	for _, k := range kinds {
		dir := filepath.Join(day.Dir, k.dir())
		names, err := readDir(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if all, err = appendDeleted(all, Deleted{Kind: k, Collection: nameOf(name)}, filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		if all, err = appendDeleted(all, Deleted{Kind: k}, dir+wholeSuffix); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// appendDeleted adds what lies in a directory: objects of a collection, or whole
// collections when the one in like has no name.
func appendDeleted(all []Deleted, like Deleted, dir string) ([]Deleted, error) {
	names, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		stamp, base, ok := strings.Cut(name, timeSep)
		ms, err := strconv.ParseInt(stamp, 36, 64)
		if !ok || err != nil || base == "" {
			continue // not ours
		}
		d := like
		d.At, d.Place = time.UnixMilli(ms), filepath.Join(dir, name)
		if like.Collection == "" {
			if d.Collection = nameOf(base); d.Collection == "" {
				continue
			}
			d.Size, err = treeSize(d.Place)
		} else {
			var st stat
			st, err = lstat(d.Place)
			d.Href, d.Size = hrefOf(base, like.Kind.ext()), st.size
		}
		if err == nil {
			all = append(all, d)
		} // else gone meanwhile, or nothing of ours
	}
	return all, nil
}

func treeSize(dir string) (sum int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := lstat(filepath.Join(dir, e.Name())); err == nil {
			sum += st.size
		}
	}
	return sum, err
}

// readDir lists a directory, which need not be there.
func readDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Delete removes a collection with all that is in it, durably; Options.Bins say
// whether it can be brought back.
func (h *Home) Delete(name string) error {
	h.admin.Lock()
	defer h.admin.Unlock()
	if err := h.list(); err != nil {
		return diskFault(err)
	}
	c := h.lookup(name)
	if c == nil {
		return fault.New(fault.NotFound, "There is no such collection")
	}
	away, err := h.bin.Today(c.kind.dir() + wholeSuffix)
	if err != nil {
		return diskFault(err)
	}
	rest, err := c.leave(away)
	if err != nil {
		return diskFault(err)
	}
	h.mu.Lock()
	delete(h.known, name)
	h.stamps = h.stampsNow()
	octets := c.usage.Octets
	h.mu.Unlock()
	h.uncount(c)
	if err := h.store.syncer.Sync(h.kindDir(c.kind)); err != nil {
		return diskFault(err)
	}
	h.store.opt.FS.Remove(c.at.Load().index) // of a directory that is gone: it means nothing
	if rest == "" {
		h.bin.Grew(octets)
	} else if err := safefile.RemoveAll(h.store.opt.FS, rest); err != nil {
		h.store.opt.Log.Warn("collection.remove", "dir", rest, "err", err, "result", "removed at the next start")
	}
	return nil
}

// leave moves the directory of a collection to the directory away, or with "" to
// one that is to be removed, which it returns.
func (c *Collection) leave(away string) (rest string, err error) {
	c.scanMu.Lock()
	defer c.scanMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return "", c.fail
	}
	dir := c.at.Load().dir
	if away != "" {
		err = c.home.moveAway(dir, away, filepath.Base(dir))
	} else {
		rest = filepath.Join(filepath.Dir(dir), deletedPrefix+filepath.Base(safefile.TempName("")))
		err = c.store.opt.FS.RenameNoReplace(dir, rest)
	}
	if err != nil {
		return "", c.missing(err)
	}
	c.endLocked(errGone)
	return rest, nil
}
