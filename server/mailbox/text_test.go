package mailbox

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/message"
)

// Texts are indexed when a mailbox was left alone, and what Candidates says is
// right all the time.
func TestCandidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		look := func(text string) string {
			t.Helper()
			uids, through, ok := f.inbox.Candidates(message.Fold(nil, []byte(text)))
			return fmt.Sprint(uids, through, ok)
		}
		settle := func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		f.add(f.inbox, "Subject: Die Straße\r\n\r\nGrüße\r\n")
		f.add(f.inbox, "Subject: other\r\n\r\nstrasse here too\r\n")
		f.add(f.inbox, "Subject: nothing\r\n\r\n")
		f.want("at once", look("STRASSE"), "[] 0 true")
		settle()
		f.want("later", look("STRASSE"), "[1 2] 3 true")
		f.want("absent", look("absent"), "[] 3 true")
		f.want("too short", look("xy"), "[] 0 false")
		f.add(f.inbox, "Subject: a new strasse\r\n\r\n")
		_, err := f.inbox.Expunge([]UID{2})
		f.ok(err)
		f.want("not covered", look("nothing"), "[3] 3 true")
		settle()
		if got := look("STRASSE"); got != "[1 2 4] 4 true" && got != "[1 4] 4 true" {
			t.Error("covered:", got)
		}
		f.reopen()
		f.want("opened again", look("nothing"), "[3] 4 true")
		f.ok(f.store.Reindex(alice, nil))
		f.want("made anew", look("nothing"), "[] 0 true")
		settle()
		f.want("made anew, later", look("nothing"), "[3] 4 true")
	})
}
