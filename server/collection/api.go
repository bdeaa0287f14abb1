package collection

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
	"facteur/server/retention"
	"facteur/server/safefile"
)

// Kind is what a collection holds.
type Kind uint8

// The kinds of collections.
const (
	Calendar    Kind = iota + 1 // iCalendar objects (RFC 4791 4.2)
	AddressBook                 // vCards (RFC 6352 5.2)
)

var kinds = [...]Kind{Calendar, AddressBook}

// dir is the directory of collections of a kind in a home.
func (k Kind) dir() string {
	if k == AddressBook {
		return "contacts"
	}
	return "calendars"
}

func (k Kind) ext() string {
	if k == AddressBook {
		return ".vcf"
	}
	return ".ics"
}

// ETag is a strong entity tag with its quotes (RFC 9110 8.8.3): a hash of the
// octets of an object.
type ETag string

// SyncToken names a state of a collection (RFC 6578 3.2), without the form of a
// URI. It is opaque; "" is before all.
type SyncToken string

// CTag changes when anything in a collection does.
type CTag string

// Options are the settings of a Store.
type Options struct {
	Dir string           // of all domains: data/domains
	Tmp string           // for files being written, on the same file system: data/spool/tmp
	FS  safefile.FS      // nil: safefile.OS
	Log *slog.Logger     // nil: none
	Now func() time.Time // nil: time.Now
	// Index reads an object. Its error refuses a Put, and is for the peer; an
	// object that another program put there is marked Broken, and has what facts there are. It
	// is called by several goroutines at once.
	Index func(kind Kind, data []byte) (Facts, error)
	// IndexVersion changes with what Index tells: all facts are read anew then.
	IndexVersion int
	// Room is asked before a home grows by some octets; its error refuses that.
	// Nil: there is always room.
	Room func(a address.Address, octets int64) error
	// Bins are where deleted objects are kept. Nil: they are removed at once.
	Bins *retention.Bins
	// MaxSize bounds an object in octets; 0 is 16 MiB. A larger file of another
	// program is not seen.
	MaxSize int64
	// Defaults are made in a new home.
	Defaults []Default
}

// Default is a collection that a new home has.
type Default struct {
	Name  string
	Kind  Kind
	Props Props
}

// Facts are what the index keeps of an object.
type Facts struct {
	UID  string // RFC 7986 5.3, RFC 6350 6.7.6
	Kind string // the component (VEVENT ...); of a vCard as its owner likes
	// First and Last bound all instances and alarms of an object; floating times
	// must be covered in every time zone. A zero First is since ever, a zero Last
	// or Infinite for ever.
	First, Last time.Time
	Infinite    bool
	Props       []string // what searches want, in a form of the owner; see Counted
}

// Entry is an object at one moment. It must not be changed.
type Entry struct {
	Href     string // the last segment, not percent-encoded
	ETag     ETag
	Size     int64
	Modified time.Time
	Facts    Facts
	Broken   bool // Index refused it; another program put it there
}

// Condition is what must hold for a change (RFC 9110 13.1). The zero Condition
// always does.
type Condition struct {
	Match     []ETag // If-Match: one of them; nil: anything
	Exists    bool   // If-Match: *
	NoneMatch []ETag // If-None-Match: none of them
	Absent    bool   // If-None-Match: *
}

// Props are the properties of a collection.
type Props struct {
	// DisplayName and Color are the vdir files displayname and color. Programs
	// that read these take #RRGGBB only.
	DisplayName, Color string
	// Other are further properties, dead ones too, by a name of the owner's
	// choosing, such as "{DAV:}owner".
	Other map[string]string
}

// Usage is what a home holds.
type Usage struct {
	Octets  int64
	Objects int
}

// ErrCondition: the Condition does not hold (412).
var ErrCondition = errors.New("the object is not as the condition says")

// ErrToken: a SyncToken is none of this collection, or too old (RFC 6578 3.2,
// DAV:valid-sync-token).
var ErrToken = errors.New("the sync-token is not valid")

// UIDConflict is the error of a Put, Move or Copy that would have two objects
// with one UID in a collection, or give an object another UID (RFC 4791 5.3.2.1,
// RFC 6352 6.3.2.1, no-uid-conflict).
type UIDConflict struct{ Href string }

// Error names the object that is in the way.
func (e *UIDConflict) Error() string { return fmt.Sprintf("the UID is that of %q", e.Href) }

var (
	errGone   = fault.New(fault.NotFound, "The collection is gone")
	errNoHref = fault.New(fault.NotFound, "There is no such object")
	errBusy   = fault.New(fault.Unavailable, "Another program is changing the object, try again")
)

// Holds tells whether a condition holds for an object, nil when it is not there.
func (c Condition) Holds(e *Entry) bool {
	if e == nil {
		return len(c.Match) == 0 && !c.Exists
	}
	if c.Absent || contains(c.NoneMatch, e.ETag) {
		return false
	}
	return len(c.Match) == 0 || contains(c.Match, e.ETag)
}

// contains compares strongly (RFC 9110 8.8.3.2): a weak tag is never equal.
func contains(tags []ETag, tag ETag) bool {
	for _, t := range tags {
		if t == tag && !strings.HasPrefix(string(t), "W/") {
			return true
		}
	}
	return false
}

// Changes are what became of a collection since a token.
type Changes struct {
	Changed   []*Entry
	Removed   []string // hrefs
	Token     SyncToken
	Truncated bool // there are more, after Token
}

// All returns the objects in the order in which they changed last.
func (s *Snapshot) All() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, r := range s.order {
			if s.live(r) && !r.gone && !yield(&r.Entry) {
				return
			}
		}
	}
}

// Query returns the objects of a kind (Facts.Kind, "": any) that may have
// something in a span of time, both ends included; a zero time is no bound. The
// caller looks closer. Broken objects are never among them.
func (s *Snapshot) Query(from, to time.Time, kind string) iter.Seq[*Entry] {
	first, last := seconds(from, minSecond), seconds(to, maxSecond)
	return func(yield func(*Entry) bool) {
		for _, r := range s.order {
			if r.first > last || r.last < first || r.gone || r.Broken || kind != "" && r.Facts.Kind != kind || !s.live(r) {
				continue
			}
			if !yield(&r.Entry) {
				return
			}
		}
	}
}

var errInTheWay = fault.New(fault.NotPossible, "Another program put something there that is no object")
