package mailbox

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"facteur/server/fault"
	"facteur/server/maildir"
)

// systemFlags are the IMAP names of the flags of Maildir (RFC 9051 2.3.2), and
// $Forwarded, which is a keyword to IMAP.
var systemFlags = [...]struct {
	flag maildir.Flags
	name string
}{
	{maildir.Draft, `\Draft`},
	{maildir.Flagged, `\Flagged`},
	{maildir.Passed, `$Forwarded`},
	{maildir.Replied, `\Answered`},
	{maildir.Seen, `\Seen`},
	{maildir.Trashed, `\Deleted`},
}

// system is the set of systemFlags.
const system = maildir.Draft | maildir.Flagged | maildir.Passed | maildir.Replied | maildir.Seen | maildir.Trashed

// maxKeyword bounds a keyword, in octets.
const maxKeyword = 100

func systemFlag(name string) (maildir.Flags, bool) {
	for _, f := range systemFlags {
		if strings.EqualFold(f.name, name) {
			return f.flag, true
		}
	}
	return 0, false
}

// flagNames returns the IMAP names of flags. The slice is shared. With mu held
// and a list.
func (m *Mailbox) flagNames(flags maildir.Flags) []string {
	if names, ok := m.list.flags[flags]; ok {
		return names
	}
	var names []string
	for _, f := range systemFlags {
		if flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	for i := range flags.Keywords {
		if m.keywords[i] != "" {
			names = append(names, m.keywords[i])
		}
	}
	if m.list.flags == nil || len(m.list.flags) >= 1000 {
		m.list.flags = make(map[maildir.Flags][]string)
	}
	m.list.flags[flags] = names[:len(names):len(names)]
	return m.list.flags[flags]
}

// parseFlags turns IMAP names into flags. create gives keywords that are new
// to the mailbox a letter, durably; without it they are passed over.
func (m *Mailbox) parseFlags(names []string, create bool) (maildir.Flags, error) {
	var flags maildir.Flags
	var keywords []string
	for _, name := range names {
		if f, ok := systemFlag(name); ok {
			flags |= f
			continue
		}
		if strings.EqualFold(name, `\Recent`) {
			continue // not ours to change (RFC 3501 2.3.2)
		}
		if !validKeyword(name) {
			return 0, fault.Newf(fault.NotPossible, "%q can't be a flag", name)
		}
		keywords = append(keywords, name)
	}
	if len(keywords) == 0 {
		return flags, nil
	}
	found, rest, err := m.findKeywords(keywords)
	flags |= found
	if err != nil || len(rest) == 0 || !create {
		return flags, err
	}
	found, err = m.createKeywords(rest)
	return flags | found, err
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

// findKeywords returns the flags of keywords, and those that have none.
func (m *Mailbox) findKeywords(words []string) (found maildir.Flags, rest []string, err error) {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	if err := m.readKeywords(); err != nil {
		return 0, nil, diskFault(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, word := range words {
		if f, ok := m.keywords.Find(word); ok {
			found |= f
		} else {
			rest = append(rest, word)
		}
	}
	return found, rest, nil
}

// createKeywords gives keywords a letter that is neither named nor in use.
func (m *Mailbox) createKeywords(words []string) (maildir.Flags, error) {
	if err := m.lockList(); err != nil {
		return 0, err
	}
	m.mu.Unlock()
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	if err := m.readKeywords(); err != nil {
		return 0, diskFault(err)
	}
	m.mu.Lock()
	keywords, dir := m.keywords, m.dir
	var inUse maildir.Flags
	if m.list != nil {
		for i := range m.list.recs {
			inUse |= m.list.recs[i].flags
		}
	}
	m.mu.Unlock()

	var flags maildir.Flags
	for _, word := range words {
		f, ok := keywords.Find(word)
		if !ok {
			if f, ok = freeKeyword(&keywords, inUse, word); !ok {
				return 0, fault.Newf(fault.NotPossible, "The mailbox has %d keywords already, which is all that it can have", maildir.NumKeywords)
			}
		}
		flags |= f
	}
	if err := maildir.WriteKeywords(m.store.opt.FS, dir, keywords); err != nil {
		return 0, diskFault(err)
	}
	mtime, err := maildir.Mtime(filepath.Join(dir, maildir.KeywordsFile))
	if err != nil {
		return 0, diskFault(err)
	}
	m.setKeywords(keywords, mtime)
	return flags, nil
}

// freeKeyword puts a word on a free letter.
func freeKeyword(k *maildir.Keywords, inUse maildir.Flags, word string) (maildir.Flags, bool) {
	for i := range k {
		if k[i] == "" && inUse&maildir.Keyword(i) == 0 {
			k[i] = word
			return maildir.Keyword(i), true
		}
	}
	return 0, false
}

// readKeywords reads dovecot-keywords when it is not what was read last. With
// fileMu held.
func (m *Mailbox) readKeywords() error {
	m.mu.Lock()
	dir, have := m.dir, m.keywordsMtime
	m.mu.Unlock()
	mtime, err := maildir.Mtime(filepath.Join(dir, maildir.KeywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		mtime, err = 0, nil
	}
	if err != nil || mtime == have {
		return err
	}
	keywords, err := maildir.ReadKeywords(dir)
	if err != nil {
		return err
	}
	m.setKeywords(keywords, mtime)
	return nil
}

func (m *Mailbox) setKeywords(k maildir.Keywords, mtime int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keywords, m.keywordsMtime = k, mtime
	if m.list != nil {
		m.list.flags = nil
	}
}

// known returns the flags that have a name.
func (m *Mailbox) known() maildir.Flags {
	flags := maildir.Flags(system)
	for i, word := range m.keywords {
		if word != "" {
			flags |= maildir.Keyword(i)
		}
	}
	return flags
}

// Keywords returns the keywords that messages of the mailbox may have by now,
// and whether more can be made (RFC 9051 7.3.5, PERMANENTFLAGS).
func (m *Mailbox) Keywords() (words []string, more bool, err error) {
	if err := m.lockList(); err != nil {
		return nil, false, err
	}
	defer m.mu.Unlock()
	for _, word := range m.keywords {
		if word == "" {
			more = true
		} else {
			words = append(words, word)
		}
	}
	return words, more, nil
}
