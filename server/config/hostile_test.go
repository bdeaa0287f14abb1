package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/BurntSushi/toml"
)

// TestUnusual parses what editors, accidents and enemies leave behind.
func TestUnusual(t *testing.T) {
	utf16le := func(s string) []byte {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	for _, c := range []struct {
		name string
		data []byte
		want string // part of the first error; "" when it is a good file
	}{
		{"byte order mark", []byte("\xef\xbb\xbf" + minimal), ""},
		{"CRLF", []byte(strings.ReplaceAll(minimal, "\n", "\r\n")), ""},
		{"no end of line", []byte(strings.TrimSuffix(minimal, "\n")), ""},
		{"CRLF with a mistake", []byte(strings.ReplaceAll(minimal+"colour = 1\n", "\n", "\r\n")), "f.toml:7:1: unknown key colour in [accounts.\"alice@example.org\"]"},
		{"byte order mark with a mistake", []byte("\xef\xbb\xbfcolour = 1\n" + minimal), "f.toml:1:1: unknown key colour"},
		{"CR alone", []byte(strings.ReplaceAll(minimal, "\n", "\r")), "f.toml:1:30: this is not TOML"},
		{"empty", nil, "f.toml:1:1: the file is empty (was it saved half-way?)"},
		{"only a comment", []byte("# soon\n\n"), "f.toml:1:1: the file is empty"},
		{"UTF-16", utf16le(minimal), "f.toml:1:1: the file is in UTF-16 (save it as UTF-8)"},
		{"Latin-1", []byte(minimal + "name = \"Zo\xe9\"\n"), "f.toml:7:11: the file is not in UTF-8"},
		{"binary", []byte("\x7fELF\x02\x01\x01\x00\x00\xff\xfe"), "f.toml:1:10: the file is not in UTF-8"},
		{"zeros", make([]byte, 4096), "f.toml:1:1: the file is not a text"},
		{"a zero", []byte(minimal + "# \x00\n"), "f.toml:7:3: the file is not a text"},
		{"too large", bytes.Repeat([]byte("# comment\n"), maxFile/10+1), "f.toml:1:1: the file is larger than 4 MiB"},
		{"large", append([]byte(minimal), bytes.Repeat([]byte("# comment\n"), maxFile/10-100)...), ""},
		{"nested lists", []byte(minimal + "x = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), "nested too deep"},
		{"nested lists without end", []byte("x = " + strings.Repeat("[", 1000000)), "this is not TOML"},
		{"nested tables", []byte(minimal + "x = " + strings.Repeat("{x=", 5000) + "1" + strings.Repeat("}", 5000)), "nested too deep"},
		{"many dots", []byte("a" + strings.Repeat(".a", 1000000) + " = 1\n" + minimal), "too many dots"},
		{"many dots in brackets", []byte(minimal + "[a" + strings.Repeat(".a", 1000000) + "]\n"), "too many dots"},
		{"a script", []byte("#!/bin/sh\necho hello\n"), "f.toml:2:6: this is not TOML: expected '=' after key"},
		{"JSON", []byte(`{"hostname": "mail.example.org"}`), "f.toml:1:1: this is not TOML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f.toml", c.data)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%.300v, want %s", err, c.want)
			}
		})
	}
}

// TestManyProblems bounds what is told of a file that is wrong all over.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&b, "colour%d = 1\n", i)
	}
	_, err := Parse("f.toml", []byte(b.String()))
	var all *Errors
	if !errors.As(err, &all) || len(all.Problems) != maxProblems+1 || !strings.Contains(err.Error(), "more problems") {
		t.Errorf("%.300v", err)
	}
}

func TestLoadFails(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "none.toml: there is no such file (name the file with -c)",
		dir:                             "this is no file",
		fifo:                            "this is no file",
		loop:                            "the file can't be read: too many levels of symbolic links",
	} {
		_, err := Load(path)
		var all *Errors
		if !errors.As(err, &all) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// plain returns a tree as BurntSushi/toml decodes one. Numbers and dates are
// left out: they are read by their form.
func plain(n *node) any {
	switch n.kind {
	case table:
		m := map[string]any{}
		for _, c := range n.children {
			m[c.name] = plain(c)
		}
		return m
	case list:
		l := []any{}
		for _, e := range n.elements {
			l = append(l, plain(e))
		}
		return l
	case text:
		return n.text
	case boolean:
		return n.text == "true"
	}
	return nil
}

// same compares such a tree with what BurntSushi/toml made of the file.
func same(ours, theirs any) bool {
	switch ours := ours.(type) {
	case map[string]any:
		m, ok := theirs.(map[string]any)
		if !ok || len(m) != len(ours) {
			return false
		}
		for k := range ours {
			if _, ok := m[k]; !ok || !same(ours[k], m[k]) {
				return false
			}
		}
		return true
	case []any:
		if m, ok := theirs.([]map[string]any); ok { // a list with inline tables
			if len(m) != len(ours) {
				return len(m) < len(ours) // v1.6.0 drops what is no table under the key ""
			}
			for i := range ours {
				if !same(ours[i], m[i]) {
					return false
				}
			}
			return true
		}
		l, ok := theirs.([]any)
		if !ok || len(l) != len(ours) {
			return false
		}
		for i := range ours {
			if !same(ours[i], l[i]) {
				return false
			}
		}
		return true
	case nil:
		return true
	}
	return ours == theirs
}

// numbers tells whether a tree holds a number or a date.
func numbers(n *node) bool {
	switch n.kind {
	case integer, float, date:
		return true
	}
	return slices.ContainsFunc(append(n.children, n.elements...), numbers)
}

// agree holds our tree against BurntSushi/toml, an implementation by others:
// what we take as TOML without a problem it must take too, with the same
// values, and what it refuses we must refuse.
func agree(t *testing.T, data []byte) {
	t.Helper()
	r := newReport("f.toml", data)
	if !legible(data, r) {
		return
	}
	root, ok := parse(data, r)
	var theirs map[string]any
	_, err := toml.Decode(string(data), &theirs)
	if ok && len(r.problems) == 0 {
		switch {
		case err != nil && numbers(root):
			// Numbers and dates out of range are ours to refuse, by their rule.
		case err != nil:
			t.Errorf("we take what BurntSushi/toml refuses: %v\n%s", err, data)
		case !same(plain(root), theirs):
			t.Errorf("%v\n%v\n%s", plain(root), theirs, data)
		}
	}
}

func TestAgree(t *testing.T) {
	files := []string{"../../mail.toml", "../../examples/association.toml", "../../examples/family.toml", "../../examples/behind-a-relay.toml"}
	for _, pattern := range []string{"testdata/bad/*.toml", "testdata/good/*.toml"} {
		more, _ := filepath.Glob(pattern)
		files = append(files, more...)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, data)
	}
	for _, s := range []string{
		"a.b = 1\n[a]\nc = 2\n", "[a]\nb.c = 1\n[a.b]\n", "[a]\nb.c = 1\n[a.b.d]\n", "[a.b]\n[a]\n", "[a.b]\n[a]\nb.c = 1\n", "[a]\n[a]\n",
		"a = {b = 1}\na.c = 2\n", "a = {b = 1}\n[a.c]\n", "a = {b.c = 1, b.d = 2}\n", "a = {b.c = 1}\n[a.b]\n", "a = 1\na.b = 2\n", "[a]\nb = 1\n[a.b]\n",
		"a = {b = {c = 1}, b.d = 2}\n", "[a.b.c]\n[a.b]\n[a]\n", "a.b.c = 1\na.b.d = 2\na.e = 3\n", "\"\" = 1\n", "'a\"' = '''\nx'''\n", "a = \"\"\"\\\n  x\\u00e9\"\"\"\n",
	} {
		agree(t, []byte(s))
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.toml", "testdata/good/*.toml", "../../mail.toml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("testdata/good/f.toml", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		var all *Errors
		if err != nil && !errors.As(err, &all) {
			t.Fatalf("%v is no *Errors", err)
		}
		lines := strings.Split(strings.TrimPrefix(string(data), "\xef\xbb\xbf"), "\n")
		if all != nil {
			for _, p := range all.Problems {
				if p.Text == "" || p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len(lines[p.Line-1])+1 {
					t.Fatalf("%+v is not in the file", p)
				}
			}
		}
		agree(t, data)
	})
}
