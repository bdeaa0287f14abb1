package server

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/testkit"
)

// TestSmarthost: all mail leaves through the server of [relay]; when its login is
// refused mail waits and status says so, and a new password counts once it is saved.
func TestSmarthost(t *testing.T) {
	s := newSite(t)
	smart := testkit.NewPeer(t, testkit.PeerOptions{
		TLS:    &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t, "smart.example")}},
		Logins: map[string]string{"example": "the new password"},
	})
	secret := filepath.Join(s.dir, "relay.secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status := func() string {
		var b bytes.Buffer
		printStatus(&b, s.Status())
		return b.String()
	}
	settings := s.settings(fmt.Sprintf("[relay]\nvia = %q\nlogin = \"example\"\npassword_file = \"relay.secret\"\ntls = \"encrypted\"\n", smart.Addr()))
	s.reload(settings, "no file")
	write("")
	s.reload(settings, "one line")
	write("two\nlines\n")
	s.reload(settings, "one line")
	write("the old password\n")
	s.reload(settings)
	s.send(s.smtp("submission", "alice@example.org"), "Out", "alice@example.org", "x@example.net")
	s.events.wait(t, "msg=relay.login_failed", "535 5.7.8")
	s.events.wait(t, "msg=spool.deferred", "4.7.8")
	if !strings.Contains(status(), "no mail leaves: Logging in at 127.0.0.1 failed: it answered 535 5.7.8") {
		t.Error(status())
	}
	write("the new password\n")
	s.reload(settings)
	s.retry()
	s.events.wait(t, "msg=spool.finished")
	if got := smart.Messages(); len(got) != 1 || got[0].Login != "example" || len(s.peer.Messages()) != 0 {
		t.Errorf("%+v", got)
	}
	if strings.Contains(status(), "no mail leaves") {
		t.Error(status())
	}
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	for _, line := range s.events.lines {
		if strings.Contains(line, "the old") || strings.Contains(line, "the new") {
			t.Errorf("the log shows a password: %s", line)
		}
	}
}

// TestWatchesSecret: the file of the password is one of those whose change is a save.
func TestWatchesSecret(t *testing.T) {
	s := newSite(t)
	secret := filepath.Join(s.dir, "relay.secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload(s.settings("[relay]\nvia = \"smart.example:465\"\nlogin = \"example\"\npassword_file = \"relay.secret\"\n"))
	if err := os.WriteFile(secret, []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-s.watcher.saved
}
