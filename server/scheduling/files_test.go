package scheduling

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/itip"
)

// TestFilesOfMail: to people outside files go along, in the bounds of a mail and of all that a
// change leads to; what comes by mail is managed by nobody (RFC 8607 3.12.6).
func TestFilesOfMail(t *testing.T) {
	w := newWorld(t)
	var bounds []int64
	w.opts.Mailed = func(m *itip.Message, most int64) (*itip.Message, []itip.File, []string) {
		bounds = append(bounds, most)
		return m.Unmanaged(), []itip.File{{ID: "1", Name: "plan.txt", Type: "text/plain", Data: []byte("octets")}}, []string{"film.mkv"}
	}
	const attach = "ATTACH;MANAGED-ID=abc;SIZE=6:https://example.org/a\r\n"
	object := strings.Replace(meeting("m1", "alice@example.org", "bob@example.org", "eve@elsewhere.example"), "END:VEVENT", attach+"END:VEVENT", 1)
	w.put("alice", "m.ics", object)
	if got := w.event("bob", "m1"); !strings.Contains(got, attach) {
		t.Errorf("%s", got)
	}
	if len(w.mail) != 1 || !strings.Contains(w.mail[0].raw, "filename=plan.txt") || !strings.Contains(w.mail[0].raw, "film.mkv") || len(bounds) != 1 || bounds[0] != maxMailFiles {
		t.Fatalf("%v %v", w.mail, bounds)
	}
	// What counts is how many get mail: nobody twice, whose mail was merged, and nobody here.
	many := &task{}
	for i := range 100 {
		outside := itip.Mailto(address.MustParse(fmt.Sprintf("guest%d@elsewhere.example", i)))
		many.Sends = append(many.Sends, send{To: outside, Done: true}, send{To: outside}, send{To: itip.Mailto(address.MustParse("bob@example.org"))})
	}
	if got := w.maxFiles(many); got != maxTaskFiles/100 {
		t.Errorf("%d octets for each of 100", got)
	}

	w.script["alice@example.org"] = Decision{Kind: hook.Accept}
	object = strings.Replace(meeting("m2", "dave@elsewhere.example", "alice@example.org"), "END:VEVENT", attach+"END:VEVENT", 1)
	w.arrive(mailed(t, "dave@elsewhere.example", "REQUEST", object))
	if got := w.event("alice", "m2"); strings.Contains(got, "MANAGED-ID") || !strings.Contains(got, "ATTACH;SIZE=6:https://example.org/a") {
		t.Errorf("%s", got)
	}
}
