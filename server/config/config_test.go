package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected errors anew")

// TestBad loads each file of testdata/bad; the errors that it must give are in
// the .errors file beside it.
func TestBad(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.toml")
	if len(files) < 20 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file)
			var all *Errors
			if !errors.As(err, &all) {
				t.Fatalf("%v, want *Errors", err)
			}
			dir, _ := filepath.Abs("testdata/bad")
			got := strings.NewReplacer(file, filepath.Base(file), dir, "DIR").Replace(err.Error()) + "\n"
			golden := strings.TrimSuffix(file, ".toml") + ".errors"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, secret := range []string{"hunter2", "secret-that-is-not-shown", "HSevOw65"} {
				if strings.Contains(got, secret) {
					t.Errorf("the errors show a secret: %s", got)
				}
			}
		})
	}
}
