package maildir

import (
	"os"
	"path/filepath"
	"testing"
)

// A keyword is written between others and in parentheses: what is no atom is none.
func TestReadKeywordsAtoms(t *testing.T) {
	dir := t.TempDir()
	text := "0 Work\n1 a b\n2 x)\r\n3 \"q\n4 back\\slash\n5 $Junk\n6 \x01\n7 caf\xc3\xa9\n8 a\r* BYE\n"
	if err := os.WriteFile(filepath.Join(dir, KeywordsFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ReadKeywords(dir)
	if want := (Keywords{0: "Work", 5: "$Junk"}); err != nil || k != want {
		t.Errorf("%q, %v", k, err)
	}
}
