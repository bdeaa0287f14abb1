package maildir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"facteur/server/safefile"
)

// subscriptionsFile is in the home directory: the names of the folders
// subscribed to, one a line, in UTF-8.
const subscriptionsFile = "facteur-subscriptions"

// ReadSubscriptions reads the subscriptions of the home in dir. ok is false
// when there is no such file yet.
func ReadSubscriptions(dir string) (names []string, ok bool, err error) {
	data, err := readSmall(filepath.Join(dir, subscriptionsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(data) {
		if name, err := CanonicalFolder(strings.TrimRight(line, "\r\n")); err == nil {
			names = append(names, name)
		}
	}
	return names, true, nil
}

// WriteSubscriptions replaces the subscriptions of the home in dir. They are
// durable when it returns.
func WriteSubscriptions(fsys safefile.FS, dir string, names []string) error {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + "\n")
	}
	if b.Len() > maxSmallFile {
		return errors.New("too many subscriptions")
	}
	return safefile.WriteFile(fsys, filepath.Join(dir, subscriptionsFile), []byte(b.String()))
}
