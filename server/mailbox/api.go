package mailbox

import (
	"log/slog"
	"time"

	"facteur/server/safefile"
)

// UID is the unique identifier of a message in a mailbox (RFC 9051 2.3.1.1).
type UID uint32

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
	Octets   int64 // as served
	Messages int
}

// Status is what a mailbox holds.
type Status struct {
	Messages, Unseen, Recent int
	UIDNext                  UID
	UIDValidity              UIDValidity
	Size                     int64 // octets, as served
}

// Message is what is known of a message without opening it.
type Message struct {
	UID    UID
	Flags  []string // system flags and keywords; shared, not to be changed; without \Recent
	Size   int64    // octets as served, with CRLF
	Recent bool     // this view is the first to see it
}

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds of events.
const (
	Added    EventKind = iota // Message is the new one; UIDs of added messages ascend
	Expunged                  // UID is gone
	Flags                     // the flags of UID are now those of Message
)

// Event is a change of a mailbox.
type Event struct {
	Kind    EventKind
	UID     UID
	Message Message // zero for Expunged
	By      *View   // the view whose session did it, nil: another program or a delivery
}

// FlagOp says what SetFlags does with the flags that it is given.
type FlagOp uint8

// The operations of SetFlags (RFC 9051 6.4.6).
const (
	Set FlagOp = iota
	AddFlags
	RemoveFlags
)

// AddOptions are those of Mailbox.Add.
type AddOptions struct {
	Flags []string
	// InternalDate becomes the mtime of the draft, which must not be linked
	// anywhere yet. Zero leaves it as it is.
	InternalDate time.Time
	// Unique makes a repeated Add a no-op that returns the UID of the first. It
	// is of letters, digits and "-", and unique over all messages. Every Add with
	// it needs the list of messages in memory, one without it doesn't.
	Unique string
	// Last: the draft is not needed any more. It is renamed instead of linked.
	Last bool
}

// Pair is a message before and after a Copy or Move.
type Pair struct{ Src, Dst UID }
