package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"facteur/server/safefile"
)

// stateFile holds the State of a folder.
const stateFile = "facteur-state"

// maxSmallFile bounds the files beside the messages, in octets.
const maxSmallFile = 1 << 20

// State is what a folder must remember and what its messages can't tell.
type State struct {
	// UIDValidity is never 0, and never the same for two folders of a home.
	UIDValidity uint32
	// UIDNext is above every UID that was ever given: on disk it runs ahead.
	UIDNext uint32
	// ModSeq is not below any MODSEQ that was ever given (RFC 7162): on disk it
	// runs ahead. 0 in a file of before there were any.
	ModSeq uint64
	// Recent is the first UID that no session was told of as \Recent by the last
	// clean stop (RFC 3501 2.3.2); 0: not known.
	Recent uint32
	// ID is the MAILBOXID (RFC 8474 4.1), or "" in a file of before there were any.
	ID string
	// Use is the special use (RFC 6154), such as `\Sent`, or "".
	Use string
}

// ReadState reads the state of the folder in dir. It is fs.ErrNotExist when
// there is none yet, or when dir is no folder.
func ReadState(dir string) (State, error) {
	path := filepath.Join(dir, stateFile)
	data, err := readSmall(path)
	if err != nil {
		return State{}, err
	}
	s, err := parseState(data)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w; without that file the folder gets a new UIDVALIDITY, and mail clients read it anew", path, err)
	}
	return s, nil
}

func parseState(data string) (State, error) {
	var s State
	lines := strings.Split(strings.TrimSuffix(data, "\n"), "\n")
	if lines[0] != "facteur-state 1" {
		return s, errors.New(`line 1 is not "facteur-state 1"`)
	}
	for i, line := range lines[1:] {
		key, value, _ := strings.Cut(line, " ")
		ok := true
		switch key {
		case "uidvalidity":
			s.UIDValidity, ok = parseNumber(value, 10)
		case "uidnext":
			s.UIDNext, ok = parseNumber(value, 10)
		case "modseq":
			s.ModSeq, ok = parseModSeq(value)
		case "recent":
			s.Recent, ok = parseNumber(value, 10)
		case "mailboxid":
			s.ID, ok = value, validID(value)
		case "use":
			s.Use, ok = value, validUse(value)
		default:
			ok = false
		}
		if !ok {
			return State{}, fmt.Errorf("line %d is not understood", i+2)
		}
	}
	if s.UIDValidity == 0 || s.UIDNext == 0 {
		return State{}, errors.New("uidvalidity or uidnext is missing")
	}
	return s, nil
}

// parseModSeq reads a MODSEQ, of 63 bits (RFC 7162 7).
func parseModSeq(s string) (uint64, bool) {
	v, err := strconv.ParseInt(s, 10, 64)
	return uint64(v), err == nil && v > 0 && s[0] >= '1'
}

// validID tells whether s is an objectid (RFC 8474 7).
func validID(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func validUse(s string) bool {
	return len(s) > 1 && len(s) < 32 && s[0] == '\\' && strings.Trim(s[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// WriteState replaces the state of the folder in dir. It is durable when
// WriteState returns.
func WriteState(fsys safefile.FS, dir string, s State) error {
	b := []byte("facteur-state 1\nuidvalidity ")
	b = strconv.AppendUint(b, uint64(s.UIDValidity), 10)
	b = append(b, "\nuidnext "...)
	b = strconv.AppendUint(b, uint64(s.UIDNext), 10)
	if s.ModSeq != 0 {
		b = append(b, "\nmodseq "...)
		b = strconv.AppendUint(b, s.ModSeq, 10)
	}
	if s.Recent != 0 {
		b = append(b, "\nrecent "...)
		b = strconv.AppendUint(b, uint64(s.Recent), 10)
	}
	if s.ID != "" {
		b = append(b, "\nmailboxid "+s.ID...)
	}
	if s.Use != "" {
		b = append(b, "\nuse "+s.Use...)
	}
	return safefile.WriteFile(fsys, filepath.Join(dir, stateFile), append(b, '\n'))
}

// readSmall reads a file of bounded size.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxSmallFile {
		return "", &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("longer than %d octets", maxSmallFile)}
	}
	data, err := os.ReadFile(path)
	return string(data), err
}
