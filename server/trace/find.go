package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Query says which messages are looked for; one of ID, MessageID and Address is set.
type Query struct {
	ID        string // of a message, or of a connection
	MessageID string // with or without angle brackets
	Address   string // in the form of AddressText: of a sender, a recipient, or a mailbox
	Since     time.Time
	Limit     int // messages; 0: all
}

// Story is what happened to one message, in order. A story of what was refused before
// it was a message has no ID, and is about a connection.
type Story struct {
	ID      string  `json:"id"`
	Session string  `json:"session,omitempty"`
	Events  []Event `json:"events"`
}

// Find returns the newest stories that match, the newest first. It reads the files in a
// folder from their ends, twice at most, and stops as soon as it has all.
func Find(ctx context.Context, dir string, q Query) ([]Story, error) {
	days, err := listDays(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := finder{ctx: ctx, dir: dir, days: days, query: q, wanted: make(map[string]int), open: make(map[string]bool)}
	if q.ID != "" {
		f.want(Event{ID: q.ID})
	} else if err := f.choose(); err != nil {
		return nil, err
	}
	if err := f.collect(); err != nil {
		return nil, err
	}
	return f.stories(), nil
}

// finder is one Find.
type finder struct {
	ctx    context.Context
	dir    string
	days   []string
	query  Query
	wanted map[string]int // by the id of a message, or of a connection: its place in found
	found  []Story
	open   map[string]bool // the messages whose beginning was not read yet
	until  string          // the oldest day of a connection that is wanted

	collecting bool // what is wanted is known
}

// want has the events of a message, or of a connection, collected.
func (f *finder) want(e Event) {
	key := e.key()
	if _, again := f.wanted[key]; !again {
		f.wanted[key] = len(f.found)
		f.found = append(f.found, Story{ID: e.ID, Session: e.Session})
	}
	if e.ID != "" {
		f.open[key] = true
	} else {
		f.until = e.At.UTC().Format(time.DateOnly)
	}
}

// choose finds out which messages are wanted.
func (f *finder) choose() error {
	text := f.query.Address
	if text == "" {
		text = strings.Trim(f.query.MessageID, "<>")
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return err
	}
	needle := quoted[1 : len(quoted)-1] // as it stands in a line
	return f.scan(f.query.Since, func(line []byte) (bool, error) {
		if !bytes.Contains(line, needle) {
			return true, nil
		}
		e, ok := decode(line)
		if !ok || !f.query.matches(e) {
			return true, nil
		}
		if e.At.Before(f.query.Since) {
			return false, nil
		}
		key := e.key()
		if key == "" || e.ID == "" && e.Kind == Ran {
			// A script that ran by the clock; or before there was a message, and
			// what became of that is a story of its own.
			return true, nil
		}
		if _, again := f.wanted[key]; !again && f.query.Limit > 0 && len(f.found) >= f.query.Limit {
			return false, nil
		}
		f.want(e)
		return true, nil
	})
}

// key is what the events of one story have in common.
func (e Event) key() string {
	if e.ID != "" {
		return e.ID
	}
	return e.Session
}

// matches tells whether an event makes its message wanted.
func (q Query) matches(e Event) bool {
	if q.Address != "" {
		user := e.Client != nil && e.Client.User == q.Address
		return user || e.From == q.Address || e.Box == q.Address || slices.Contains(e.To, q.Address)
	}
	return strings.Trim(e.MessageID, "<>") == strings.Trim(q.MessageID, "<>")
}

// collect reads the events of what is wanted.
func (f *finder) collect() error {
	if len(f.found) == 0 {
		return nil
	}
	f.collecting = true
	var since time.Time
	if f.query.ID != "" {
		since = f.query.Since
	}
	return f.scan(since, func(line []byte) (bool, error) {
		i, ok := f.wanted[idOf(line)]
		if !ok {
			i, ok = f.wanted[sessionOf(line)]
		}
		if !ok {
			return true, nil
		}
		e, fine := decode(line)
		if !fine || !f.isPart(&f.found[i], e) {
			return true, nil
		}
		if e.At.Before(since) {
			return false, nil
		}
		f.found[i].Events = append(f.found[i].Events, e)
		if e.Kind == In || e.Kind == Refused && e.Client != nil { // nothing is older
			delete(f.open, e.ID)
		}
		return len(f.open) > 0 || f.until != "", nil
	})
}

// isPart tells whether an event belongs to a story that has its id or its connection.
func (f *finder) isPart(s *Story, e Event) bool {
	switch {
	case s.ID != "" && s.ID == e.ID:
		return true
	case s.ID == "": // of what was refused before it was a message
		return e.ID == ""
	case s.ID == e.Session && f.query.ID == s.ID: // asked for by the id of the connection
		delete(f.open, s.ID)
		f.until = e.At.UTC().Format(time.DateOnly)
		return true
	}
	return false
}

// stories puts the events in order.
func (f *finder) stories() []Story {
	var out []Story
	for _, s := range f.found {
		if len(s.Events) == 0 {
			continue
		}
		slices.Reverse(s.Events)
		slices.SortStableFunc(s.Events, func(a, b Event) int { return a.At.Compare(b.At) })
		out = append(out, s)
	}
	return out
}

// scan calls each with the lines of all files, the newest first, until it returns
// false, what is older than since begins, or all is read that is wanted.
func (f *finder) scan(since time.Time, each func(line []byte) (bool, error)) error {
	for _, day := range f.days {
		switch {
		case !since.IsZero() && day < since.UTC().Format(time.DateOnly):
			return nil
		case f.collecting && len(f.open) == 0 && day < f.until:
			return nil
		}
		more, err := f.scanDay(day, each)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (f *finder) scanDay(day string, each func(line []byte) (bool, error)) (more bool, err error) {
	file, err := os.Open(filepath.Join(f.dir, day+extension))
	if errors.Is(err, fs.ErrNotExist) { // it went meanwhile
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	return backwards(f.ctx, file, info.Size(), each)
}

const (
	block   = 256 << 10
	maxLine = 256 << 10 // a line that is longer is none of ours
)

// backwards calls each with the lines of a file, the last first, until it returns false.
func backwards(ctx context.Context, r io.ReaderAt, size int64, each func(line []byte) (bool, error)) (more bool, err error) {
	var rest []byte // the beginning of what was read: the end of a line
	skipping := false
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := min(size, block)
		buf := make([]byte, n, n+int64(len(rest)))
		size -= n
		if _, err := r.ReadAt(buf, size); err != nil && err != io.EOF {
			return false, err
		}
		buf = append(buf, rest...)
		for {
			i := bytes.LastIndexByte(buf, '\n')
			if i < 0 {
				break
			}
			if line := buf[i+1:]; len(line) > 0 && !skipping {
				if more, err := each(line); err != nil || !more {
					return false, err
				}
			}
			skipping = false
			buf = buf[:i]
		}
		if rest = buf; len(rest) > maxLine {
			rest, skipping = nil, true
		}
	}
	if len(rest) > 0 && !skipping {
		return each(rest)
	}
	return true, nil
}

// decode reads a line; ok is false for one that was cut, or is no event.
func decode(line []byte) (e Event, ok bool) {
	err := json.Unmarshal(line, &e)
	return e, err == nil && e.Kind != "" && !e.At.IsZero()
}

// idOf returns the id in a line without reading the rest of it; it stands first.
func idOf(line []byte) string { return between(line, `{"id":"`) }

// sessionOf returns the connection in a line, "" without one.
func sessionOf(line []byte) string {
	if i := bytes.Index(line, []byte(`,"session":"`)); i >= 0 {
		return between(line[i:], `,"session":"`)
	}
	return ""
}

func between(line []byte, begin string) string {
	rest, ok := bytes.CutPrefix(line, []byte(begin))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return ""
	}
	return string(rest[:end])
}
