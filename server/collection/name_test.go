package collection

import (
	"strings"
	"testing"
)

func TestFileName(t *testing.T) {
	for _, c := range []struct{ href, file string }{
		{"a.ics", "a.ics"},
		{"A b@c+d=e,f.ics", "A b@c+d=e,f.ics"},
		{"été.ics", "été.ics"},
		{"a", "a%.ics"},
		{"a.ICS", "a.ICS%.ics"},
		{".ics", "%2Eics%.ics"},
		{".a.ics", "%2Ea.ics"},
		{"..", "%2E.%.ics"},
		{".", "%2E%.ics"},
		{"a/../b.ics", "a%2F..%2Fb.ics"},
		{"a%2Fb.ics", "a%252Fb.ics"},
		{"a%.ics", "a%25.ics"},
		{"a\x00\n\xff.ics", "a%00%0A%FF.ics"},
		{"\uFFFD.ics", "\uFFFD.ics"},
		{"a.tmp", "a.tmp%.ics"},
		{strings.Repeat("x", 300), ""},
		{"", ""},
	} {
		file, err := fileName(c.href, ".ics")
		if file != c.file || (err != nil) != (c.file == "") {
			t.Errorf("%q: %q, %v; want %q", c.href, file, err, c.file)
		}
		if err == nil && (hrefOf(file, ".ics") != c.href || !isObject(file, ".ics")) {
			t.Errorf("%q: back from %q it is %q", c.href, file, hrefOf(file, ".ics"))
		}
	}
	// Files that no href of ours would get have their name as href.
	for _, file := range []string{"100%.x.ics", "a%2f.ics", "a%41.ics", "%", "a%2.ics"} {
		if got := hrefOf(file, ".ics"); got != file {
			t.Errorf("%q: the href is %q", file, got)
		}
	}
	for _, file := range []string{".a.ics", ".ics", "a.vcf", "displayname", "a.ics.tmp", strings.Repeat("x", 240) + ".ics"} {
		if isObject(file, ".ics") {
			t.Errorf("%q is taken for an object", file)
		}
	}
	for _, name := range []string{"", "inbox", "outbox", "files", ".x", strings.Repeat("é/", 100)} {
		if dir, err := dirName(name); err == nil {
			t.Errorf("collection %q: %q", name, dir)
		}
	}
}

// FuzzNames: every href has one file, and every file one href.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a.ics", "a", "%.ics", "..", "a%2E%.ics", "\xff/", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if file, err := fileName(s, ".vcf"); err == nil {
			if strings.ContainsAny(file, "/\x00") || file[0] == '.' || !isObject(file, ".vcf") || hrefOf(file, ".vcf") != s {
				t.Errorf("%q: %q, back %q", s, file, hrefOf(file, ".vcf"))
			}
		}
		if dir, err := dirName(s); err == nil && (strings.ContainsAny(dir, "/\x00") || nameOf(dir) != s) {
			t.Errorf("%q: %q, back %q", s, dir, nameOf(dir))
		}
		if href := hrefOf(s+".vcf", ".vcf"); href == "" {
			t.Errorf("%q has no href", s)
		}
	})
}
