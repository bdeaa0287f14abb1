package maildir

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// FurtherFile is the log of the keywords that have no letter: lines
//
//	facteur-keywords 1
//	keyword 26 $Label27
//	message 1700 26,31
//
// of which the last about a number or a UID counts. It is appended to, and
// written anew when much of it counts no more. A line that is none, as a crash
// may leave at the end, is passed over.
const FurtherFile = "facteur-keywords"

const furtherHeader = "facteur-keywords 1\n"

// Bounds of the further keywords.
const (
	// MaxFurther is the number of keywords of a folder without a letter.
	MaxFurther = 2000
	// maxFurtherFile bounds the log, in octets.
	maxFurtherFile = 256 << 20
)

// Further is what FurtherFile says.
type Further struct {
	Words    []string            // number 26 is Words[0]; "" is not in use
	Messages map[uint32][]uint16 // by UID: indexes of Words, ascending; never empty
	// Whole: each line was understood, so that the file may be appended to.
	Whole bool
	// Size is that of the file in octets, 0 when there is none.
	Size int64
}

// ReadFurther reads the log of the folder in dir.
func ReadFurther(dir string) (Further, error) {
	f := Further{Messages: make(map[uint32][]uint16)}
	path := filepath.Join(dir, FurtherFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if info.Size() > maxFurtherFile {
		return f, &fs.PathError{Op: "read", Path: path, Err: errors.New("too long")}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	f.parse(string(data))
	return f, nil
}

func (f *Further) parse(data string) {
	f.Size = int64(len(data))
	rest, ok := strings.CutPrefix(data, furtherHeader)
	f.Whole = ok
	for line := range strings.Lines(rest) {
		text, whole := strings.CutSuffix(line, "\n")
		f.Whole = f.parseLine(text, whole) && f.Whole
	}
}

// parseLine takes in one line, when it is one.
func (f *Further) parseLine(line string, whole bool) bool {
	kind, rest, _ := strings.Cut(line, " ")
	number, value, ok := strings.Cut(rest, " ")
	n, nok := parseNumber(number, 10)
	if !whole || !ok || !nok {
		return false
	}
	switch kind {
	case "keyword":
		return f.SetWord(int(n)-NumKeywords, value)
	case "message":
		set, ok := parseSet(value)
		if ok {
			f.SetMessage(n, set)
		}
		return ok
	}
	return false
}

// SetWord names the keyword at an index. It is false when the index or the word
// can't be.
func (f *Further) SetWord(i int, word string) bool {
	if i < 0 || i >= MaxFurther || word == "" || strings.ContainsAny(word, " \x00\r\n") {
		return false
	}
	for len(f.Words) <= i {
		f.Words = append(f.Words, "")
	}
	f.Words[i] = word
	return true
}

// SetMessage sets the further keywords of a message.
func (f *Further) SetMessage(uid uint32, set []uint16) {
	if len(set) == 0 {
		delete(f.Messages, uid)
	} else {
		f.Messages[uid] = set
	}
}

// parseSet reads "26,31", or "-" for none.
func parseSet(s string) ([]uint16, bool) {
	if s == "-" {
		return nil, true
	}
	var set []uint16
	for number := range strings.SplitSeq(s, ",") {
		n, ok := parseNumber(number, 10)
		i := int(n) - NumKeywords
		if !ok || i < 0 || i >= MaxFurther || len(set) > 0 && uint16(i) <= set[len(set)-1] {
			return nil, false
		}
		set = append(set, uint16(i))
	}
	return set, len(set) > 0
}

// AppendWord appends the line that names a keyword.
func AppendWord(b []byte, i int, word string) []byte {
	b = append(b, "keyword "...)
	b = strconv.AppendInt(b, int64(i+NumKeywords), 10)
	b = append(b, ' ')
	b = append(b, word...)
	return append(b, '\n')
}

// AppendMessage appends the line with the further keywords of a message.
func AppendMessage(b []byte, uid uint32, set []uint16) []byte {
	b = append(b, "message "...)
	b = strconv.AppendUint(b, uint64(uid), 10)
	b = append(b, ' ')
	for n, i := range set {
		if n > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(i)+NumKeywords, 10)
	}
	if len(set) == 0 {
		b = append(b, '-')
	}
	return append(b, '\n')
}

// Format returns the whole of a log that says the same.
func (f *Further) Format() []byte {
	b := []byte(furtherHeader)
	for i, word := range f.Words {
		if word != "" {
			b = AppendWord(b, i, word)
		}
	}
	uids := make([]uint32, 0, len(f.Messages))
	for uid := range f.Messages {
		uids = append(uids, uid)
	}
	slices.SortFunc(uids, cmp.Compare[uint32])
	for _, uid := range uids {
		b = AppendMessage(b, uid, f.Messages[uid])
	}
	return b
}
