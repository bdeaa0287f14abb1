package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDataFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mail.toml")
	for text, want := range map[string]string{
		"data = \"here\"\n[oops":                  "here",
		"hostname = \n  data = '/srv/mail' # x\n": "/srv/mail",
		"[domains]\ndata = \"not this\"\n[[[":     "data",
		"unknown = 1\r\ndata = \"elsewhere\"\r\n": "elsewhere",
		"": "data",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(want) {
			want = filepath.Join(dir, want)
		}
		if got, err := DataFolder(file); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := DataFolder(filepath.Join(dir, "absent")); err == nil {
		t.Error("no error for a file that is not there")
	}
}
