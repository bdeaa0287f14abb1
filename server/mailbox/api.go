package mailbox

import (
	"log/slog"
	"time"

	"facteur/server/address"
	"facteur/server/message"
	"facteur/server/msgindex"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// UID is the unique identifier of a message in a mailbox (RFC 9051 2.3.1.1).
type UID = msgindex.UID

// ModSeq is the modification sequence of a message (RFC 7162 3.1).
type ModSeq = msgindex.ModSeq

// Snapshot is all messages of a mailbox at one moment. It never changes.
type Snapshot = msgindex.Snapshot

// Record is a message in a Snapshot.
type Record = msgindex.Record

// UIDValidity goes with the UIDs of a mailbox (RFC 9051 2.3.1.1). A value is
// never given twice within an account.
type UIDValidity uint32

// Options are the settings of a Store.
type Options struct {
	Dir string           // of all domains: data/domains
	Tmp string           // for drafts, on the same file system: data/spool/tmp
	FS  safefile.FS      // nil: safefile.OS
	Log *slog.Logger     // nil: none
	Now func() time.Time // nil: time.Now
	// Bins are where expunged messages are kept. Nil: they are removed at once.
	Bins *retention.Bins
	// Beside tells how many octets an account holds beside its mail, which count in
	// Usage: its calendars, contacts and files. It is called without locks. Nil: none.
	Beside func(address.Address) (octets int64, err error)
	// NoText turns the index of the text off: every text search reads messages.
	NoText bool
}

// Folder is a name in the hierarchy of a home.
type Folder struct {
	Name       string // UTF-8, separator "/"
	Use        string // special use as `\Sent` (RFC 6154), or ""
	Subscribed bool
	// Exists: it is a mailbox. Else it is a level of the hierarchy (\Noselect),
	// or a subscription to what is not there (\NonExistent).
	Exists bool
}

// Usage is what a home holds.
type Usage struct {
	Octets   int64 // of messages as served, and of what Options.Beside tells
	Messages int
}

// Status is what a mailbox holds.
type Status struct {
	Messages, Unseen, Recent int
	Deleted                  int // with \Deleted (RFC 9051 6.3.11)
	UIDNext                  UID
	UIDValidity              UIDValidity
	HighestModSeq            ModSeq // never 0
	Size                     int64  // octets, as served
	ID                       string // MAILBOXID (RFC 8474 5.1)
}

// FlagOp says what SetFlags does with the flags that it is given.
type FlagOp uint8

// The operations of SetFlags (RFC 9051 6.4.6).
const (
	Set FlagOp = iota
	AddFlags
	RemoveFlags
)

// StoreOptions are those of Mailbox.SetFlags.
type StoreOptions struct {
	UIDs  []UID
	Op    FlagOp
	Flags []string
	// Conditional: a message whose MODSEQ is above UnchangedSince is left as it
	// is (RFC 7162 3.1.3). UnchangedSince may be 0, which every message is above.
	Conditional    bool
	UnchangedSince ModSeq
}

// AddOptions are those of Mailbox.Add.
type AddOptions struct {
	Flags []string
	// InternalDate becomes the mtime of the draft, which must not be linked
	// anywhere yet. Zero leaves it as it is.
	InternalDate time.Time
	// Unique makes a repeated Add a no-op that returns the UID of the first. It
	// is of letters, digits and "-", and unique over all messages. The first Add
	// with it lists the mailbox's files.
	Unique string
	// Last: the draft is not needed any more. It is renamed instead of linked.
	Last bool
	// Summary is that of the draft. Nil: it is made here, with no lock held.
	Summary *message.Summary
}

// Pair is a message before and after a Copy or Move.
type Pair struct{ Src, Dst UID }

// Progress tells how far a long operation is.
type Progress struct {
	Folder      string
	Done, Total int // messages of the folder
}
