package attachments

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
)

// Deleted is an attachment that was removed and is kept for a while.
type Deleted struct {
	At    time.Time
	Size  int64
	Place string // of the file, or of the folder in which it should be
}

// Deleted lists what was removed and is kept, oldest first. It comes back when something names it.
func (s *Store) Deleted(owner address.Address) (list []Deleted, err error) {
	box, err := s.box(owner)
	if err != nil {
		return nil, err
	}
	gone, err := s.opt.Files.Deleted(box)
	for _, d := range gone {
		r := Deleted{At: d.At, Size: d.Size, Place: filepath.Join(append([]string{d.Place}, d.Path...)...)}
		entries, _ := os.ReadDir(r.Place) // a folder with a file, and with what is known of it
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				r.Place = filepath.Join(r.Place, e.Name())
				break
			}
		}
		list = append(list, r)
	}
	return list, err
}
