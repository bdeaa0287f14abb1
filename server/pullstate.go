package server

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"facteur/server/collection"
	"facteur/server/control"
	"facteur/server/homes"
	"facteur/server/safefile"
)

// maxPullState bounds what is read of a file of pulled objects, in octets.
const maxPullState = 256 << 20

// pullEntry is an object that was pulled.
type pullEntry struct {
	Remote string `json:"remote"` // its path there
	Tag    string `json:"tag"`    // its ETag there
	UID    string `json:"uid"`
	Local  string `json:"local"` // the ETag here, of what was written
}

// pullState is what was pulled from a collection of another server into one here: a file
// of lines of JSON, to which each step appends. It is a cache: without it all is fetched
// again, and what is the same stays as it is.
type pullState struct {
	path    string
	entries map[string]pullEntry // by Remote
	mu      sync.Mutex
	added   []pullEntry
}

// openPull reads the state of a collection that is pulled from.
func (d depot) openPull(home *homes.Home, r control.TransferRequest) (*pullState, error) {
	sum := sha256.Sum256([]byte(r.Source + "\n" + r.Collection))
	name := "pulled." + hex.EncodeToString(sum[:12])
	s := &pullState{
		path:    filepath.Join(d.data, "domains", home.Owner.Dir(), "index", name),
		entries: make(map[string]pullEntry),
	}
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxPullState {
		return s, err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e pullEntry
		if json.Unmarshal(lines.Bytes(), &e) == nil { // a line that was cut off counts as absent
			s.entries[e.Remote] = e
		}
	}
	return s, lines.Err()
}

func (s *pullState) close() { s.entries = nil }

// untouched tells whether what is here is what the last pull wrote. A nil state knows
// nothing.
func (s *pullState) untouched(remote string, local collection.ETag) bool {
	if s == nil {
		return false
	}
	e, ok := s.entries[remote]
	return ok && e.Local == string(local)
}

// note adds an object that was pulled.
func (s *pullState) note(e pullEntry) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added = append(s.added, e)
}

// save appends what was added.
func (s *pullState) save() error {
	if len(s.added) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteByte('\n') // ends what a kill cut off
	out := json.NewEncoder(&b)
	for _, e := range s.added {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	if err := safefile.MkdirAll(safefile.OS, filepath.Dir(s.path)); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("noting what was pulled: %w", err)
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}

// pulled lists what was pulled before, and writes the file anew, each object once.
func (d depot) pulled(home *homes.Home, r control.TransferRequest) ([]control.Pulled, error) {
	s, err := d.openPull(home, r)
	if err != nil || len(s.entries) == 0 {
		return nil, err
	}
	c, err := openOwn(home, r.Collection)
	if err != nil {
		return nil, nil // it is gone, and what is known of it means nothing
	}
	if r.DryRun {
		return s.list(c)
	}
	list, err := s.list(c)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for _, e := range s.entries {
		if err := out.Encode(e); err != nil {
			return nil, err
		}
	}
	return list, safefile.WriteFile(safefile.OS, s.path, b.Bytes())
}

func (s *pullState) list(c *homes.Collection) (out []control.Pulled, err error) {
	for _, e := range s.entries {
		there, err := c.ByUID(e.UID)
		if err != nil {
			return nil, err
		}
		out = append(out, control.Pulled{Remote: e.Remote, Tag: e.Tag, Gone: len(there) == 0})
	}
	return out, nil
}
