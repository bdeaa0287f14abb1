package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// The file ID.one is the message, its record as JSON, and a line of a fixed length that
// tells how long the record is:
//
//	facteur record 000000001234
//
// Most messages leave at the first attempt, and then that is all that was ever written.
const (
	footerWord = "facteur record "
	footerSize = len(footerWord) + 12 + 1
	// tailSize is what is read at once of the end of a file: most records fit.
	tailSize = 4 << 10
)

// appendix is what stands behind the message.
func appendix(record []byte) []byte {
	return fmt.Appendf(record, "%s%012d\n", footerWord, len(record))
}

var errNoRecord = errors.New("there is no record at the end of the file")

// readAppendix reads the record behind a message.
func readAppendix(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	tail, err := readEnd(f, size, min(size, tailSize))
	if err != nil {
		return nil, err
	}
	if len(tail) < footerSize {
		return nil, errNoRecord
	}
	footer := string(tail[len(tail)-footerSize:])
	digits, ok := strings.CutPrefix(footer, footerWord)
	n, err := strconv.ParseUint(strings.TrimSuffix(digits, "\n"), 10, 31)
	if !ok || err != nil || !strings.HasSuffix(digits, "\n") || n > maxRecord || int64(n)+int64(footerSize) > size {
		return nil, errNoRecord
	}
	if need := int64(n) + int64(footerSize); need > int64(len(tail)) {
		if tail, err = readEnd(f, size, need); err != nil {
			return nil, err
		}
	}
	end := len(tail) - footerSize
	return tail[end-int(n) : end], nil
}

func readEnd(f *os.File, size, n int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, size-n); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}
