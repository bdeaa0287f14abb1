package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// lesson is a request that a learner got.
type lesson struct{ path, message string }

// learner starts a filter that learns, as the controller of Rspamd does, at the URL
// $LEARNER. "learner got N" waits until it has learned N messages and prints them.
func (w *world) learner(neg bool, args []string) {
	switch {
	case !neg && len(args) == 0 && w.lessons == nil:
		w.startLearner()
	case !neg && len(args) == 2 && args[0] == "got" && w.lessons != nil:
		n, err := strconv.Atoi(args[1])
		w.ts.Check(err)
		timeout := time.After(patience)
		for range n {
			select {
			case l := <-w.lessons:
				fmt.Fprintf(w.ts.Stdout(), "== %s\n%s\n", l.path, l.message)
			case <-timeout:
				w.ts.Fatalf("fewer than %d messages were learned", n)
			}
		}
	default:
		w.ts.Fatalf("usage: learner | learner got N")
	}
}

func (w *world) startLearner() {
	w.lessons = make(chan lesson, 100)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			w.tb.Error(err)
		}
		w.lessons <- lesson{r.URL.Path, strings.ReplaceAll(string(raw), "\r\n", "\n")}
		io.WriteString(rw, `{"success":true}`)
	}))
	w.tb.Cleanup(s.Close)
	w.ts.Setenv("LEARNER", s.URL)
	w.ts.Setenv("LEARNER_HOST", strings.TrimPrefix(s.URL, "http://"))
}
