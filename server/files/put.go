package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// Put writes a file. When it returns, the octets are durable under the path; what was
// there is replaced. The errors are ErrParent, ErrFolder, that of the Check, that of r,
// and faults.
func (t *Tree) Put(p Path, r io.Reader, opt PutOptions) (i Info, created bool, err error) {
	i, created, err = t.put(p, r, opt)
	return i, created, diskFault(err)
}

func (t *Tree) put(p Path, r io.Reader, opt PutOptions) (Info, bool, error) {
	old, err := t.writable(p, opt.Check)
	if err != nil {
		return Info{}, false, err
	}
	if opt.Size >= 0 {
		if err := t.mayGrow(opt.Size, old); err != nil {
			return Info{}, false, err
		}
	}
	temp, size, err := t.receive(r, opt.Size)
	if err != nil {
		return Info{}, false, err
	}
	defer func() {
		if temp != "" {
			t.store.opt.FS.Remove(temp) // else it is swept at the next start
		}
	}()
	if opt.Size < 0 {
		if err := t.mayGrow(size, old); err != nil {
			return Info{}, false, err
		}
	}
	t.mu.Lock()
	s, err := t.placeFile(p, temp, opt.Check)
	t.mu.Unlock()
	if err != nil {
		return Info{}, false, err
	}
	temp = ""
	now, err := lstat(s.abs)
	if err != nil {
		return Info{}, false, errBusy
	}
	return now.info(p.name()), s.now == nil, t.sync(filepath.Dir(s.abs))
}

// writable looks whether a file may be put at a path.
func (t *Tree) writable(p Path, check Check) (spot, error) {
	if err := t.alive(); err != nil {
		return spot{}, err
	}
	s, err := t.find(p)
	switch {
	case err != nil:
		return s, err
	case s.now != nil && s.now.folder:
		return s, ErrFolder
	}
	return s, check.asks(s.infoOf(p))
}

// mayGrow asks whether there is room for a file of a size in the place of another.
func (t *Tree) mayGrow(size int64, old spot) error {
	if size > t.store.opt.MaxSize {
		return fault.Newf(fault.TooLarge, "The file has more than %d octets", t.store.opt.MaxSize)
	}
	if old.now != nil {
		size -= old.now.size
	} else if err := t.mayMake(1); err != nil {
		return err
	}
	return t.store.room(t.address, size)
}

// receive writes octets to a temporary file, synced. An error of r is returned as it is.
func (t *Tree) receive(r io.Reader, want int64) (path string, size int64, err error) {
	f, err := t.store.opt.FS.Create(safefile.TempName(t.store.opt.Tmp))
	if err != nil {
		return "", 0, err
	}
	limit := t.store.opt.MaxSize
	size, err = io.Copy(f, io.LimitReader(source{r}, limit+1))
	switch {
	case err != nil:
	case size > limit:
		err = fault.Newf(fault.TooLarge, "The file has more than %d octets", limit)
	case want >= 0 && size != want:
		err = fault.Newf(fault.Malformed, "%d octets came where %d were announced", size, want)
	}
	if err = t.store.finish(f, err); err != nil {
		return "", 0, err
	}
	return f.Name(), size, nil
}

// source marks the errors of a reader as not ours.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = theirs{err}
	}
	return n, err
}

// finish gives a file that was written its time and makes it durable, or removes it.
func (s *Store) finish(f safefile.File, err error) error {
	if err == nil {
		err = s.opt.FS.Chtimes(f.Name(), s.nextTime())
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		s.opt.FS.Remove(f.Name())
	}
	return err
}

// placeFile moves a file into its place; the spot is of what was there. With mu held.
func (t *Tree) placeFile(p Path, temp string, check Check) (spot, error) {
	if err := t.ready(); err != nil {
		return spot{}, err
	}
	s, err := t.find(p)
	switch {
	case err != nil:
		return s, err
	case s.now != nil && s.now.folder:
		return s, ErrFolder
	}
	if err := check.asks(s.infoOf(p)); err != nil {
		return s, err
	}
	now, err := lstat(temp)
	if err != nil {
		return s, err
	}
	grows, more := now.size, 1
	if s.now != nil {
		grows, more = now.size-s.now.size, 0
		err = t.store.opt.FS.Rename(temp, s.abs)
	} else {
		t.dropSide(s.abs) // of what another program removed
		err = t.store.opt.FS.RenameNoReplace(temp, s.abs)
	}
	switch {
	case err == nil:
		t.count(grows, more)
	case errors.Is(err, fs.ErrNotExist):
		return s, ErrParent
	case errors.Is(err, fs.ErrExist):
		return s, errBusy
	}
	return s, err
}

// ready makes the root, and removes what crashes left there. With mu held.
func (t *Tree) ready() error {
	if t.fail != nil || t.made {
		return t.fail
	}
	if err := safefile.MkdirAll(t.store.opt.FS, t.dir); err != nil {
		return err
	}
	t.sweep()
	t.made = true
	return nil
}

// sync makes the entries of a folder durable.
func (t *Tree) sync(dir string) error {
	err := t.store.syncer.Sync(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errBusy // renamed or removed meanwhile
	}
	return err
}

// Mkdir makes a folder with its properties, durably. The errors are ErrParent,
// ErrExists, that of the Check, and faults.
func (t *Tree) Mkdir(p Path, props map[string]string, check Check) error {
	return diskFault(t.mkdir(p, props, check))
}

func (t *Tree) mkdir(p Path, props map[string]string, check Check) error {
	b, err := encodeProps(props)
	if err != nil {
		return err
	}
	if err := t.mayMake(1); err != nil {
		return err
	}
	if err := t.store.room(t.address, int64(len(b))); err != nil {
		return err
	}
	t.mu.Lock()
	s, err := t.makeFolder(p, b, check)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	return t.sync(filepath.Dir(s.abs))
}

// makeFolder makes a folder aside and moves it into its place. With mu held.
func (t *Tree) makeFolder(p Path, props []byte, check Check) (s spot, err error) {
	if err := t.ready(); err != nil {
		return s, err
	}
	if s, err = t.find(p); err != nil {
		return s, err
	}
	if err := check.asks(s.infoOf(p)); err != nil {
		return s, err
	}
	if s.now != nil {
		return s, ErrExists
	}
	fsys, aside := t.store.opt.FS, t.aside()
	if err := fsys.Mkdir(aside); err != nil {
		return s, err
	}
	if len(props) > 0 {
		err = safefile.WriteFile(fsys, filepath.Join(aside, folderSide), props)
	}
	if err == nil {
		err = fsys.RenameNoReplace(aside, s.abs)
	}
	if err != nil {
		t.removeAside(aside)
		return s, asBusy(err)
	}
	t.count(int64(len(props)), 1)
	return s, nil
}

// asBusy is for what another program was quicker with.
func asBusy(err error) error {
	if errors.Is(err, fs.ErrExist) || isGone(err) || errors.Is(err, errNone) {
		return errBusy
	}
	return err
}

// aside returns a name in the root for what is being made or removed.
func (t *Tree) aside() string {
	return filepath.Join(t.dir, asidePrefix+filepath.Base(safefile.TempName("")))
}

func (t *Tree) removeAside(path string) {
	if err := safefile.RemoveAll(t.store.opt.FS, path); err != nil {
		t.store.opt.Log.Warn("files.remove", "path", path, "err", err, "result", "removed at the next start")
	}
}

// sweep removes what crashes left in the root.
func (t *Tree) sweep() {
	entries, _ := os.ReadDir(t.dir) // tried again at the next start
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), asidePrefix) {
			t.removeAside(filepath.Join(t.dir, e.Name()))
		}
	}
}
