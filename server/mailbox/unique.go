package mailbox

import (
	"strings"
)

// uniqueMark begins the middle of a unique part that holds AddOptions.Unique.
const uniqueMark = "U"

// uniqueKey returns the AddOptions.Unique in a file name, or "".
func uniqueKey(file string) string {
	_, rest, _ := strings.Cut(file, ".")
	middle, _, ok := strings.Cut(rest, ".")
	if !ok || !strings.HasPrefix(middle, uniqueMark) || !validUnique(middle[1:]) {
		return ""
	}
	return middle[1:]
}

func validUnique(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// readUniques makes m.unique out of the names of the files, unless it is there.
func (m *Mailbox) readUniques() error {
	m.scanMu.Lock() // keeps the index
	defer m.scanMu.Unlock()
	m.mu.Lock()
	known, loaded := m.unique != nil, m.live.Load() != nil
	m.mu.Unlock()
	if known || !loaded {
		return nil
	}
	own, _, err := m.readWhole()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unique = make(map[string]UID)
	for _, f := range own {
		if key := uniqueKey(f.name); key != "" {
			m.unique[key] = f.uid
		}
	}
	return nil
}
