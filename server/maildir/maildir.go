// Package maildir knows Maildir++ as it lies on disk: the names of message
// files, the directories of folders, the scan of a folder, and the small files
// beside the messages. It keeps nothing in memory and takes no lock; package
// mailbox makes mailboxes of it.
//
// A folder is a directory with cur, new and tmp. INBOX is the home directory
// itself, the folder "Lists/Go" its subdirectory ".Lists.Go", in the modified
// UTF-7 of RFC 3501 5.1.3. A message is one file, in new while no one has seen
// it, else in cur. What is known of it is in its name:
//
//	1700000000.M1P2Q3.host,S=1234,W=1250,F=s44we8.17:2,FS
//
// S is the size on disk, W the size with CRLF line ends (absent when it is the
// same), F the UIDVALIDITY of the folder in base 36 and the UID, the letters
// behind ":2," the flags. The part before the first comma is unique. Other fields, such as mbsync's U=,
// are kept.
//
// Beside cur and new lie facteur-state (UIDVALIDITY, UIDNEXT, MODSEQ, MAILBOXID,
// special use), dovecot-keywords (the names of the flags a to z), facteur-keywords
// (keywords that have no letter, and which messages have them) and
// facteur-metadata (annotations), and in the home directory facteur-subscriptions.
package maildir

import (
	"os"
	"path/filepath"

	"facteur/server/safefile"
)

// The subdirectories of a folder.
const (
	New = "new"
	Cur = "cur"
	Tmp = "tmp"
)

// marker is the empty file that tells a folder from a home in Maildir++.
const marker = "maildirfolder"

// MakeFolder makes cur, new and tmp in dir, which is made too, and the state.
// It may be called again after a crash, and is durable when it returns, but
// for the entry of dir in its parent.
func MakeFolder(fsys safefile.FS, dir string, state State) error {
	if err := mkdir(fsys, dir); err != nil {
		return err
	}
	for _, sub := range []string{Cur, New, Tmp} {
		if err := mkdir(fsys, filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	if filepath.Base(dir)[0] == '.' {
		f, err := fsys.Append(filepath.Join(dir, marker))
		if err != nil {
			return err
		}
		f.Close()
	}
	return WriteState(fsys, dir, state) // syncs dir
}

func mkdir(fsys safefile.FS, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	return fsys.Mkdir(dir)
}

// IsFolder tells whether dir holds messages. A symbolic link is no folder: it
// could lead to files of others.
func IsFolder(dir string) bool {
	for _, path := range []string{dir, filepath.Join(dir, Cur)} {
		if info, err := os.Lstat(path); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}
