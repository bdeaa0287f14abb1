package imapd

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/charset"
	"golang.org/x/text/cases"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/message"
)

// Search is SEARCH and UID SEARCH (RFC 9051 6.4.4), with SAVE (RFC 5182).
func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, options *imap.SearchOptions) (*imap.SearchData, error) {
	s.lock()
	defer s.mu.Unlock()
	s.selected.take()
	places, err := s.search(criteria)
	if err != nil {
		if options.ReturnSave { // RFC 5182 2.1
			s.saved = nil
		}
		return nil, s.fetchFailed(err)
	}
	if options.ReturnSave {
		s.saved = s.selected.uids(saves(places, options))
	}
	data := &imap.SearchData{Count: uint32(len(places))}
	num := func(place int) uint32 {
		if kind == imapserver.NumKindUID {
			return uint32(s.selected.messages[place].UID)
		}
		return uint32(place + 1)
	}
	if n := len(places); n > 0 {
		data.Min, data.Max = num(places[0]), num(places[n-1])
	}
	var seqs imap.SeqSet
	var uids imap.UIDSet
	for _, p := range places {
		if kind == imapserver.NumKindUID {
			uids.AddNum(imap.UID(num(p)))
		} else {
			seqs.AddNum(num(p))
		}
	}
	if data.All = seqs; kind == imapserver.NumKindUID {
		data.All = uids
	}
	return data, nil
}

// saves returns what SAVE keeps (RFC 5182 2.4): all, or only MIN and MAX when
// nothing else is asked for.
func saves(places []int, options *imap.SearchOptions) []int {
	if options.ReturnAll || options.ReturnCount || len(places) == 0 {
		return places
	}
	var keep []int
	if options.ReturnMin {
		keep = append(keep, places[0])
	}
	if options.ReturnMax {
		keep = append(keep, places[len(places)-1])
	}
	return keep
}

func (s *session) search(criteria *imap.SearchCriteria) ([]int, error) {
	texts := 0
	matches, err := s.compile(criteria, &texts)
	if err != nil {
		return nil, err
	}
	var found []int
	for i, m := range s.selected.messages[:s.selected.told] {
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		c := candidate{box: s.selected.box, place: i, Message: m}
		ok, err := matches(&c)
		c.close()
		switch {
		case fault.Is(err, fault.NotFound): // gone
		case err != nil:
			return nil, err
		case ok:
			found = append(found, i)
		}
	}
	return found, nil
}

// test tells whether a message matches.
type test func(*candidate) (bool, error)

// all passes what passes each test; they are made in the order of what they cost.
func all(tests []test) test {
	return func(c *candidate) (bool, error) {
		for _, t := range tests {
			if ok, err := t(c); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// maxTexts bounds how many strings one SEARCH looks for.
const maxTexts = 200

// compile makes a test of search keys (RFC 9051 6.4.4).
func (s *session) compile(keys *imap.SearchCriteria, texts *int) (test, error) {
	if *texts += len(keys.Header) + len(keys.Body) + len(keys.Text); *texts > maxTexts {
		return nil, no(imap.ResponseCodeLimit, "The search looks for too many strings")
	}
	tests := []test{func(c *candidate) (bool, error) { return c.matchesFacts(keys), nil }}
	sets := make([]imap.NumSet, 0, len(keys.SeqNum)+len(keys.UID))
	for _, set := range keys.SeqNum {
		sets = append(sets, set)
	}
	for _, set := range keys.UID {
		sets = append(sets, set)
	}
	for _, set := range sets {
		spans, err := s.spans(set)
		if err != nil {
			return nil, err
		}
		tests = append(tests, func(c *candidate) (bool, error) { return within(spans, c.place), nil })
	}
	tests = append(tests, func(c *candidate) (bool, error) { return c.matchesDates(keys) })
	for i := range keys.Not {
		t, err := s.compile(&keys.Not[i], texts)
		if err != nil {
			return nil, err
		}
		tests = append(tests, func(c *candidate) (bool, error) {
			ok, err := t(c)
			return !ok, err
		})
	}
	for i := range keys.Or {
		a, errA := s.compile(&keys.Or[i][0], texts)
		b, errB := s.compile(&keys.Or[i][1], texts)
		if err := errors.Join(errA, errB); err != nil {
			return nil, err
		}
		tests = append(tests, func(c *candidate) (bool, error) {
			if ok, err := a(c); ok || err != nil {
				return ok, err
			}
			return b(c)
		})
	}
	return all(append(tests, textTests(keys)...)), nil
}

// textTests are those that read the message.
func textTests(keys *imap.SearchCriteria) []test {
	var tests []test
	for _, h := range keys.Header {
		name, want := h.Key, fold(h.Value)
		tests = append(tests, func(c *candidate) (bool, error) { return c.fieldContains(name, want) })
	}
	for i, text := range append(slices.Clone(keys.Body), keys.Text...) {
		header, want := i >= len(keys.Body), []byte(fold(text))
		tests = append(tests, func(c *candidate) (bool, error) {
			root, err := c.parts()
			if err != nil {
				return false, err
			}
			if header && headerContains(root.header, want) {
				return true, nil
			}
			return c.bodyContains(root, want)
		})
	}
	return tests
}

// within tells whether one of the spans, which ascend, holds place.
func within(spans []span, place int) bool {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].to > place })
	return i < len(spans) && spans[i].from <= place
}

// candidate is a message that is looked at, opened when first needed.
type candidate struct {
	mailbox.Message
	openMessage
	box   *mailbox.Mailbox
	place int
}

func (c *candidate) top() (*part, error) {
	if err := c.openOnce(c.box, c.UID); err != nil {
		return nil, err
	}
	return c.openMessage.top()
}

func (c *candidate) parts() (*part, error) {
	if err := c.openOnce(c.box, c.UID); err != nil {
		return nil, err
	}
	return c.openMessage.parts()
}

// matchesFacts looks at what is known without opening the message.
func (c *candidate) matchesFacts(keys *imap.SearchCriteria) bool {
	if keys.Larger > 0 && c.Size <= keys.Larger || keys.Smaller > 0 && c.Size >= keys.Smaller {
		return false
	}
	return !slices.ContainsFunc(keys.Flag, func(f imap.Flag) bool { return !c.has(f) }) &&
		!slices.ContainsFunc(keys.NotFlag, c.has)
}

// has tells whether the message has a flag; flags have no case.
func (c *candidate) has(f imap.Flag) bool {
	if f == flagRecent {
		return c.Recent
	}
	return slices.ContainsFunc(c.Flags, func(g string) bool { return strings.EqualFold(g, string(f)) })
}

func (c *candidate) matchesDates(keys *imap.SearchCriteria) (bool, error) {
	if !keys.Since.IsZero() || !keys.Before.IsZero() {
		date, err := c.box.InternalDate(c.UID)
		if err != nil || !between(date, keys.Since, keys.Before) {
			return false, err
		}
	}
	if keys.SentSince.IsZero() && keys.SentBefore.IsZero() {
		return true, nil
	}
	top, err := c.top()
	if err != nil {
		return false, err
	}
	date := top.header.Date()
	return !date.IsZero() && between(date, keys.SentSince, keys.SentBefore), nil
}

// between compares days, without regard to time and time zone (RFC 9051 6.4.4).
func between(t, since, before time.Time) bool {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

// fieldContains looks for folded text in the fields of a name.
func (c *candidate) fieldContains(name, want string) (bool, error) {
	top, err := c.top()
	if err != nil {
		return false, err
	}
	values := top.header.Values(name)
	return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(fold(v), want) }), nil
}

// bodyContains looks for folded text in the texts of a part, and in the headers
// of the messages in it.
func (c *candidate) bodyContains(p *part, want []byte) (bool, error) {
	if p.encapsulates() && headerContains(p.children[0].header, want) {
		return true, nil
	}
	for _, child := range p.children {
		if ok, err := c.bodyContains(child, want); ok || err != nil {
			return ok, err
		}
	}
	if p.kind != "text" {
		return false, nil
	}
	r, _ := decode(&c.openMessage, p) // of an unknown encoding, the octets
	r, err := charsetReader(p.params["charset"], r)
	if err != nil {
		return false, err
	}
	return contains(transform.NewReader(r, folding()), want), nil
}

// headerContains looks for folded text in a header.
func headerContains(h *message.Header, want []byte) bool {
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(h.Bytes()))
	return strings.Contains(fold(message.DecodeText(unfolded)), string(want))
}

// contains looks for want in what r gives before it ends or fails.
func contains(r io.Reader, want []byte) bool {
	buf := make([]byte, 0, 16<<10+len(want))
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, want) {
			return true
		}
		if err != nil {
			return false
		}
		if keep := len(want) - 1; len(buf) > keep {
			buf = buf[:copy(buf, buf[len(buf)-max(keep, 0):])]
		}
	}
}

// folding makes text comparable without case (RFC 9051 6.4.4).
func folding() transform.Transformer { return transform.Chain(norm.NFC, cases.Fold()) }

func fold(s string) string {
	folded, _, err := transform.String(folding(), s)
	if err != nil {
		return strings.ToLower(s)
	}
	return folded
}

// charsetReader converts to UTF-8; what is in an unknown charset is passed on, so
// that its ASCII can be read.
func charsetReader(name string, r io.Reader) (io.Reader, error) {
	converted, err := charset.Reader(name, r)
	if err != nil {
		return r, nil
	}
	return converted, nil
}
