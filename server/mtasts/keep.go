package mtasts

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/safefile"
)

// file is what is kept of a policy on disk.
type file struct {
	ID      string
	Fetched time.Time
	Used    time.Time // to the day
	Text    string
}

const suffix = ".json"

// load reads what is kept. What can't be read is taken for absent: it will be
// fetched again.
func (s *Store) load() {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		s.opts.Log.Error("mtasts.load", "error", err)
		return
	}
	safefile.RemoveStale(s.opts.FS, s.opts.Dir, s.opts.Now().Add(-time.Hour))
	for _, e := range entries {
		domain, ok := strings.CutSuffix(e.Name(), suffix)
		if d, err := address.ParseDomain(domain); !ok || err != nil || string(d) != domain || len(s.kept) >= maxDomains {
			continue
		}
		k, err := s.read(domain)
		if err != nil {
			s.opts.Log.Warn("mtasts.load", "domain", domain, "error", err)
			continue
		}
		s.kept[domain] = k
	}
}

func (s *Store) path(domain string) string { return filepath.Join(s.opts.Dir, domain+suffix) }

func (s *Store) read(domain string) (kept, error) {
	info, err := os.Stat(s.path(domain))
	if err != nil || info.Size() > 8*maxPolicy {
		return kept{}, errors.Join(err, errors.New("the file is too large"))
	}
	data, err := os.ReadFile(s.path(domain))
	if err != nil {
		return kept{}, err
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return kept{}, err
	}
	p, err := ParsePolicy([]byte(f.Text))
	if err != nil {
		return kept{}, err
	}
	p.ID = f.ID
	return kept{Policy: p, text: []byte(f.Text), fetched: f.Fetched, used: f.Used}, nil
}

// save keeps a policy. When that fails it is still known until the next start.
func (s *Store) save(domain string, k kept) {
	data, err := json.Marshal(file{ID: k.ID, Fetched: k.fetched, Used: k.used, Text: string(k.text)})
	if err == nil {
		err = safefile.WriteFile(s.opts.FS, s.path(domain), data)
	}
	if err != nil {
		s.opts.Log.Error("mtasts.save", "domain", domain, "error", err)
	}
}

func (s *Store) remove(domain string) {
	if err := s.opts.FS.Remove(s.path(domain)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.opts.Log.Error("mtasts.remove", "domain", domain, "error", err)
	}
}

// renew fetches policies anew long before they end, so that nobody can make them
// lapse by being in the way when mail is sent (RFC 8461 10.2).
func (s *Store) renew(ctx context.Context) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.renewAll(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renewAll renews what is due, and drops what has ended.
func (s *Store) renewAll(ctx context.Context) {
	now := s.opts.Now()
	var due, over []string
	s.mu.Lock()
	for domain, k := range s.kept {
		switch {
		case !k.valid(now):
			over = append(over, domain)
			delete(s.kept, domain)
		case now.Sub(k.fetched) >= min(renewAfter, k.MaxAge/2) && now.Sub(k.used) < unusedAfter:
			due = append(due, domain)
		}
	}
	s.mu.Unlock()
	for _, domain := range over {
		s.remove(domain)
	}
	for _, domain := range due {
		if ctx.Err() != nil {
			return
		}
		s.renewOne(ctx, domain)
	}
}

// renewOne fetches a policy of the record that stands now; without a record the one
// before runs out.
func (s *Store) renewOne(ctx context.Context, domain string) {
	txt, err := s.opts.Resolver.TXT(ctx, "_mta-sts."+domain)
	if err != nil {
		return
	}
	id, err := ParseRecord(txt)
	if err != nil {
		return
	}
	s.mu.Lock()
	busy := s.fetching[domain] != nil
	s.mu.Unlock()
	if !busy {
		s.fetch(ctx, domain, id) // a failure is logged, and tried again in an hour
	}
}
