package httpd

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"facteur/server/auth"
)

// TestRefusedUpload: who sends all of a body before the answer is read learns why it was
// refused, and goes on over the same connection. Who has not logged in is read no more of.
func TestRefusedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ln := serve(t, Options{DAV: func(w http.ResponseWriter, _ *http.Request, _ auth.Credential) {
			http.Error(w, "The quota is used up.", http.StatusInsufficientStorage)
		}})
		const size = 10 << 20
		c := ln.dial()
		defer c.Close()
		for range 2 {
			say(t, c, head("PUT /dav/x", fmt.Sprintf("Content-Length: %d", size)))
			say(t, c, strings.Repeat("x", size))
			if resp, body := reply(t, c); resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(body, "quota") {
				t.Fatalf("%d %q", resp.StatusCode, body)
			}
		}
		other := ln.dial()
		defer other.Close()
		say(t, other, strings.Replace(head("PUT /dav/x", fmt.Sprintf("Content-Length: %d", size)), "Authorization", "X-None", 1))
		sent := make(chan error, 1)
		go func() {
			_, err := other.Write([]byte(strings.Repeat("x", size)))
			sent <- err
		}()
		if resp, _ := reply(t, other); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d", resp.StatusCode)
		}
		other.Close()
		if <-sent == nil {
			t.Error("all of it was read, of nobody")
		}
	})
}
