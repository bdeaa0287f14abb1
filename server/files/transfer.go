package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Move takes a file or a folder with all that is in it to another path, durably. The
// errors are ErrParent, ErrExists, ErrSame, those of the Checks, and faults. created:
// nothing was there.
func (t *Tree) Move(p Path, opt TransferOptions) (created bool, err error) {
	x := t.transfer(p, opt)
	if err := x.allowed(); err != nil {
		return false, diskFault(err)
	}
	if x.to != t {
		u, err := x.size()
		if err == nil {
			err = x.room(u)
		}
		if err != nil {
			return false, diskFault(err)
		}
	}
	err = x.locked(func(from, to spot) error {
		u, err := weigh(from)
		if err == nil {
			err = x.rename(from.abs, to.abs, from.now.folder)
		}
		if err == nil {
			t.count(-u.Octets, -u.Files)
			x.to.count(u.Octets, u.Files)
		}
		return err
	})
	return x.created, diskFault(err)
}

// Copy makes a copy, as a whole or not at all. The errors are those of Move.
func (t *Tree) Copy(p Path, opt TransferOptions) (created bool, err error) {
	x := t.transfer(p, opt)
	if err := x.allowed(); err != nil {
		return false, diskFault(err)
	}
	u, err := x.size()
	if err == nil {
		err = x.room(u)
	}
	if err != nil {
		return false, diskFault(err)
	}
	from, err := t.look(p)
	if err != nil {
		return false, diskFault(err)
	}
	x.to.mu.Lock()
	err = x.to.ready()
	x.to.mu.Unlock()
	if err != nil {
		return false, diskFault(err)
	}
	aside := x.to.aside()
	defer x.to.removeAside(aside)
	side := sidePath(aside)
	defer x.to.dropSide(aside)
	if err := x.to.copyAll(from.abs, aside, opt.Shallow); err != nil {
		return false, diskFault(asBusy(err))
	}
	if !from.now.folder {
		if err := x.to.copyFile(sidePath(from.abs), side); err != nil && !errors.Is(err, errNone) {
			return false, diskFault(err)
		}
	}
	// As it was copied: others may have changed the source meanwhile.
	if u, err = weigh(spot{abs: aside, now: from.now}); err != nil {
		return false, diskFault(err)
	}
	err = x.locked(func(_, to spot) error {
		err := x.rename(aside, to.abs, from.now.folder)
		if err == nil {
			x.to.count(u.Octets, u.Files)
		}
		return err
	})
	return x.created, diskFault(err)
}

// transfer is one Move or Copy.
type transfer struct {
	TransferOptions
	from    *Tree
	path    Path
	to      *Tree
	created bool
	syncs   []string // directories that changed, those first in which things now are
	rests   []string // what was in the way and is to be removed for good
}

func (t *Tree) transfer(p Path, opt TransferOptions) *transfer {
	x := &transfer{TransferOptions: opt, from: t, path: p, to: opt.To}
	if x.to == nil {
		x.to = t
	}
	return x
}

// allowed looks at what can be known before anything is done.
func (x *transfer) allowed() error {
	if len(x.path) == 0 || len(x.Path) == 0 {
		return ErrSame
	}
	if x.from == x.to {
		n := min(len(x.path), len(x.Path))
		if slices.Equal(x.path[:n], x.Path[:n]) {
			return ErrSame
		}
	}
	_, _, err := x.spots()
	return err
}

// spots returns where source and destination are, and asks the Checks.
func (x *transfer) spots() (from, to spot, err error) {
	if from, err = x.from.find(x.path); errors.Is(err, ErrParent) || err == errInWay || err == nil && from.now == nil {
		return from, to, errNone
	}
	if err != nil {
		return from, to, err
	}
	if to, err = x.to.find(x.Path); err != nil {
		return from, to, err
	}
	if err := x.Check.asks(from.infoOf(x.path)); err != nil {
		return from, to, err
	}
	if err := x.CheckTo.asks(to.infoOf(x.Path)); err != nil {
		return from, to, err
	}
	if to.now != nil && !x.Overwrite {
		return from, to, ErrExists
	}
	if to.now != nil && from.now.inode == to.now.inode {
		return from, to, ErrSame // two names of one file
	}
	return from, to, nil
}

// size tells what the source holds.
func (x *transfer) size() (Usage, error) {
	from, err := x.from.look(x.path)
	if err != nil {
		return Usage{}, err
	}
	if x.Shallow && from.now.folder {
		return Usage{Files: 1}, nil
	}
	return measure(from.abs)
}

func (x *transfer) room(u Usage) error {
	if err := x.to.mayMake(u.Files); err != nil {
		return err
	}
	return x.to.store.room(x.to.address, u.Octets)
}

// locked calls do with both trees locked and the destination free, and then syncs.
func (x *transfer) locked(do func(from, to spot) error) error {
	first, second := x.from, x.to
	if second.serial < first.serial {
		first, second = second, first
	}
	first.mu.Lock()
	if second != first {
		second.mu.Lock()
	}
	err := x.doLocked(do)
	if second != first {
		second.mu.Unlock()
	}
	first.mu.Unlock()
	for _, rest := range x.rests {
		x.to.removeAside(rest)
	}
	if err != nil {
		return err
	}
	for _, dir := range x.syncs {
		if err := x.to.sync(dir); err != nil {
			return err
		}
	}
	return nil
}

func (x *transfer) doLocked(do func(from, to spot) error) error {
	for _, t := range []*Tree{x.from, x.to} {
		if err := t.ready(); err != nil {
			return err
		}
	}
	from, to, err := x.spots()
	if err != nil {
		return err
	}
	x.created = to.now == nil
	if to.now != nil {
		rest, err := x.to.takeAway(to, true)
		if err != nil {
			return err
		}
		if rest != "" {
			x.rests = append(x.rests, rest)
		}
	}
	return do(from, to)
}

// rename moves a file with its properties, or a folder. With mu of both trees held.
func (x *transfer) rename(from, to string, folder bool) error {
	fsys := x.to.store.opt.FS
	x.to.dropSide(to)
	if err := fsys.RenameNoReplace(from, to); err != nil {
		return asBusy(err)
	}
	x.syncs = append(x.syncs, filepath.Dir(to), filepath.Dir(from))
	if folder {
		return nil
	}
	if err := fsys.Rename(sidePath(from), sidePath(to)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copyAll copies a file, or a folder with what is in it, durably but for its own name.
func (t *Tree) copyAll(from, to string, shallow bool) error {
	now, err := lstat(from)
	if errors.Is(err, errOther) || errors.Is(err, fs.ErrNotExist) {
		return errBusy
	}
	if err != nil {
		return err
	}
	if !now.folder {
		return t.copyFile(from, to)
	}
	if err := t.store.opt.FS.Mkdir(to); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if !isKept(name) || shallow && name != folderSide {
			continue
		}
		src := filepath.Join(from, name)
		if _, err := lstat(src); err != nil {
			continue // gone meanwhile, or none of ours
		}
		if err := t.copyAll(src, filepath.Join(to, name), false); err != nil {
			return err
		}
	}
	return t.store.opt.FS.SyncDir(to)
}

// isKept tells whether a file on disk goes with the folder that it is in.
func isKept(file string) bool {
	return nameOf(file) != "" || file == folderSide || strings.HasPrefix(file, sidePrefix)
}

func (t *Tree) copyFile(from, to string) error {
	src, _, err := openFile(from)
	if err != nil {
		return err
	}
	defer src.Close()
	f, err := t.store.opt.FS.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, src)
	return t.store.finish(f, err)
}

// weigh tells what a file with its properties, or a folder with all that is in it, adds to a tree.
func weigh(s spot) (Usage, error) {
	u, err := measure(s.abs)
	if err != nil {
		return u, err
	}
	if nameOf(filepath.Base(s.abs)) == "" {
		u.Files++ // it is aside
	}
	if !s.now.folder {
		if side, err := lstat(sidePath(s.abs)); err == nil {
			u.Octets += side.size
		}
	}
	return u, nil
}

// measure tells what a file or folder holds.
func measure(path string) (Usage, error) {
	now, err := lstat(path)
	if errors.Is(err, errOther) || isGone(err) {
		return Usage{}, nil
	}
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Octets: now.size}
	if nameOf(filepath.Base(path)) != "" {
		u.Files = 1
	}
	if !now.folder {
		return u, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil && !isGone(err) {
		return u, err
	}
	for _, e := range entries {
		if !isKept(e.Name()) {
			continue
		}
		sub, err := measure(filepath.Join(path, e.Name()))
		if err != nil {
			return u, err
		}
		u.Octets += sub.Octets
		u.Files += sub.Files
	}
	return u, nil
}
