package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"facteur/server/safefile"
	"facteur/server/utf7"
)

// uidlistFile is where Dovecot keeps the UIDs of a folder (its maildir driver,
// version 3 of the format): a header "3 V<UIDVALIDITY> N<UIDNEXT> ...", then a line
// for each message, "<UID> [<letter><value> ...] :<file name>".
const uidlistFile = "dovecot-uidlist"

// maxUIDList bounds a uidlist that is read, in octets: some 5 million messages.
const maxUIDList = 512 << 20

// uidlist is what Dovecot knows of the UIDs of a folder.
type uidlist struct {
	validity, next uint32
	uids           map[string]uint32 // by the unique part of the file name
}

// parseUIDList reads a uidlist. Lines that are none are passed over, as are UIDs
// that do not ascend or are not below UIDNEXT: their messages get new ones.
func parseUIDList(data string) (uidlist, error) {
	head, rest, _ := strings.Cut(data, "\n")
	l, err := parseUIDListHead(head)
	if err != nil {
		return uidlist{}, err
	}
	last := uint32(0)
	for line := range strings.Lines(rest) {
		fields, file, ok := strings.Cut(strings.TrimRight(line, "\n"), " :")
		number, _, _ := strings.Cut(fields, " ")
		uid, isUID := parseNumber(number, 10)
		unique := UniqueOf(file)
		if !ok || !isUID || uid <= last || uid >= l.next || unique == "" {
			continue
		}
		if _, double := l.uids[unique]; !double {
			l.uids[unique] = uid
			last = uid
		}
	}
	return l, nil
}

func parseUIDListHead(head string) (uidlist, error) {
	l := uidlist{uids: make(map[string]uint32)}
	fields := strings.Fields(head)
	if len(fields) == 0 || fields[0] != "3" {
		return l, errors.New("not a Dovecot uidlist of version 3")
	}
	for _, f := range fields[1:] {
		switch n, ok := parseNumber(f[1:], 10); {
		case !ok:
		case f[0] == 'V':
			l.validity = n
		case f[0] == 'N':
			l.next = n
		}
	}
	if l.validity == 0 || l.next == 0 {
		return l, errors.New("a Dovecot uidlist without UIDVALIDITY or UIDNEXT")
	}
	return l, nil
}

// ImportDovecot takes over the UIDs that Dovecot gave to the messages of the
// folder in dir, which has no State yet: it writes them into the names of the
// files. It returns the UIDVALIDITY and the UIDNEXT that go with them, 0 when
// Dovecot was never here. It may be called again after a crash; the names are
// durable when it returns.
func ImportDovecot(fsys safefile.FS, dir string) (validity, next uint32, err error) {
	data, err := readUIDList(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	l, err := parseUIDList(data)
	if err != nil {
		return 0, 0, &fs.PathError{Op: "read", Path: filepath.Join(dir, uidlistFile), Err: err}
	}
	for _, sub := range []string{New, Cur} {
		if err := l.rename(fsys, filepath.Join(dir, sub), sub); err != nil {
			return 0, 0, err
		}
	}
	return l.validity, l.next, nil
}

func readUIDList(dir string) (string, error) {
	path := filepath.Join(dir, uidlistFile)
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxUIDList {
		return "", &fs.PathError{Op: "read", Path: path, Err: errors.New("no regular file, or too long")}
	}
	data, err := os.ReadFile(path)
	return string(data), err
}

// rename gives the files of a directory the UIDs of the list.
func (l uidlist) rename(fsys safefile.FS, dir, sub string) error {
	files, err := readNames(dir)
	if err != nil {
		return err
	}
	changed := false
	for _, file := range files {
		name := ParseName(file)
		uid, known := l.uids[name.Unique]
		if !known || name.UID != 0 {
			continue
		}
		name.Validity, name.UID = l.validity, uid
		to := name.Format(sub)
		if to == "" { // too long: it gets another name, and another UID, when it is read
			continue
		}
		err := fsys.RenameNoReplace(filepath.Join(dir, file), filepath.Join(dir, to))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return fsys.SyncDir(dir)
}

// dovecotSubscriptions is Dovecot's list of subscriptions in the home directory:
// one name a line, or, after a line "V\t2", with a tab between levels.
const dovecotSubscriptions = "subscriptions"

// ReadDovecotSubscriptions returns the folders that were subscribed to in
// Dovecot; ok is false when it never was here.
func ReadDovecotSubscriptions(dir string) (names []string, ok bool, err error) {
	data, err := readSmall(filepath.Join(dir, dovecotSubscriptions))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return parseDovecotSubscriptions(data), true, nil
}

func parseDovecotSubscriptions(data string) []string {
	separator := "."
	if rest, ok := strings.CutPrefix(data, "V\t2\n"); ok {
		data, separator = rest, "\t"
	}
	var names []string
	for line := range strings.Lines(data) {
		parts := strings.Split(strings.TrimRight(line, "\r\n"), separator)
		for i, part := range parts {
			if text, ok := utf7.Decode(part); ok {
				parts[i] = text
			}
		}
		if name, err := CanonicalFolder(strings.Join(parts, "/")); err == nil {
			names = append(names, name)
		}
	}
	return names
}
