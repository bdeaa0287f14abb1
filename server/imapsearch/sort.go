package imapsearch

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"facteur/server/fault"
	"facteur/server/imapwire"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// SortField is what SORT compares.
type SortField uint8

// The fields (RFC 5256 3, RFC 5957).
const (
	ByArrival SortField = iota
	BySize
	ByDate
	ByCc
	ByFrom
	BySubject
	ByTo
	ByDisplayFrom
	ByDisplayTo
)

// SortKey is a sort criterion.
type SortKey struct {
	Field   SortField
	Reverse bool
}

var sortFields = map[string]SortField{
	"ARRIVAL": ByArrival, "CC": ByCc, "DATE": ByDate, "FROM": ByFrom, "SIZE": BySize, "SUBJECT": BySubject, "TO": ByTo,
	"DISPLAYFROM": ByDisplayFrom, "DISPLAYTO": ByDisplayTo,
}

// maxSortKeys bounds the criteria: more than there are fields tell nothing new.
const maxSortKeys = 20

// parseSortKeys reads sort-criteria (RFC 5256 5).
func parseSortKeys(d *imapwire.Decoder) []SortKey {
	var keys []SortKey
	d.List(func() {
		var k SortKey
		word := d.Keyword()
		if k.Reverse = word == "REVERSE"; k.Reverse {
			d.SP()
			word = d.Keyword()
		}
		field, ok := sortFields[word]
		if !ok {
			d.Fail("%s is no sort criterion", clip(word))
		}
		k.Field = field
		if keys = append(keys, k); len(keys) > maxSortKeys {
			d.Fail("There are too many sort criteria")
		}
	})
	if len(keys) == 0 {
		d.Fail("A sort criterion is missing")
	}
	return keys
}

// SortPlaces puts places of env.Snapshot, which ascend, into the order of keys;
// messages that are the same in all keys stay in the order of the mailbox.
func SortPlaces(ctx context.Context, env Env, keys []SortKey, places []int) ([]int, error) {
	columns, err := readColumns(ctx, &env, keys, places)
	if err != nil {
		return nil, err
	}
	order := make([]int32, len(places))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		for i := range columns {
			if c := columns[i].compare(a, b); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	sorted := make([]int, len(places))
	for i, o := range order {
		sorted[i] = places[o]
	}
	return sorted, nil
}

// column is what messages have for one sort key.
type column struct {
	SortKey
	numbers []int64
	texts   []string // as collate returns them
}

func (c *column) compare(a, b int32) int {
	if c.Reverse {
		a, b = b, a
	}
	if c.numbers != nil {
		return cmp.Compare(c.numbers[a], c.numbers[b])
	}
	return strings.Compare(c.texts[a], c.texts[b])
}

// readColumns reads what the keys compare.
func readColumns(ctx context.Context, env *Env, keys []SortKey, places []int) ([]column, error) {
	columns := make([]column, len(keys))
	summaries := false
	for i, k := range keys {
		columns[i].SortKey = k
		if k.Field <= ByDate {
			columns[i].numbers = make([]int64, len(places))
		} else {
			columns[i].texts = make([]string, len(places))
		}
		summaries = summaries || k.Field >= ByDate
	}
	if !summaries {
		for i, p := range places {
			fill(columns, i, env.Snapshot.At(p), nil)
		}
		return columns, ctx.Err()
	}
	err := summarize(ctx, env, places, func(i int, rec *msgindex.Record, s *message.Summary) int {
		return fill(columns, i, rec, s)
	})
	return columns, err
}

// maxKept bounds the octets of text that sorting and threading keep.
const maxKept = 128 << 20

// summarize calls visit with the record and the summary of each message, from
// two goroutines. The summary of one that is gone, or whose header is too long
// to be kept, is made of what is known. visit returns how many octets it keeps.
func summarize(ctx context.Context, env *Env, places []int, visit func(i int, rec *msgindex.Record, s *message.Summary) int) error {
	src := env.source()
	w := watch{env: env, total: len(places)}
	return w.spread(ctx, len(places), func(ctx context.Context, next func() (from, to int)) error {
		r := src.reader()
		defer r.close()
		for {
			from, to := next()
			if from == to {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			for i := from; i < to; i++ {
				rec := env.Snapshot.At(places[i])
				s, err := listed(r, rec)
				if err != nil {
					return err
				}
				if w.kept.Add(int64(visit(i, rec, s))) > maxKept {
					return fault.New(fault.TooMany, "There are too many messages to sort")
				}
			}
			w.done.Add(int64(to - from))
		}
	})
}

// listed returns the summary of a message with its Fields: when the summary has
// none they are read from the file.
func listed(r reader, rec *msgindex.Record) (*message.Summary, error) {
	s, err := r.summary(rec)
	if fault.Is(err, fault.NotFound) {
		return &message.Summary{}, nil
	}
	if err != nil || !s.FieldsOmitted {
		return s, err
	}
	full := *s
	file, err := r.open(rec)
	if fault.Is(err, fault.NotFound) {
		return &full, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	full.Fields, err = fieldsOf(file, []string{"Cc", "From", "To", "Subject", "References", "In-Reply-To", "Message-ID"})
	return &full, err
}

// fill sets the values of one message, and returns the octets that they take.
func fill(columns []column, i int, rec *msgindex.Record, s *message.Summary) int {
	size := 0
	for k := range columns {
		c := &columns[k]
		if c.Field > ByDate {
			c.texts[i] = textOf(c.Field, s)
			size += len(c.texts[i])
			continue
		}
		switch c.Field {
		case ByArrival:
			c.numbers[i] = int64(rec.InternalDate)
		case BySize:
			c.numbers[i] = rec.Size()
		default:
			c.numbers[i] = sentDate(rec, s)
		}
	}
	return size
}

// sentDate is the sent date of RFC 5256 2.2: that of the Date field in UTC, else
// the internal date.
func sentDate(rec *msgindex.Record, s *message.Summary) int64 {
	if s.SentDate == 0 {
		return int64(rec.InternalDate)
	}
	return s.SentDate
}

// textOf returns what a field is sorted by.
func textOf(f SortField, s *message.Summary) string {
	switch f {
	case BySubject:
		return collate(subject(s))
	case ByCc:
		return collate(firstMailbox(s, "Cc").Local)
	case ByFrom:
		return collate(firstMailbox(s, "From").Local)
	case ByTo:
		return collate(firstMailbox(s, "To").Local)
	case ByDisplayFrom:
		return collate(display(firstMailbox(s, "From")))
	}
	return collate(display(firstMailbox(s, "To")))
}

// subject returns the base subject (RFC 5256 2.1).
func subject(s *message.Summary) string {
	raw, _ := s.Field("Subject")
	base, _ := message.BaseSubject(message.DecodeHeader(raw))
	return base
}

func firstMailbox(s *message.Summary, field string) message.Mailbox {
	raw, ok := s.Field(field)
	if !ok {
		return message.Mailbox{}
	}
	m, _ := message.FirstMailbox(raw)
	return m
}

// display returns the display value of an address (RFC 5957 3).
func display(m message.Mailbox) string {
	switch name := message.DecodeHeader([]byte(m.Name)); {
	case name != "":
		return name
	case m.Local != "" && m.Host != "":
		return m.Local + "@" + m.Host
	}
	return m.Local
}
