package maildir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"facteur/server/safefile"
)

// KeywordsFile names the keywords of a folder, one line each: a number from 0
// for the letter a, a space, the keyword. It is Dovecot's file.
const KeywordsFile = "dovecot-keywords"

// Keywords are the names of the flags a to z; "" for a letter not in use.
type Keywords [NumKeywords]string

// ReadKeywords reads the keywords of the folder in dir. Lines that are none
// are passed over.
func ReadKeywords(dir string) (Keywords, error) {
	var k Keywords
	data, err := readSmall(filepath.Join(dir, KeywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	for line := range strings.Lines(data) {
		number, word, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		i, err := strconv.Atoi(number)
		if ok && err == nil && i >= 0 && i < NumKeywords && isAtom(word) {
			k[i] = word
		}
	}
	return k, nil
}

// isAtom tells whether a keyword can stand in a list of flags as it is (RFC 9051
// 9, flag-keyword).
func isAtom(word string) bool {
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) }
	return word != "" && !strings.ContainsFunc(word, bad)
}

// WriteKeywords replaces the keywords of the folder in dir. They are durable
// when it returns.
func WriteKeywords(fsys safefile.FS, dir string, k Keywords) error {
	var b []byte
	for i, word := range k {
		if word != "" {
			b = strconv.AppendInt(b, int64(i), 10)
			b = append(b, ' ')
			b = append(b, word...)
			b = append(b, '\n')
		}
	}
	return safefile.WriteFile(fsys, filepath.Join(dir, KeywordsFile), b)
}

// Find returns the flag of a keyword, without case (RFC 9051 2.3.2).
func (k *Keywords) Find(word string) (Flags, bool) {
	for i, w := range k {
		if w != "" && strings.EqualFold(w, word) {
			return Keyword(i), true
		}
	}
	return 0, false
}
