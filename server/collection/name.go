package collection

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"facteur/server/fault"
)

// maxFile bounds the name of a file or directory in octets. Most file systems
// take 255; what is deleted gets up to 14 more in front.
const maxFile = 240

// noExtension stands before the extension of a file whose href has none. It can't
// be the begin of an escape.
const noExtension = "%"

// fileName returns the name of the file for the last segment of an href, which
// may be any octets: what is unsafe is written %XX, and the extension that vdir
// asks for is added where it lacks ("a" becomes "a%.ics").
func fileName(href, ext string) (string, error) {
	name := escape(href)
	if len(href) <= len(ext) || !strings.HasSuffix(href, ext) {
		name += noExtension + ext
	}
	if href == "" || len(name) > maxFile {
		return "", fault.Newf(fault.NotPossible, "The name is empty, or longer than %d octets on disk", maxFile)
	}
	return name, nil
}

// hrefOf returns the href of a file: that for which fileName gives the name, or
// for a file of another program whose name is not of that form the name itself.
func hrefOf(file, ext string) string {
	if strings.IndexByte(file, '%') < 0 {
		return file
	}
	base, cut := strings.CutSuffix(file, noExtension+ext)
	if href, ok := unescape(base); ok && href != "" {
		if again, err := fileName(href, ext); cut && err == nil && again == file {
			return href
		}
	}
	if href, ok := unescape(file); ok {
		if again, err := fileName(href, ext); err == nil && again == file {
			return href
		}
	}
	return file
}

// isObject tells whether a file of a collection is an object (vdir: it has the
// extension, and is not hidden).
func isObject(file, ext string) bool {
	return len(file) > len(ext) && len(file) <= maxFile && file[0] != '.' && strings.HasSuffix(file, ext)
}

// dirName returns the directory of a collection.
func dirName(name string) (string, error) {
	dir := escape(name)
	switch {
	case name == "" || len(dir) > maxFile:
		return "", fault.Newf(fault.NotPossible, "The name is empty, or longer than %d octets on disk", maxFile)
	case name == "inbox", name == "outbox", name[0] == '.':
		return "", fault.New(fault.NotPossible, "The name is reserved")
	}
	return dir, nil
}

// nameOf returns the name of the collection in a directory, "" when it is none.
func nameOf(dir string) string {
	if len(dir) > maxFile || dir[0] == '.' {
		return ""
	}
	name := dir
	if n, ok := unescape(dir); ok && escape(n) == dir {
		name = n
	}
	if _, err := dirName(name); err != nil {
		return ""
	}
	return name
}

// escape writes %XX for what is not printable UTF-8, for "/", "%" and a leading dot.
func escape(s string) string {
	if isPlain(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		plain := unicode.IsPrint(r) && (r != utf8.RuneError || n > 1)
		if plain && r != '/' && r != '%' && r != '\\' && (r != '.' || i > 0) {
			b.WriteString(s[i : i+n])
		} else {
			for _, c := range []byte(s[i : i+n]) {
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
		i += n
	}
	return b.String()
}

// isPlain tells quickly that most names need no escape.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '/' || c == '%' || c == '\\' || c == '.' && i == 0 {
			return false
		}
	}
	return true
}

func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true
}

// hexDigit is negative for what is none. Small letters are none: an escape has one form.
func hexDigit(c byte) int {
	return strings.IndexByte("0123456789ABCDEF", c)
}
