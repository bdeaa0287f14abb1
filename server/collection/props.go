package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"facteur/server/fault"
	"facteur/server/safefile"
)

// The files of properties. The first two are of vdir: one line of UTF-8 each.
const (
	nameFile  = "displayname"
	colorFile = "color"
	otherFile = ".facteur-properties"
)

// maxProps bounds the properties of a collection in octets.
const maxProps = 256 << 10

func (p Props) size() int64 {
	n := len(p.DisplayName) + len(p.Color)
	for k, v := range p.Other {
		n += len(k) + len(v)
	}
	return int64(n)
}

// Props returns the properties as they are now; other programs may change them.
func (c *Collection) Props() (Props, error) {
	for {
		at := c.at.Load()
		p, err := readProps(at.dir)
		if errors.Is(err, fs.ErrNotExist) && c.at.Load() != at {
			continue // renamed meanwhile
		}
		return p, diskFault(c.missing(err))
	}
}

// SetProps changes the properties, durably. Nobody else does meanwhile, and an error
// of change leaves them as they are. change may not keep the Props.
func (c *Collection) SetProps(change func(*Props) error) error {
	h := c.home
	h.admin.Lock()
	defer h.admin.Unlock()
	c.mu.Lock()
	fail := c.fail
	c.mu.Unlock()
	if fail != nil {
		return fail
	}
	dir := c.at.Load().dir
	old, err := readProps(dir)
	if err != nil {
		return diskFault(c.missing(err))
	}
	next := old
	if next.Other = maps.Clone(old.Other); next.Other == nil {
		next.Other = make(map[string]string)
	}
	if err := change(&next); err != nil {
		return err
	}
	if next.size() > maxProps {
		return fault.Newf(fault.TooLarge, "The properties have more than %d octets", maxProps)
	}
	if err := c.store.room(h.address, next.size()-old.size()); err != nil {
		return err
	}
	if err := writeProps(c.store.opt.FS, dir, old, next); err != nil {
		// Back to what they were, as far as the disk lets it: nothing was done.
		writeProps(c.store.opt.FS, dir, next, old)
		return diskFault(err)
	}
	return nil
}

func readProps(dir string) (p Props, err error) {
	if _, err := os.Stat(dir); err != nil {
		return p, err
	}
	if p.DisplayName, err = readLine(filepath.Join(dir, nameFile)); err != nil {
		return p, err
	}
	if p.Color, err = readLine(filepath.Join(dir, colorFile)); err != nil {
		return p, err
	}
	b, err := readSmall(filepath.Join(dir, otherFile))
	if err != nil || len(b) == 0 {
		return p, err
	}
	if err := json.Unmarshal(b, &p.Other); err != nil {
		return p, fmt.Errorf("%s: %w", filepath.Join(dir, otherFile), err)
	}
	return p, nil
}

func readLine(path string) (string, error) {
	b, err := readSmall(path)
	return strings.ToValidUTF8(strings.TrimRight(string(b), "\r\n"), "\uFFFD"), err
}

// readSmall reads a file of at most a few times maxProps (JSON escapes), which need
// not be there.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 8*maxProps+1))
	if err == nil && len(b) > 8*maxProps {
		err = &fs.PathError{Op: "read", Path: path, Err: unix.EFBIG}
	}
	return b, err
}

// writeProps writes the files that differ, each durably.
func writeProps(fsys safefile.FS, dir string, old, next Props) error {
	if !maps.Equal(old.Other, next.Other) {
		b, err := json.MarshalIndent(next.Other, "", "  ")
		if err == nil {
			err = safefile.WriteFile(fsys, filepath.Join(dir, otherFile), append(b, '\n'))
		}
		if err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, old, next string }{{nameFile, old.DisplayName, next.DisplayName}, {colorFile, old.Color, next.Color}} {
		if f.old == f.next {
			continue
		}
		if err := writeLine(fsys, filepath.Join(dir, f.name), f.next); err != nil {
			return err
		}
	}
	return nil
}

// writeLine writes a text, or removes the file for "".
func writeLine(fsys safefile.FS, path, text string) error {
	if text != "" {
		return safefile.WriteFile(fsys, path, []byte(text))
	}
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}
