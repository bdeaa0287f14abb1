package server

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// An editor writes a file in several steps, and half a file may well be valid
// TOML with half of the accounts: a save counts once nothing changed for
// settle, or after longest at the latest.
const (
	settle  = 150 * time.Millisecond
	longest = 600 * time.Millisecond
)

// watcher tells when one of a set of files was saved. It watches their
// directories, since editors replace files.
type watcher struct {
	notify *fsnotify.Watcher
	saved  chan struct{} // receives after each save
	set    chan request
	log    *slog.Logger
}

// request asks for the files to watch from now on.
type request struct {
	files []string
	done  chan struct{} // closed once they are watched
}

func newWatcher(log *slog.Logger) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{notify: n, saved: make(chan struct{}, 1), set: make(chan request), log: log}
	go w.run()
	return w, nil
}

// Watch replaces the set of files: a save after it returns is told. Files that
// are symbolic links are watched at both ends.
func (w *watcher) Watch(files []string) {
	r := request{files, make(chan struct{})}
	w.set <- r
	<-r.done
}

// Close ends the watcher.
func (w *watcher) Close() { close(w.set) }

func (w *watcher) run() {
	defer w.notify.Close()
	files := make(map[string]bool)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var first time.Time // of the changes that are not told yet
	for {
		select {
		case r, ok := <-w.set:
			if !ok {
				return
			}
			files = w.follow(r.files)
			close(r.done)
		case e, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if !files[e.Name] || e.Op == fsnotify.Chmod {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			timer.Reset(max(0, min(settle, first.Add(longest).Sub(now))))
		case err := <-w.notify.Errors:
			w.log.Warn("watch.error", "error", err)
		case <-timer.C:
			first = time.Time{}
			select {
			case w.saved <- struct{}{}:
			default:
			}
		}
	}
}

// follow makes the directories of files the watched ones.
func (w *watcher) follow(list []string) map[string]bool {
	files, dirs := make(map[string]bool), make(map[string]bool)
	for _, f := range list {
		files[f] = true
		dirs[filepath.Dir(f)] = true
		if real, err := filepath.EvalSymlinks(f); err == nil {
			files[real] = true
			dirs[filepath.Dir(real)] = true
		}
	}
	for _, d := range w.notify.WatchList() {
		if !dirs[d] {
			_ = w.notify.Remove(d) // gone already when this fails
		}
		delete(dirs, d)
	}
	for d := range dirs {
		if err := w.notify.Add(d); err != nil {
			w.log.Warn("watch.failed", "dir", d, "error", err, "result", "changes there need `facteur reload`")
		}
	}
	return files
}
