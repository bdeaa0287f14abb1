package files

import (
	"errors"
	"log/slog"
	"time"

	"facteur/server/address"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// Path leads from the root of a tree to a file or folder: names of any octets. The root has none.
type Path []string

// ETag is a strong entity tag with its quotes; folders have none.
type ETag string

// Info is a file or folder at one moment.
type Info struct {
	Name     string // the last of the path, "" for the root
	Folder   bool
	Size     int64
	Modified time.Time
	ETag     ETag
}

// Check looks at what is there before it is changed, nil for nothing; its error refuses
// the change and is returned as it is. It is asked twice when that saves work in vain.
type Check func(now *Info) error

// The errors that are no faults.
var (
	// ErrParent: the folder in which something is to be made is not there (RFC 4918: 409).
	ErrParent = errors.New("the folder above is not there")
	// ErrFolder: a file was to be where a folder is, or read from one (405).
	ErrFolder = errors.New("it is a folder")
	// ErrExists: something is there already (405 for MKCOL, 412 for COPY and MOVE).
	ErrExists = errors.New("something is there already")
	// ErrSame: a thing was to be copied or moved onto itself, into itself, or onto
	// a folder that it is in (RFC 4918 9.8.5, 9.9.4: 403).
	ErrSame = errors.New("source and destination are the same, or one is in the other")
)

// Options are the settings of a Store.
type Options struct {
	Dir string // of all domains: data/domains
	// Folder is the name of a tree in the folder of an account, and in deleted/; "": "files".
	// Two stores may lie side by side.
	Folder string
	Tmp    string           // for files being written, on the same file system: data/spool/tmp
	FS     safefile.FS      // nil: safefile.OS
	Log    *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
	// Room is asked before a tree grows by some octets; its error refuses that.
	// Nil: there is always room.
	Room func(a address.Address, octets int64) error
	// Bins are where removed files are kept. Nil: they are removed at once.
	Bins *retention.Bins
	// MaxSize bounds a file in octets; 0 is 1 GiB.
	MaxSize int64
	// MaxFiles bounds the files and folders of a tree; 0 is 100,000.
	MaxFiles int
}

// PutOptions are those of Put.
type PutOptions struct {
	Size  int64 // how many octets will come, or less than 0 when that is not known
	Check Check // may be nil
}

// TransferOptions are those of Move and Copy.
type TransferOptions struct {
	To        *Tree // nil: the same
	Path      Path  // the destination
	Overwrite bool  // what is there is removed first (RFC 4918 9.8.4, 9.9.3)
	Shallow   bool  // Copy: of a folder only itself (Depth: 0)
	Check     Check // of the source; may be nil
	CheckTo   Check // of the destination; may be nil
}

// Usage is what a tree holds.
type Usage struct {
	Octets int64
	Files  int // and folders
}

// Deleted is what can be brought back.
type Deleted struct {
	retention.Thing
	Path Path // of what was removed
}
