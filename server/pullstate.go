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
// of lines of JSON, to which each step appends, and which is read when it is first needed.
// It is a cache: without it all is fetched again, and what is the same stays as it is.
type pullState struct {
	path string
	mu   sync.Mutex // of all below

	entries map[string]pullEntry // by Remote; nil: not read yet
	err     error                // of reading
	added   []pullEntry
}

// openPull returns the state of a collection that is pulled from.
func (d depot) openPull(home *homes.Home, r control.TransferRequest) *pullState {
	sum := sha256.Sum256([]byte(r.Source + "\n" + r.Collection))
	name := "pulled." + hex.EncodeToString(sum[:12])
	return &pullState{path: filepath.Join(d.data, "domains", home.Owner.Dir(), "index", name)}
}

// load reads the file. mu is held.
func (s *pullState) load() (map[string]pullEntry, error) {
	if s.entries == nil {
		s.entries = make(map[string]pullEntry)
		s.err = s.read()
	}
	return s.entries, s.err
}

func (s *pullState) read() error {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxPullState {
		return err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e pullEntry
		if json.Unmarshal(lines.Bytes(), &e) == nil { // a line that was cut off counts as absent
			s.entries[e.Remote] = e
		}
	}
	return lines.Err()
}

// untouched tells whether what is here is what the last pull wrote. A nil state knows
// nothing.
func (s *pullState) untouched(remote string, local collection.ETag) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := s.load()
	e, ok := entries[remote]
	return err == nil && ok && e.Local == string(local)
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
	s := d.openPull(home, r)
	entries, err := s.load() // nobody else has it yet
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	c, err := openOwn(home, r.Collection)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	var list []control.Pulled
	out := json.NewEncoder(&b)
	for _, e := range entries {
		there, err := c.ByUID(e.UID)
		if err != nil {
			return nil, err
		}
		list = append(list, control.Pulled{Remote: e.Remote, Tag: e.Tag, Gone: len(there) == 0})
		if err := out.Encode(e); err != nil {
			return nil, err
		}
	}
	if r.DryRun {
		return list, nil
	}
	return list, safefile.WriteFile(safefile.OS, s.path, b.Bytes())
}
