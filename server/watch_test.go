package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "mail.toml"), filepath.Join(dir, "other")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "a")
	w, err := newWatcher(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Watch([]string{file})
	write(other, "not watched")
	write(file, "b") // in place
	<-w.saved
	write(other, "c")
	if err := os.Rename(other, file); err != nil { // as editors do
		t.Fatal(err)
	}
	<-w.saved
	select {
	case <-w.saved:
		t.Error("told of a save that did not happen")
	default:
	}
}
