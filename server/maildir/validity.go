package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"facteur/server/safefile"
)

// validityFile is in the home directory: the highest UIDVALIDITY ever given.
const validityFile = "facteur-uidvalidity"

// ReadValidity returns the highest UIDVALIDITY that was given in the home in
// dir, 0 when no file tells.
func ReadValidity(dir string) (uint32, error) {
	path := filepath.Join(dir, validityFile)
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, ok := parseNumber(strings.TrimSuffix(data, "\n"), 10)
	if !ok {
		return 0, fmt.Errorf("%s: not a number; remove the file, then it is made anew from the folders that are there", path)
	}
	return v, nil
}

// WriteValidity replaces what ReadValidity returns. It is durable when it
// returns.
func WriteValidity(fsys safefile.FS, dir string, v uint32) error {
	return safefile.WriteFile(fsys, filepath.Join(dir, validityFile), []byte(strconv.FormatUint(uint64(v), 10)+"\n"))
}
