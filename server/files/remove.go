package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
)

// Remove takes a file, or a folder with all that is in it, away, durably; Options.Bins
// say whether it can be brought back. The errors are that of the Check, and faults.
//
// What is removed lies in deleted/DATE/FOLDER/TIME below the path that it had: the day in
// UTC, and the time in ms in base 36.
func (t *Tree) Remove(p Path, check Check) error { return diskFault(t.remove(p, check, true)) }

// Discard is Remove for good: what it was never counted.
func (t *Tree) Discard(p Path) error { return diskFault(t.remove(p, nil, false)) }

func (t *Tree) remove(p Path, check Check, keep bool) error {
	if len(p) == 0 {
		return fault.New(fault.NotPossible, "The root stays")
	}
	if _, err := t.look(p); err != nil {
		return err
	}
	t.mu.Lock()
	s, rest, err := t.removeLocked(p, check, keep)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	err = t.sync(filepath.Dir(s.abs))
	if rest != "" {
		t.removeAside(rest)
	}
	return err
}

func (t *Tree) removeLocked(p Path, check Check, keep bool) (s spot, rest string, err error) {
	if err := t.ready(); err != nil {
		return s, "", err
	}
	if s, err = t.find(p); err != nil {
		return s, "", err
	}
	if s.now == nil {
		return s, "", errNone
	}
	if err := check.asks(s.infoOf(p)); err != nil {
		return s, "", err
	}
	rest, err = t.takeAway(s, keep)
	return s, rest, err
}

// takeAway moves something out of the tree, to deleted/, or aside as rest when it is to
// be removed for good: keep says which. With mu held.
func (t *Tree) takeAway(s spot, keep bool) (rest string, err error) {
	u, err := weigh(s)
	if err != nil {
		return "", err
	}
	dir := ""
	if keep {
		if dir, err = t.awayDir(filepath.Dir(s.abs)); err != nil {
			return "", err
		}
	}
	to := filepath.Join(dir, filepath.Base(s.abs))
	if dir == "" {
		rest = t.aside()
		to = rest
	}
	if !s.now.folder {
		t.dropSide(s.abs)
	}
	if err := t.store.opt.FS.RenameNoReplace(s.abs, to); err != nil {
		return "", asBusy(err)
	}
	t.count(-u.Octets, -u.Files)
	if dir != "" {
		t.bin.Grew(u.Octets)
	}
	return rest, nil
}

// awayDir makes the directory of deleted/ for what is in a folder, "" when it is not kept.
// With mu held.
func (t *Tree) awayDir(folder string) (string, error) {
	below, err := filepath.Rel(t.dir, folder)
	if err != nil {
		return "", err
	}
	day, err := t.bin.Today(t.store.opt.Folder)
	if day == "" || err != nil {
		return "", err
	}
	for at := t.store.opt.Now().UnixMilli(); ; at++ {
		stamp := strconv.FormatInt(at, 36)
		if _, err := os.Lstat(filepath.Join(day, stamp)); err != nil {
			return t.bin.Today(filepath.Join(t.store.opt.Folder, stamp, below))
		}
	}
}

// Deleted lists what can be brought back, oldest first.
func (s *Store) Deleted(a address.Address) ([]Deleted, error) {
	t, err := s.Tree(a)
	if err != nil {
		return nil, err
	}
	all, err := t.bin.List()
	return all, diskFault(err)
}

// deletedOn lists what was removed on a day.
func (s *Store) deletedOn(day retention.Day) (all []Deleted, err error) {
	dir := filepath.Join(day.Dir, s.opt.Folder)
	stamps, err := os.ReadDir(dir)
	if err != nil && !isGone(err) {
		return nil, err
	}
	for _, e := range stamps {
		ms, err := strconv.ParseInt(e.Name(), 36, 64)
		if err != nil || !e.IsDir() {
			continue // not ours
		}
		place := filepath.Join(dir, e.Name())
		u, err := measure(place)
		if err != nil {
			return nil, err
		}
		all = append(all, Deleted{retention.Thing{At: time.UnixMilli(ms), Size: u.Octets, Place: place}, removedPath(place)})
	}
	return all, nil
}

// removedPath returns the path of what was removed: as deep as it can be told, for a folder
// that holds nothing but another looks like one above what was removed.
func removedPath(dir string) (p Path) {
	for {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || nameOf(entries[0].Name()) == "" {
			return p
		}
		p = append(p, nameOf(entries[0].Name()))
		dir = filepath.Join(dir, entries[0].Name())
		if !entries[0].IsDir() {
			return p
		}
	}
}

// Undelete brings back what was removed at since or later, and returns how many files and
// folders. Nothing is replaced: of several files of one path the newest comes back, and none
// where something is.
func (s *Store) Undelete(a address.Address, since time.Time) (n int, err error) {
	t, err := s.Tree(a)
	if err != nil {
		return 0, err
	}
	err = t.bin.Use(func(all []Deleted) error {
		for _, d := range slices.Backward(all) {
			if d.At.Before(since) {
				break
			}
			back, err := t.bringBack(d)
			n += back
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, diskFault(err)
}

// BringBack brings back what was removed last under a name of the root; false: there is no such
// thing, or something of that name is there.
func (s *Store) BringBack(a address.Address, name string) (back bool, err error) {
	t, err := s.Tree(a)
	if err != nil {
		return false, err
	}
	err = t.bin.Use(func(all []Deleted) error {
		for _, d := range slices.Backward(all) {
			if len(d.Path) > 0 && d.Path[0] == name {
				n, err := t.bringBack(d)
				back = n > 0
				return err
			}
		}
		return nil
	})
	return back, diskFault(err)
}

func (t *Tree) bringBack(d Deleted) (int, error) {
	if err := t.store.room(t.address, d.Size); err != nil {
		return 0, err
	}
	t.mu.Lock()
	err := t.ready()
	n := 0
	if err == nil {
		n, err = t.merge(d.Place, t.dir)
	}
	t.mu.Unlock()
	t.forgetUsage()
	if err != nil {
		return n, err
	}
	// Fails when something of it stayed.
	t.store.opt.FS.Remove(d.Place)
	return n, nil
}

// merge moves what is in one folder to another, where nothing of that name is. With mu held.
func (t *Tree) merge(from, to string) (n int, err error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return 0, err
	}
	fsys := t.store.opt.FS
	for _, e := range entries {
		src, dst := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		err := fsys.RenameNoReplace(src, dst)
		switch {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrExist):
			return n, err
		case e.IsDir():
			if there, err := lstat(dst); err != nil || !there.folder {
				continue
			}
			more, err := t.merge(src, dst)
			n += more
			if err != nil {
				return n, err
			}
			fsys.Remove(src) // fails when something of it stayed
		}
	}
	return n, fsys.SyncDir(to)
}
