package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/safefile"
)

// Stray is something in a tree that nobody is shown, or that can't be read.
type Stray struct {
	Path string // on disk, from the folder of the account
	Why  string // for people
}

// Strays returns what is in a tree and nobody is shown, in the order of the names: what other
// programs, or people, put there. For the verification of a store.
func (t *Tree) Strays() ([]Stray, error) {
	if err := t.alive(); err != nil {
		return nil, err
	}
	s := strays{t: t}
	switch now, err := lstat(t.dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil && now.folder:
		s.folder(t.dir)
	default:
		s.add(t.dir, "it is no folder")
	}
	return s.all, nil
}

// strays walks a tree.
type strays struct {
	t   *Tree
	all []Stray
}

func (s *strays) add(path, why string) {
	if rel, err := filepath.Rel(filepath.Dir(s.t.dir), path); err == nil {
		path = rel
	}
	s.all = append(s.all, Stray{path, why})
}

func (s *strays) folder(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil && !isGone(err) {
		s.unread(dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if dir == s.t.dir && strings.HasPrefix(e.Name(), asidePrefix) {
			continue // sweep removes it
		}
		now, err := lstat(path)
		switch {
		case errors.Is(err, errOther):
			s.add(path, "it is neither a file nor a folder")
		case err != nil:
			if !isGone(err) {
				s.unread(path, err)
			}
		case nameOf(e.Name()) == "":
			s.hidden(dir, path, now)
		case now.folder:
			s.folder(path)
		default:
			s.file(path)
		}
	}
}

// hidden looks at what is hidden: properties, and what has a name that nobody can ask for.
func (s *strays) hidden(dir, path string, now *entry) {
	base := filepath.Base(path)
	of, side := strings.CutPrefix(base, sidePrefix)
	switch {
	case now.folder || base != folderSide && !side:
		s.add(path, "its name begins with a dot or is too long, so that no program is shown it")
		return
	case side:
		if _, err := lstat(filepath.Join(dir, of)); errors.Is(err, fs.ErrNotExist) {
			if _, err := lstat(path); err == nil { // else both have gone meanwhile
				s.add(path, "it has the properties of a file that is not there")
			}
			return
		}
	}
	if _, _, err := readProps(path); err != nil {
		s.add(path, "it should have the properties of a file or folder, and can't be read as such")
	}
}

func (s *strays) file(path string) {
	f, _, err := openFile(path)
	switch {
	case err == nil:
		f.Close()
	case err != errNone:
		s.unread(path, err)
	}
}

func (s *strays) unread(path string, err error) {
	s.add(path, "it can't be read: "+safefile.Reason(err).Error())
}
