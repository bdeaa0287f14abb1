package maildir

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"facteur/server/safefile"
)

// The files of annotations (RFC 5464), of a folder and, in the home directory, of
// the account: lines of a name, a space, and the value in base64.
const (
	MetadataFile        = "facteur-metadata"
	AccountMetadataFile = "facteur-account-metadata"
)

// Bounds of annotations.
const (
	MaxMetadata      = 200      // in a file
	MaxMetadataName  = 256      // octets
	MaxMetadataValue = 64 << 10 // octets

	// MaxMetadataTotal bounds the values of a file together, in octets: no quota
	// counts them.
	MaxMetadataTotal = 256 << 10
)

// maxMetadataFile bounds the file, in octets.
const maxMetadataFile = 32 << 20

// ReadMetadata reads a file of annotations in dir. Lines that are none are passed
// over.
func ReadMetadata(dir, file string) (map[string][]byte, error) {
	values := make(map[string][]byte)
	path := filepath.Join(dir, file)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return values, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxMetadataFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("too long")}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parseMetadata(values, string(data))
	return values, nil
}

func parseMetadata(values map[string][]byte, data string) {
	for line := range strings.Lines(data) {
		name, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		value, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && ValidMetadataName(name) && len(value) <= MaxMetadataValue && len(values) < MaxMetadata {
			values[name] = value
		}
	}
}

// ValidMetadataName tells whether s can be the name of an entry: it begins with
// "/", is ASCII in lower case, without spaces, "*" and "%" (RFC 5464 3.1).
func ValidMetadataName(s string) bool {
	if len(s) < 2 || len(s) > MaxMetadataName || s[0] != '/' || s[len(s)-1] == '/' || strings.Contains(s, "//") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '*' || c == '%' || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// WriteMetadata replaces a file of annotations in dir. It is durable when it
// returns.
func WriteMetadata(fsys safefile.FS, dir, file string, values map[string][]byte) error {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b []byte
	for _, name := range names {
		b = append(b, name...)
		b = append(b, ' ')
		b = base64.StdEncoding.AppendEncode(b, values[name])
		b = append(b, '\n')
	}
	return safefile.WriteFile(fsys, filepath.Join(dir, file), b)
}
