package collection

import (
	"strings"

	"facteur/server/fault"
	"facteur/server/safefile"
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
	name := safefile.Escape(href)
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
	if href, ok := safefile.Unescape(base); ok && href != "" {
		if again, err := fileName(href, ext); cut && err == nil && again == file {
			return href
		}
	}
	if href, ok := safefile.Unescape(file); ok {
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
	dir := safefile.Escape(name)
	switch {
	case name == "" || len(dir) > maxFile:
		return "", fault.Newf(fault.NotPossible, "The name is empty, or longer than %d octets on disk", maxFile)
	case name == "inbox", name == "outbox", name == "files", name[0] == '.':
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
	if n, ok := safefile.Unescape(dir); ok {
		name = n
	}
	if _, err := dirName(name); err != nil {
		return ""
	}
	return name
}
