package server

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/statedb"
	"facteur/server/testkit"
)

// TestPausedRedirect: an address that is refused over three days is not sent to any more,
// and the owner of the redirection is told; mail is kept meanwhile.
func TestPausedRedirect(t *testing.T) {
	s := newSite(t)
	s.reload(s.settings("[accounts.\"onward@example.org\"]\npassword = \"" + s.hash + "\"\nredirect = \"gone@example.net\"\nkeep = false\n"))
	s.setAnswer(func(stage testkit.Stage, line string) string {
		if stage == testkit.Rcpt && strings.HasPrefix(line, "TO:<gone@") {
			return "550 5.1.1 No such user"
		}
		return ""
	})
	in := s.smtp("smtp", "")
	s.send(in, "First", "z@example.net", "onward@example.org")
	s.events.wait(t, "msg=spool.failed")
	in.Close()
	s.down()
	ago(t, filepath.Join(s.dir, "data", "state.db"))
	s.up()

	in = s.smtp("smtp", "")
	s.send(in, "Second", "z@example.net", "onward@example.org")
	s.events.wait(t, "msg=redirect.paused", "forwarder=onward@example.org", "to=gone@example.net")
	s.events.wait(t, "msg=server.notice", "to=onward@example.org")
	s.send(in, "Third", "z@example.net", "onward@example.org")
	got := s.inbox("onward@example.org")
	if len(got) != 2 || !strings.Contains(got[0], "Subject: Mail is not sent on to gone@example.net\r\n") || !strings.Contains(got[0], "5.1.1 No such user") ||
		!strings.Contains(got[1], "Subject: Third\r\n") {
		t.Errorf("%q", got)
	}
}

// ago makes the first refusal one of four days ago.
func ago(t *testing.T, path string) {
	t.Helper()
	db, err := statedb.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *sql.Tx) error {
		res, err := tx.Exec("UPDATE redirect_failing SET since = ?", time.Now().AddDate(0, 0, -4).Unix())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			t.Errorf("%d addresses are refused, %v", n, err)
		}
		return nil
	})
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
