package hook

import (
	"io"
	"net/netip"
	"time"

	"facteur/server/address"
)

// Client is the connected client: c in Lua.
type Client struct {
	IP         netip.Addr // invalid on a Unix socket
	RDNS       string
	Helo       string
	TLSVersion string
	TLSCipher  string
	User       string // account of the login, "" without one
	Listener   string
	ID         string
}

// Message is the message: m in Lua.
type Message struct {
	ID          string
	ReversePath address.Address   // m.from
	Recipients  []address.Address // m.to
	Size        int64
	Content     Content       // nil before the stages that have it
	Auth        *Authenticity // nil when the message was not verified
	Spam        Spam          // what scripts of the stage data found
	Virus       string        // its name, once a plugin found one; "" none
	Scanned     bool          // plugins looked for viruses: Virus is all that they found
	Submitted   bool          // by a login here
}

// Spam is the sum of what scripts scored: m.spam in Lua.
type Spam struct {
	Score float64
	Rules []Rule
}

// Rule is one score.
type Rule struct {
	Name   string
	Points float64
	Why    string
}

// Authenticity is what was found out about who a message comes from, in the words of
// RFC 8601: m.auth in Lua.
type Authenticity struct {
	SPF     string
	DKIM    string // "pass" when any signature does
	DMARC   string
	ARC     string
	Domains []address.Domain // whose signatures pass
	Author  address.Domain   // that of From, when it is shown to be true; "" when it is not
	Exempt  bool             // the client is trusted to bring mail of others: what is not shown means nothing
}

// Content reads a message. Implementations bound what they read.
type Content interface {
	// Values returns the decoded values of all fields of that name, in order.
	Values(name string) []string
	// RawValues returns them as they stand, unfolded but not decoded.
	RawValues(name string) []string
	// Addresses returns the addresses in all fields of that name.
	Addresses(name string) []address.Address
	// Subject and Date are those of the header; zero when absent.
	Subject() string
	Date() time.Time
	// Text returns the text of the message, decoded to UTF-8, at most max octets.
	Text(max int) string
	// HTML returns its first text/html part, decoded to UTF-8, at most max octets.
	HTML(max int) string
	// Parts lists the parts of a MIME message, in their order, itself first.
	Parts() []Part
	// PartText returns the decoded content of a part (its index in Parts), at most max
	// octets; text in UTF-8.
	PartText(part, max int) string
	// PartHeader returns the decoded value of a field of a part, "" when absent.
	PartHeader(part int, name string) string
	// Attachments lists the parts that are files.
	Attachments() []Attachment
	// URLs lists the addresses of web pages in its text, each once.
	URLs() []string
	// Is tells what kind of message it is, by its header and structure.
	Is() Nature
	// Raw copies the message as it came.
	Raw() io.Reader
}

// Part is one part of a MIME message.
type Part struct {
	Type        string // media type in lower case: "text/plain"
	Name        string // file name, decoded
	Disposition string // "inline", "attachment" or ""
	Charset     string
	ContentID   string
	Size        int64 // octets, still encoded
	Depth       int   // 0: the message itself
}

// Attachment is a part that is a file.
type Attachment struct {
	Part      int // its index in Parts
	Name      string
	Type      string
	Size      int64    // octets, decoded
	Files     []string // names in an archive, also in archives within it
	Encrypted bool     // an archive that needs a password, or hides its names
	Opaque    bool     // an archive that can't be looked into as a whole
}

// Nature is what kind of message it is: the part of m.is that is in the message.
type Nature struct {
	Bounce    bool // a null reverse-path is for the caller; here: multipart/report or delivery-status
	List      bool // any List-* field (RFC 2369, 2919)
	Auto      bool // Auto-Submitted other than no (RFC 3834)
	Bulk      bool // Precedence bulk, junk or list, or List-*
	Encrypted bool // OpenPGP or S/MIME
	Calendar  bool // a text/calendar part
}

// Recipient is one forward-path: r in Lua.
type Recipient struct {
	Address  address.Address // where it leads: the account or shared mailbox, else the forward-path
	Original address.Address // the forward-path as given
	Detail   string          // the subaddress
	Path     []string        // how the aliases led here
}

// Login is a login: a in Lua.
type Login struct {
	Account   address.Address
	Device    string // of an app password; "" with the account's own
	Mechanism string // of SASL, or "LOGIN", "USER", "BASIC" (RFC 7617)
}

// Change is what a client did to a stored message: event in Lua.
type Change struct {
	Kind    string // "append", "copy", "move" or "flags"
	Folder  string // where the message is now
	From    string // copy, move: where it was
	Flags   []string
	Added   []string // flags: those that were set now
	Removed []string
}

// Fate is what became of a message at a remote recipient: result in Lua.
type Fate struct {
	Recipient address.Address
	Code      int    // of the last reply, 0 without one
	Status    string // "5.1.1"
	Text      string // of the reply, or why there is none
	Server    string // that gave it
	Attempts  int
	Next      time.Time // of the next try; zero: none
}

// Invitation is an iTIP request that a message brings: event in Lua (RFC 5546).
type Invitation struct {
	Method    string // REQUEST, CANCEL ...
	UID       string
	Organizer string // its mail address
	Attendees []string
	Summary   string
	Location  string
	Start     time.Time
	End       time.Time
	AllDay    bool
	Recurring bool
	Sequence  int
}

// Box is the mailbox of one recipient: box in Lua. It shows the data of that
// account alone.
type Box interface {
	Address() address.Address
	Addresses() []address.Address // all that lead to this box alone
	Quota() (used, max int64)     // octets; max 0: no limit
	Folders() []string
	Exists(folder string) bool
	// Count returns how many messages match a search of IMAP (RFC 9051 6.4.4) in a folder.
	Count(folder, query string) (int, error)
	// Contact tells what is known of a correspondent.
	Contact(address.Address) Contact
	// ThreadKnown tells whether one of the Message-IDs is of a message that the box sent.
	ThreadKnown(ids []string) bool
	// Busy returns when its owner is busy between two times, by its own calendars: periods
	// within these, in order, none over another. The event with the UID except does not count.
	Busy(from, to time.Time, except string) ([]Busy, error)
}

// Busy is a time that is taken.
type Busy struct {
	Start, End time.Time
	Kind       BusyKind
}

// BusyKind is how a time is taken (RFC 5545 3.2.9).
type BusyKind string

// The kinds.
const (
	Taken       BusyKind = "busy"
	Tentative   BusyKind = "tentative"   // or not answered yet
	Unavailable BusyKind = "unavailable" // the owner can't be met then
)

// Contact is what a mailbox knows of somebody.
type Contact struct {
	Name     string    // in an address book; "": they stand in none
	Received time.Time // their last mail that was kept; zero: never
	Written  time.Time // the last mail to them; zero: never
}
