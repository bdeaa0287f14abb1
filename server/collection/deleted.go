package collection

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// Deleted is what can be brought back.
type Deleted struct {
	Kind       Kind
	Collection string
	Href       string // "": the whole collection
	At         time.Time
	Size       int64

	path string
}

// keep returns what Options.Keep says.
func (h *Home) keep() (retention time.Duration, quota int64) {
	if h.store.opt.Keep == nil {
		return 0, 0
	}
	return h.store.opt.Keep(h.address)
}

func (h *Home) deletedDir() string { return filepath.Join(h.dir, "deleted") }

// awayDir makes the directory for objects of a collection that are deleted now, ""
// when they are not kept.
func (h *Home) awayDir(c *Collection) (string, error) {
	return h.makeAway(c.kind.dir() + "/" + filepath.Base(c.at.Load().dir))
}

func (h *Home) makeAway(below string) (string, error) {
	if retention, _ := h.keep(); retention <= 0 {
		return "", nil
	}
	dir := filepath.Join(h.deletedDir(), h.store.now().UTC().Format(time.DateOnly), below)
	err := safefile.MkdirAll(h.store.opt.FS, dir)
	if safefile.NoRoom(err) {
		// What is removed to make room must not need room.
		h.store.opt.Log.Warn("collection.deleted", "dir", dir, "err", err, "result", "removed for good")
		return "", nil
	}
	return dir, err
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

// kept notes that deleted/ has grown, and has it cut to the quota.
func (h *Home) kept(octets int64) {
	_, quota := h.keep()
	h.mu.Lock()
	h.keptOctets += octets
	due := quota > 0 && (h.keptOctets > quota || !h.keptKnown) && !h.purging && h.fail == nil
	h.purging = h.purging || due
	h.mu.Unlock()
	if !due {
		return
	}
	h.store.work.Go(func() {
		err := h.purge()
		h.mu.Lock()
		h.purging = false
		h.mu.Unlock()
		if err != nil {
			h.store.opt.Log.Warn("collection.purge", "dir", h.dir, "err", err)
		}
	})
}

// Purge removes what is kept for longer than Options.Keep says, and the oldest of
// what is above its quota. A Store does so by itself once an hour for the homes in use.
func (s *Store) Purge(a address.Address) error {
	h, err := s.home(a)
	if err != nil {
		return err
	}
	return diskFault(h.purge())
}

func (h *Home) purge() error {
	h.purgeMu.Lock()
	defer h.purgeMu.Unlock()
	all, err := h.deleted()
	if err != nil {
		return err
	}
	keep, quota := h.keep()
	now := h.store.now()
	over, rest := retention.Over(all, retention.Rule{For: keep, Quota: quota}, now, func(d Deleted) (time.Time, int64) { return d.At, d.Size })
	for _, d := range over {
		if d.Href == "" {
			err = h.removeAll(d.path)
		} else if err = h.store.opt.FS.Remove(d.path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.keptOctets, h.keptKnown = rest, true
	h.mu.Unlock()
	h.removeEmptyDays(now)
	return nil
}

// removeEmptyDays removes directories of former days that hold nothing more.
func (h *Home) removeEmptyDays(now time.Time) {
	days, _ := os.ReadDir(h.deletedDir()) // nothing is lost with a directory that stays
	for _, day := range days {
		if day.Name() == now.UTC().Format(time.DateOnly) {
			continue
		}
		dir := filepath.Join(h.deletedDir(), day.Name())
		for _, k := range kinds {
			names, _ := os.ReadDir(filepath.Join(dir, k.dir()))
			for _, n := range names {
				h.store.opt.FS.Remove(filepath.Join(dir, k.dir(), n.Name())) // fails when it is not empty
			}
			h.store.opt.FS.Remove(filepath.Join(dir, k.dir()))
			h.store.opt.FS.Remove(filepath.Join(dir, k.dir()+wholeSuffix))
		}
		h.store.opt.FS.Remove(dir)
	}
}

// Deleted lists what can be brought back, oldest first.
func (s *Store) Deleted(a address.Address) ([]Deleted, error) {
	h, err := s.home(a)
	if err != nil {
		return nil, err
	}
	all, err := h.deleted()
	return all, diskFault(err)
}

func (h *Home) deleted() ([]Deleted, error) {
	days, err := readDir(h.deletedDir())
	if err != nil {
		return nil, err
	}
	var all []Deleted
	for _, day := range days {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			continue
		}
		for _, k := range kinds {
			dir := filepath.Join(h.deletedDir(), day, k.dir())
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
	}
	slices.SortStableFunc(all, func(a, b Deleted) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.path, b.path)) })
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
		d.At, d.path = time.UnixMilli(ms), filepath.Join(dir, name)
		if like.Collection == "" {
			if d.Collection = nameOf(base); d.Collection == "" {
				continue
			}
			d.Size, err = treeSize(d.path)
		} else {
			var st stat
			st, err = lstat(d.path)
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

// Delete removes a collection with all that is in it, durably; Options.Keep says
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
	away, err := h.makeAway(c.kind.dir() + wholeSuffix)
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
		h.kept(octets)
	} else if err := h.removeAll(rest); err != nil {
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
