package imapd

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"facteur/server/address"
)

// told keeps what Stored was told.
type told struct {
	mu   sync.Mutex
	list []string
}

func (s *told) stored(e Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf("%s by %s: %s %s<%s %v +%v -%v", e.Box, e.Account, e.Kind, e.Mailbox.Name(), e.From, e.UIDs, e.Added, e.Removed))
}

// take returns what was told since it was called last.
func (s *told) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.list = nil }()
	return s.list
}

// TestStored: each command that changes messages tells of those that it changed, and
// nothing is told of what nobody follows.
func TestStored(t *testing.T) {
	var s told
	team := address.MustParse("team@example.org")
	follows := map[string]bool{"alice@example.org": true, "team@example.org": true}
	w := newWorld(t, func(o *Options) {
		o.Stored = s.stored
		o.Follows = func(a address.Address) bool { return follows[a.String()] }
		o.Roles = func(address.Address) []Shared { return []Shared{{Address: team, Rights: allRights}} }
	})
	w.fill(4)
	r := w.login("INBOX")
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"NOOP", nil},
		{"APPEND Drafts (\\Draft) {9+}\r\nA: b\r\n\r\nc", []string{"alice@example.org by alice@example.org: append Drafts< [1] +[] -[]"}},
		{"STORE 1:2 +FLAGS.SILENT (\\Flagged)", []string{"alice@example.org by alice@example.org: flags INBOX< [1 2] +[\\Flagged] -[]"}},
		{"STORE 1:3 FLAGS.SILENT (\\Flagged work)", []string{
			"alice@example.org by alice@example.org: flags INBOX< [1 2] +[work] -[]",
			"alice@example.org by alice@example.org: flags INBOX< [3] +[\\Flagged work] -[]",
		}},
		{"STORE 1:3 FLAGS.SILENT (\\Flagged work)", nil},
		{"STORE 3 -FLAGS.SILENT (work)", []string{"alice@example.org by alice@example.org: flags INBOX< [3] +[] -[work]"}},
		{"FETCH 4 BODY[]", []string{"alice@example.org by alice@example.org: flags INBOX< [4] +[\\Seen] -[]"}},
		{"FETCH 4 BODY[]", nil},
		{"COPY 1,3 Junk", []string{"alice@example.org by alice@example.org: copy Junk<INBOX [1 2] +[] -[]"}},
		{"MOVE 1 Shared/team@example.org", []string{"team@example.org by alice@example.org: move INBOX< [1] +[] -[]"}},
		{"MOVE 1 Junk", []string{"alice@example.org by alice@example.org: move Junk<INBOX [3] +[] -[]"}},
		{"COPY 9 Nowhere", nil},
		{"REPLACE 1 Drafts {9+}\r\nA: b\r\n\r\nd", []string{"alice@example.org by alice@example.org: append Drafts< [2] +[] -[]"}},
	} {
		r.send("x %s\r\n", c.command)
		r.until("x ")
		if got := s.take(); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.command, got, c.want)
		}
	}
	other := w.loginAs("bob@example.org", "INBOX")
	other.do("APPEND INBOX {9+}\r\nA: b\r\n\r\nc", "OK")
	if got := s.take(); len(got) != 0 {
		t.Errorf("of whom nobody follows: %q", got)
	}
}
