package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mailDir is the Maildir of a folder of an account: INBOX, or a name with /.
func mailDir(data, account, folder string) string {
	local, domain, _ := strings.Cut(account, "@")
	dir := filepath.Join(data, "domains", domain, local, "mail")
	if folder == "INBOX" {
		return dir
	}
	return filepath.Join(dir, "."+strings.ReplaceAll(folder, "/", "."))
}

// messages lists the message files of a Maildir; one that is not there has none.
func messages(dir string) ([]string, error) {
	var paths []string
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			paths = append(paths, filepath.Join(dir, sub, e.Name()))
		}
	}
	return paths, nil
}

// maildir wants exactly N messages in a folder of an account and prints each:
// a line with its path, then its text.
func (w *world) maildir(neg bool, args []string) {
	if neg || len(args) != 3 {
		w.ts.Fatalf("usage: maildir ADDRESS FOLDER N")
	}
	want, err := strconv.Atoi(args[2])
	w.ts.Check(err)
	paths, err := messages(mailDir(filepath.Join(w.dir, "data"), args[0], args[1]))
	w.ts.Check(err)
	for _, p := range paths {
		rel, err := filepath.Rel(w.dir, p)
		w.ts.Check(err)
		text, err := os.ReadFile(p)
		w.ts.Check(err)
		fmt.Fprintf(w.ts.Stdout(), "== %s\n%s\n", rel, strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
	if len(paths) != want {
		w.ts.Fatalf("%d messages are in %s of %s, not %d", len(paths), args[1], args[0], want)
	}
}
