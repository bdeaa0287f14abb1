package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"

	"facteur/server/fault"
	"facteur/server/safefile"
)

const (
	// sidePrefix begins the name of the file with the properties of a file, beside it.
	sidePrefix = ".p~"
	// folderSide is the file with the properties of the folder that it is in.
	folderSide = ".facteur-properties"
	// maxProps bounds the properties of a file or folder in octets.
	maxProps = 64 << 10
)

// sidePath returns the path of the properties of a file.
func sidePath(file string) string {
	return filepath.Join(filepath.Dir(file), sidePrefix+filepath.Base(file))
}

func (s spot) side() string {
	if s.now.folder {
		return filepath.Join(s.abs, folderSide)
	}
	return sidePath(s.abs)
}

// dropSide removes the properties of a file that is not there.
func (t *Tree) dropSide(file string) {
	if err := t.store.opt.FS.Remove(sidePath(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.store.opt.Log.Warn("files.properties", "path", file, "err", err)
	}
}

// Props returns the properties of a file or folder. They stay when a file is put again,
// and go with it in a Move and Copy.
func (t *Tree) Props(p Path) (map[string]string, error) {
	s, err := t.look(p)
	if err != nil {
		return nil, diskFault(err)
	}
	props, _, err := readProps(s.side())
	return props, diskFault(err)
}

func readProps(path string) (props map[string]string, size int64, err error) {
	f, e, err := openFile(path)
	if errors.Is(err, errNone) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 8*maxProps)) // JSON has escapes
	if err != nil || len(b) == 0 {
		return nil, e.size, err
	}
	if err := json.Unmarshal(b, &props); err != nil {
		return nil, 0, fault.Wrap(fault.Internal, "", fmt.Errorf("%s: %w", path, err))
	}
	return props, e.size, nil
}

// encodeProps returns nil for none.
func encodeProps(props map[string]string) ([]byte, error) {
	if len(props) == 0 {
		return nil, nil
	}
	n := 0
	for k, v := range props {
		n += len(k) + len(v)
	}
	if n > maxProps {
		return nil, fault.Newf(fault.TooLarge, "The properties have more than %d octets", maxProps)
	}
	return json.Marshal(props)
}

// SetProps changes the properties, durably. Nobody else does meanwhile, and an error of
// change leaves them as they are.
func (t *Tree) SetProps(p Path, change func(map[string]string) error) error {
	return diskFault(t.setProps(p, change))
}

func (t *Tree) setProps(p Path, change func(map[string]string) error) error {
	t.propsMu.Lock()
	defer t.propsMu.Unlock()
	s, err := t.look(p)
	if err != nil {
		return err
	}
	old, size, err := readProps(s.side())
	if err != nil {
		return err
	}
	next := maps.Clone(old)
	if next == nil {
		next = make(map[string]string)
	}
	if err := change(next); err != nil {
		return theirs{err}
	}
	b, err := encodeProps(next)
	if err != nil {
		return err
	}
	if err := t.store.room(t.address, int64(len(b))-size); err != nil {
		return err
	}
	temp, err := safefile.WriteTemp(t.store.opt.FS, t.store.opt.Tmp, b)
	if err != nil {
		return err
	}
	t.mu.Lock()
	dir, err := t.placeProps(p, temp, len(b) > 0)
	if err == nil {
		t.count(int64(len(b))-size, 0)
	}
	t.mu.Unlock()
	if err != nil || len(b) == 0 {
		t.store.opt.FS.Remove(temp)
	}
	if err != nil {
		return err
	}
	return t.sync(dir)
}

// placeProps puts properties into their place, or takes them away. With mu held.
func (t *Tree) placeProps(p Path, temp string, some bool) (dir string, err error) {
	if err := t.ready(); err != nil {
		return "", err
	}
	s, err := t.find(p)
	if err != nil {
		return "", err
	}
	if s.now == nil {
		return "", errNone
	}
	if some {
		err = t.store.opt.FS.Rename(temp, s.side())
	} else if err = t.store.opt.FS.Remove(s.side()); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return filepath.Dir(s.side()), err
}
