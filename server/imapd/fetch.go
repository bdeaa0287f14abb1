package imapd

import (
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"facteur/server/fault"
	"facteur/server/mailbox"
)

// fetched is what a FETCH response is made of.
type fetched struct {
	message   openMessage
	flags     bool
	date      time.Time
	envelope  *imap.Envelope
	structure imap.BodyStructure
	sections  []section
	binaries  []section
	sizes     []uint32
}

// prepare reads what options ask for, up to the content of literals.
func (f *fetched) prepare(box *mailbox.Mailbox, uid mailbox.UID, options *imap.FetchOptions) (err error) {
	if options.InternalDate {
		if f.date, err = box.InternalDate(uid); err != nil {
			return err
		}
	}
	literals := len(options.BodySection) + len(options.BinarySection) + len(options.BinarySectionSize)
	if !options.Envelope && options.BodyStructure == nil && literals == 0 {
		return nil
	}
	if err = f.message.openOnce(box, uid); err != nil {
		return err
	}
	if options.BodyStructure != nil {
		root, err := f.message.parts()
		if err != nil {
			return err
		}
		f.structure = structureOf(root)
	}
	if options.Envelope {
		top, err := f.message.top()
		if err != nil {
			return err
		}
		f.envelope = envelopeOf(top.header)
	}
	return f.prepareLiterals(options)
}

func (f *fetched) prepareLiterals(options *imap.FetchOptions) error {
	held := int64(0)
	for _, item := range options.BodySection {
		sec, err := f.message.bodySection(item)
		if err != nil {
			return err
		}
		if held += sec.held; held > maxHeld {
			return errFetchesTooMuch
		}
		f.sections = append(f.sections, sec)
	}
	for _, item := range options.BinarySection {
		sec, err := f.message.binarySection(item.Part, item.Partial)
		if err != nil {
			return err
		}
		f.binaries = append(f.binaries, sec)
	}
	for _, item := range options.BinarySectionSize {
		sec, err := f.message.binarySection(item.Part, nil)
		if err != nil {
			return err
		}
		f.sizes = append(f.sizes, uint32(sec.size))
	}
	return nil
}

// Fetch is FETCH and UID FETCH (RFC 9051 6.4.5).
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	s.lock()
	defer s.mu.Unlock()
	if err := checkFetch(options); err != nil {
		return err
	}
	s.selected.take()
	places, err := s.resolve(set)
	if err != nil {
		return err
	}
	seen, err := s.markSeen(places, options)
	if err != nil {
		return s.failure("fetch", err)
	}
	for _, i := range places {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		err := s.fetch(w, i, options, seen[i])
		switch {
		case fault.Is(err, fault.NotFound): // gone: an EXPUNGE will tell (RFC 2180 4.1.3)
		case err != nil:
			return s.fetchFailed(err)
		}
	}
	return nil
}

func (s *session) fetchFailed(err error) error {
	var reply *imap.Error
	if errors.As(err, &reply) {
		return reply
	}
	return s.failure("fetch", err)
}

// What one FETCH may ask of each message: each of these items reads the message
// again, and selected header fields are held until they are written.
const (
	maxLiterals = 100
	maxHeld     = 4 << 20 // octets
)

var errFetchesTooMuch = no(imap.ResponseCodeLimit, "This asks for too much at once: fetch it in several commands")

// checkFetch refuses what imapserver lets pass.
func checkFetch(options *imap.FetchOptions) error {
	if len(options.BodySection)+len(options.BinarySection)+len(options.BinarySectionSize) > maxLiterals {
		return errFetchesTooMuch
	}
	var partials []*imap.SectionPartial
	for _, b := range options.BodySection {
		if b.Specifier == imap.PartSpecifierMIME && len(b.Part) == 0 {
			return bad("MIME needs the number of a part") // RFC 9051 9, section-spec
		}
		partials = append(partials, b.Partial)
	}
	for _, b := range options.BinarySection {
		partials = append(partials, b.Partial)
	}
	for _, p := range partials {
		if p != nil && (p.Size <= 0 || p.Size > math.MaxUint32 || p.Offset > math.MaxUint32) {
			return bad("This range can't be fetched") // RFC 9051 9, partial
		}
	}
	return nil
}

// markSeen sets \Seen where options ask for what a person reads (RFC 9051 6.4.5)
// and returns the places where it was not set before.
func (s *session) markSeen(places []int, options *imap.FetchOptions) (map[int]bool, error) {
	reads := slices.ContainsFunc(options.BodySection, func(b *imap.FetchItemBodySection) bool { return !b.Peek }) ||
		slices.ContainsFunc(options.BinarySection, func(b *imap.FetchItemBinarySection) bool { return !b.Peek })
	sel := s.selected
	if !reads || sel.readOnly {
		return nil, nil
	}
	seen := make(map[int]bool)
	var uids []mailbox.UID
	for _, i := range places {
		if m := sel.messages[i]; !slices.Contains(m.Flags, flagSeen) {
			seen[i] = true
			uids = append(uids, m.UID)
		}
	}
	if len(uids) == 0 {
		return nil, nil
	}
	if _, err := sel.box.SetFlags(sel.view, uids, mailbox.AddFlags, []string{flagSeen}); err != nil {
		return nil, err
	}
	sel.take()
	return seen, nil
}

// fetch writes one FETCH response. All that may fail comes before it is begun.
func (s *session) fetch(w *imapserver.FetchWriter, place int, options *imap.FetchOptions, seen bool) error {
	m := s.selected.messages[place]
	f := fetched{flags: options.Flags || seen}
	defer f.message.close()
	if err := f.prepare(s.selected.box, m.UID, options); err != nil {
		return err
	}
	r := w.CreateMessage(uint32(place + 1))
	if options.UID {
		r.WriteUID(imap.UID(m.UID))
	}
	if f.flags {
		r.WriteFlags(s.flagsOf(m))
		delete(s.selected.changed, m.UID)
	}
	if options.InternalDate {
		r.WriteInternalDate(f.date)
	}
	if options.RFC822Size {
		r.WriteRFC822Size(m.Size)
	}
	if options.Envelope {
		r.WriteEnvelope(f.envelope)
	}
	if options.BodyStructure != nil {
		r.WriteBodyStructure(f.structure)
	}
	for i, item := range options.BinarySectionSize {
		r.WriteBinarySectionSize(item, f.sizes[i])
	}
	err := f.writeLiterals(r, options)
	if err != nil {
		s.link.Close() // the literal is cut: there is no other way out
	}
	return errors.Join(err, r.Close())
}

func (f *fetched) writeLiterals(r *imapserver.FetchResponseWriter, options *imap.FetchOptions) error {
	for i, item := range options.BodySection {
		if err := writeLiteral(r.WriteBodySection(item, f.sections[i].size), f.sections[i]); err != nil {
			return err
		}
	}
	for i, item := range options.BinarySection {
		if err := writeLiteral(r.WriteBinarySection(item, f.binaries[i].size), f.binaries[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeLiteral(w io.WriteCloser, s section) error {
	_, err := io.CopyN(w, s, s.size)
	return errors.Join(err, w.Close())
}
