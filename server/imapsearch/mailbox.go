package imapsearch

import (
	"encoding/hex"
	"io"
	"time"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// Env is what a command is run on.
type Env struct {
	// Box is the mailbox. It may be newer than Snapshot.
	Box *mailbox.Mailbox
	// Snapshot is what is searched: the messages that the client knows, so that
	// place i has the message number i+1.
	Snapshot *mailbox.Snapshot
	// Newest, if not nil, is a later snapshot, of which the client has yet to be
	// told that some messages of Snapshot are gone: flags and mod-sequences are
	// those of Newest, and what is not in it matches nothing.
	Newest *mailbox.Snapshot
	// Saved is what "$" stands for: UIDs, ascending (RFC 5182).
	Saved imapwire.NumSet
	// Recent are the UIDs of the messages that are \Recent in this session,
	// ascending; there may be UIDs in it that no message has.
	Recent imapwire.NumSet
	// Now is the time of the command, for OLDER and YOUNGER.
	Now time.Time
	// Zone is where internal dates are told; nil: UTC. BEFORE, ON, SINCE and
	// their like mean its days.
	Zone *time.Location
	// Limit is how many messages are searched at most: the newest of those that
	// the keys of numbers and UIDs leave. 0: all. Limited, if not nil, is called
	// with the lowest UID when there were more (RFC 9738 3.1).
	Limit   int
	Limited func(lowest mailbox.UID)
	// Progress, if not nil, is called each ProgressEvery, from the goroutine of
	// Run, with the number of messages that were looked at (RFC 9585).
	Progress      func(done, total int)
	ProgressEvery time.Duration // 0: 10 seconds

	src source // instead of Box, for tests
}

// newestOf returns the record of a message in a later snapshot, if there is one;
// nil when the message is gone.
func newestOf(rec *msgindex.Record, newest *mailbox.Snapshot) *msgindex.Record {
	if newest == nil {
		return rec
	}
	if i, ok := newest.Find(rec.UID); ok {
		return newest.At(i)
	}
	return nil
}

func (e *Env) zone() *time.Location {
	if e.Zone == nil {
		return time.UTC
	}
	return e.Zone
}

func (e *Env) source() source {
	if e.src != nil {
		return e.src
	}
	return boxSource{e.Box}
}

// source is what a search asks of a mailbox. It is for any goroutine.
type source interface {
	// flags returns the IMAP names of a message's flags and keywords.
	flags(*msgindex.Record) []string
	// candidates returns the messages, of those with UIDs up to through, that may
	// hold a folded text; ok is false when that is not known.
	candidates(folded []byte) (uids []msgindex.UID, through msgindex.UID, ok bool)
	// reader returns a reader, to be closed.
	reader() reader
}

// reader reads messages. It is for one goroutine. A message that is gone is a
// fault of kind NotFound.
type reader interface {
	// summary returns that of a message, valid until the next call.
	summary(*msgindex.Record) (*message.Summary, error)
	// open opens a message.
	open(*msgindex.Record) (content, error)
	close()
}

// content is an open message, with CRLF line ends.
type content interface {
	io.ReaderAt
	Size() int64
	Close() error
}

type boxSource struct{ box *mailbox.Mailbox }

func (s boxSource) flags(r *msgindex.Record) []string { return s.box.Flags(r) }

func (s boxSource) candidates(folded []byte) ([]msgindex.UID, msgindex.UID, bool) {
	return s.box.Candidates(folded)
}

func (s boxSource) reader() reader { return boxReader{s.box.Entries()} }

type boxReader struct{ entries *mailbox.Entries }

func (r boxReader) summary(rec *msgindex.Record) (*message.Summary, error) {
	return r.entries.Summary(rec)
}

func (r boxReader) open(rec *msgindex.Record) (content, error) { return r.entries.Open(rec) }

func (r boxReader) close() { r.entries.Close() }

// EmailID returns the objectid of EMAILID (RFC 8474 5.1) for the hash in a
// summary: FETCH tells it, and the search key takes it.
func EmailID(hash [16]byte) string { return "M" + hex.EncodeToString(hash[:]) }
