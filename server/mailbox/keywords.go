package mailbox

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// flagSet is a set of flags and keywords of one mailbox.
type flagSet struct {
	flags   maildir.Flags
	further []uint16 // ascending
}

// parseFlags turns IMAP names into flags. create gives keywords that are new
// to the mailbox a letter or a number, durably; without it they are passed over.
// With furtherMu held, when create is set.
func (m *Mailbox) parseFlags(names []string, create bool) (flagSet, error) {
	var set flagSet
	var keywords []string
	for _, name := range names {
		if f, ok := systemFlag(name); ok {
			set.flags |= f
			continue
		}
		if strings.EqualFold(name, `\Recent`) {
			continue // not ours to change (RFC 3501 2.3.2)
		}
		if !validKeyword(name) {
			return flagSet{}, fault.Newf(fault.NotPossible, "%q can't be a flag", name)
		}
		keywords = append(keywords, name)
	}
	if len(keywords) == 0 {
		return set, nil
	}
	if _, err := m.Snapshot(); err != nil { // reads facteur-keywords
		return set, err
	}
	if err := m.refreshKeywords(); err != nil {
		return set, safefile.Fault(err)
	}
	fresh := set.add(m.words.Load(), keywords)
	if len(fresh) == 0 || !create {
		return set, nil
	}
	if err := m.createKeywords(fresh); err != nil {
		return set, err
	}
	set.add(m.words.Load(), fresh)
	return set, nil
}

// add adds keywords and returns those that the mailbox doesn't know.
func (s *flagSet) add(w *words, keywords []string) (fresh []string) {
	for _, word := range keywords {
		letter, further := w.find(word)
		s.flags |= letter
		if further >= 0 {
			if at, there := slices.BinarySearch(s.further, uint16(further)); !there {
				s.further = slices.Insert(s.further, at, uint16(further))
			}
		}
		if letter == 0 && further < 0 {
			fresh = append(fresh, word)
		}
	}
	return fresh
}

// validKeyword tells whether s is an atom (RFC 9051 9).
func validKeyword(s string) bool {
	if s == "" || len(s) > maxKeyword {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`(){%*"\]`, s[i]) >= 0 {
			return false
		}
	}
	return true
}

// createKeywords gives keywords a letter that is neither named nor in use, or a
// number. With furtherMu held.
func (m *Mailbox) createKeywords(fresh []string) error {
	if err := m.lockIndex(); err != nil {
		return err
	}
	snap := m.index.Snapshot()
	m.mu.Unlock()
	var inUse maildir.Flags
	for _, r := range snap.Range(0, snap.Len()) {
		inUse |= r.Flags
	}
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	if err := m.readKeywords(); err != nil {
		return safefile.Fault(err)
	}
	old := m.words.Load()
	letters, further := old.letters, slices.Clone(old.further)
	var log []byte
	for _, word := range fresh {
		if letter, number := old.find(word); letter != 0 || number >= 0 {
			continue
		}
		if freeLetter(&letters, inUse, word) {
			continue
		}
		if len(further) >= maildir.MaxFurther {
			return fault.Newf(fault.NotPossible, "The mailbox has %d keywords already, which is all that it can have", maildir.NumKeywords+maildir.MaxFurther)
		}
		log = maildir.AppendWord(log, len(further), word)
		further = append(further, word)
	}
	if len(log) > 0 {
		if err := m.appendFurther(log); err != nil {
			return safefile.Fault(err)
		}
		if err := m.syncFurther(); err != nil {
			return safefile.Fault(err)
		}
	}
	dir := m.at.Load().dir
	mtime := m.lettersMtime()
	if letters != old.letters {
		if err := maildir.WriteKeywords(m.store.opt.FS, dir, letters); err != nil {
			return safefile.Fault(err)
		}
		var err error
		if mtime, err = maildir.Mtime(filepath.Join(dir, maildir.KeywordsFile)); err != nil {
			return safefile.Fault(err)
		}
	}
	m.setWords(letters, further, mtime)
	return nil
}

// freeLetter puts a word on a free letter, unless it has one.
func freeLetter(k *maildir.Keywords, inUse maildir.Flags, word string) bool {
	if _, ok := k.Find(word); ok {
		return true
	}
	for i := range k {
		if k[i] == "" && inUse&maildir.Keyword(i) == 0 {
			k[i] = word
			return true
		}
	}
	return false
}

// refreshKeywords reads dovecot-keywords when it has changed.
func (m *Mailbox) refreshKeywords() error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	return m.readKeywords()
}

// readKeywords reads dovecot-keywords when it is not what was read last. With
// fileMu held.
func (m *Mailbox) readKeywords() error {
	dir := m.at.Load().dir
	mtime, err := maildir.Mtime(filepath.Join(dir, maildir.KeywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		mtime, err = 0, nil
	}
	if err != nil || mtime == m.lettersMtime() {
		return err
	}
	letters, err := maildir.ReadKeywords(dir)
	if err != nil {
		return err
	}
	m.setWords(letters, m.words.Load().further, mtime)
	return nil
}

func (m *Mailbox) lettersMtime() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keywordsMtime
}

// setWords replaces the keywords. With fileMu held.
func (m *Mailbox) setWords(letters maildir.Keywords, further []string, mtime int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.words.Load()
	m.keywordsMtime = mtime
	if old.letters != letters || !slices.Equal(old.further, further) {
		m.words.Store(&words{letters: letters, further: further, version: old.version + 1})
	}
}
