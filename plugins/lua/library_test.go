package lua

import (
	"os"
	"path/filepath"
	"testing"
)

// The scripts of testdata/library assert what the language and its libraries
// do here. All but a few lines of them hold in Lua 5.1 itself.
func TestLibrary(t *testing.T) {
	files, err := filepath.Glob("testdata/library/*.lua")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	h := newQuietHost()
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s, err := h.Compile(filepath.Base(f), source)
		if err != nil {
			t.Error(err)
			continue
		}
		if out := s.Run(t.Context(), testCall("deliver")); out.Err != nil {
			t.Error(out.Err)
		}
	}
}
