package imapd

import (
	"bytes"
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
	q, err := s.compile(criteria, &texts)
	if err != nil {
		return nil, err
	}
	var found []int
	for i, m := range s.selected.messages[:s.selected.told] {
		if s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		c := candidate{box: s.selected.box, place: i, Message: m}
		ok, err := q.match(&c)
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

// query is a search key made ready.
type query struct {
	*imap.SearchCriteria
	sets         [][]span
	headers      []string // folded, as Header
	bodies, text [][]byte // folded
	not          []*query
	or           [][2]*query
}

// maxTexts bounds how many strings one SEARCH looks for.
const maxTexts = 200

func (s *session) compile(c *imap.SearchCriteria, texts *int) (*query, error) {
	q := &query{SearchCriteria: c}
	if *texts += len(c.Header) + len(c.Body) + len(c.Text); *texts > maxTexts {
		return nil, no(imap.ResponseCodeLimit, "The search looks for too many strings")
	}
	for _, set := range c.SeqNum {
		spans, err := s.spans(set)
		if err != nil {
			return nil, err
		}
		q.sets = append(q.sets, spans)
	}
	for _, set := range c.UID {
		spans, err := s.spans(set)
		if err != nil {
			return nil, err
		}
		q.sets = append(q.sets, spans)
	}
	for _, h := range c.Header {
		q.headers = append(q.headers, fold(h.Value))
	}
	for _, b := range c.Body {
		q.bodies = append(q.bodies, []byte(fold(b)))
	}
	for _, t := range c.Text {
		q.text = append(q.text, []byte(fold(t)))
	}
	for i := range c.Not {
		not, err := s.compile(&c.Not[i], texts)
		if err != nil {
			return nil, err
		}
		q.not = append(q.not, not)
	}
	for i := range c.Or {
		a, err := s.compile(&c.Or[i][0], texts)
		if err != nil {
			return nil, err
		}
		b, err := s.compile(&c.Or[i][1], texts)
		if err != nil {
			return nil, err
		}
		q.or = append(q.or, [2]*query{a, b})
	}
	return q, nil
}

// match tells whether a message matches; what costs little is looked at first.
func (q *query) match(c *candidate) (bool, error) {
	if !q.matchFacts(c) {
		return false, nil
	}
	for _, step := range []func(*candidate) (bool, error){q.matchDates, q.matchNested, q.matchHeader, q.matchText} {
		if ok, err := step(c); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (q *query) matchFacts(c *candidate) bool {
	if q.Larger > 0 && c.Size <= q.Larger || q.Smaller > 0 && c.Size >= q.Smaller {
		return false
	}
	for _, spans := range q.sets {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].to > c.place })
		if i == len(spans) || spans[i].from > c.place {
			return false
		}
	}
	return !slices.ContainsFunc(q.Flag, func(f imap.Flag) bool { return !c.has(f) }) &&
		!slices.ContainsFunc(q.NotFlag, c.has)
}

func (q *query) matchDates(c *candidate) (bool, error) {
	if !q.Since.IsZero() || !q.Before.IsZero() {
		date, err := c.box.InternalDate(c.UID)
		if err != nil || !within(date, q.Since, q.Before) {
			return false, err
		}
	}
	if q.SentSince.IsZero() && q.SentBefore.IsZero() {
		return true, nil
	}
	top, err := c.top()
	if err != nil {
		return false, err
	}
	date := top.header.Date()
	return !date.IsZero() && within(date, q.SentSince, q.SentBefore), nil
}

// within compares days, without regard to time and time zone (RFC 9051 6.4.4).
func within(t, since, before time.Time) bool {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

func (q *query) matchNested(c *candidate) (bool, error) {
	for _, not := range q.not {
		if ok, err := not.match(c); ok || err != nil {
			return false, err
		}
	}
	for _, or := range q.or {
		ok, err := or[0].match(c)
		if err == nil && !ok {
			ok, err = or[1].match(c)
		}
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (q *query) matchHeader(c *candidate) (bool, error) {
	if len(q.headers) == 0 {
		return true, nil
	}
	top, err := c.top()
	if err != nil {
		return false, err
	}
	for i, want := range q.headers {
		values := top.header.Values(q.Header[i].Key)
		if !slices.ContainsFunc(values, func(v string) bool { return strings.Contains(fold(v), want) }) {
			return false, nil
		}
	}
	return true, nil
}

func (q *query) matchText(c *candidate) (bool, error) {
	if len(q.bodies)+len(q.text) == 0 {
		return true, nil
	}
	root, err := c.parts()
	if err != nil {
		return false, err
	}
	for _, want := range q.bodies {
		if ok, err := c.bodyContains(root, want); !ok || err != nil {
			return false, err
		}
	}
	for _, want := range q.text {
		if headerContains(root.header, want) {
			continue
		}
		if ok, err := c.bodyContains(root, want); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
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

// has tells whether the message has a flag; flags have no case.
func (c *candidate) has(f imap.Flag) bool {
	if f == flagRecent {
		return c.Recent
	}
	return slices.ContainsFunc(c.Flags, func(g string) bool { return strings.EqualFold(g, string(f)) })
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
