package maildir

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"facteur/server/safefile"
)

func TestFurther(t *testing.T) {
	dir := t.TempDir()
	f, err := ReadFurther(dir)
	if err != nil || f.Whole || f.Size != 0 || len(f.Messages) != 0 {
		t.Fatalf("without a file: %+v, %v", f, err)
	}
	if !f.SetWord(0, "$One") || !f.SetWord(2, "Three") || f.SetWord(-1, "x") || f.SetWord(MaxFurther, "x") || f.SetWord(1, "a b") {
		t.Error("SetWord")
	}
	f.SetMessage(7, []uint16{0, 2})
	f.SetMessage(3, []uint16{2})
	f.SetMessage(9, []uint16{2})
	f.SetMessage(9, nil)
	text := string(f.Format())
	want := "facteur-keywords 1\nkeyword 26 $One\nkeyword 28 Three\nmessage 3 28\nmessage 7 26,28\n"
	if text != want {
		t.Errorf("%q", text)
	}
	text = string(AppendMessage([]byte(text), 3, nil))
	if err := os.WriteFile(filepath.Join(dir, FurtherFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFurther(dir)
	if err != nil {
		t.Fatal(err)
	}
	delete(f.Messages, 3)
	f.Whole, f.Size = true, int64(len(text))
	if !reflect.DeepEqual(got, f) {
		t.Errorf("%+v, want %+v", got, f)
	}
}

// What a crash leaves at the end does not count, and is noticed.
func TestFurtherTorn(t *testing.T) {
	for _, c := range []struct {
		tail  string
		whole bool
	}{
		{"", true},
		{"message 5 26", false},
		{"message 5 26,\n", false},
		{"message 5 27,26\n", false},
		{"message 5 25\n", false},
		{"message 0 26\n", false},
		{"message 5 \x00\x00\n", false},
		{"keyword 26 \n", false},
		{"keyword 26 a\x00\n", false},
		{"\x00\x00\x00", false},
		{"rubbish\n", false},
	} {
		f := Further{Messages: make(map[uint32][]uint16)}
		f.parse(furtherHeader + "keyword 26 a\nmessage 4 26\n" + c.tail)
		if f.Whole != c.whole || len(f.Messages) != 1 || strings.Join(f.Words, " ") != "a" {
			t.Errorf("%q: %+v", c.tail, f)
		}
	}
}

func FuzzFurther(f *testing.F) {
	f.Add("keyword 26 $One\nmessage 3 26\nmessage 3 -\n")
	f.Add("message 1 26,27\nmessage 4294967295 2025\nkeyword 2025 x")
	f.Fuzz(func(t *testing.T, text string) {
		a := Further{Messages: make(map[uint32][]uint16)}
		a.parse(furtherHeader + text)
		b := Further{Messages: make(map[uint32][]uint16)}
		b.parse(string(a.Format()))
		if !b.Whole || !reflect.DeepEqual(a.Messages, b.Messages) || strings.Join(a.Words, "\n") != strings.Join(b.Words, "\n") {
			t.Errorf("%+v\n%+v", a, b)
		}
	})
}

func TestMetadata(t *testing.T) {
	dir := t.TempDir()
	got, err := ReadMetadata(dir, MetadataFile)
	if err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	values := map[string][]byte{"/private/comment": []byte("a b\r\n\x00é"), "/shared/empty": {}}
	if err := WriteMetadata(safefile.OS, dir, MetadataFile, values); err != nil {
		t.Fatal(err)
	}
	got, err = ReadMetadata(dir, MetadataFile)
	if err != nil || !reflect.DeepEqual(got, values) {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("/private/comment YQ==\n/shared/x \n")
	f.Add("/a b YQ==\n/A YQ==\n/x Y")
	f.Fuzz(func(t *testing.T, text string) {
		values := make(map[string][]byte)
		parseMetadata(values, text)
		dir := t.TempDir()
		if err := WriteMetadata(safefile.OS, dir, MetadataFile, values); err != nil {
			t.Fatal(err)
		}
		got, err := ReadMetadata(dir, MetadataFile)
		if err != nil || !reflect.DeepEqual(got, values) {
			t.Errorf("%q, then %q, %v", values, got, err)
		}
	})
}

// A state of before there were MODSEQs is read, and what is written comes back.
func TestStateLines(t *testing.T) {
	dir := t.TempDir()
	old := "facteur-state 1\nuidvalidity 7\nuidnext 9\nuse \\Sent\n"
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadState(dir)
	if want := (State{UIDValidity: 7, UIDNext: 9, Use: `\Sent`}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	full := State{UIDValidity: 7, UIDNext: 9, ModSeq: 1<<63 - 1, Recent: 3, Use: `\Sent`, ID: "Fa-Z_9"}
	if err := WriteState(safefile.OS, dir, full); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadState(dir); err != nil || got != full {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{"modseq 0", "modseq +1", "modseq 9223372036854775808", "modseq x", "mailboxid a b", "mailboxid ", "recent 0", "recent -1"} {
		if s, err := parseState(old + line + "\n"); err == nil {
			t.Errorf("%s: %+v", line, s)
		}
	}
}
