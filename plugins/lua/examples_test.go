package lua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// example is a run of a script that ships.
type example struct {
	script  string
	stage   hook.Stage
	message string // header fields, separated by "|"
	from    string // reverse-path, carol@example.net when empty
	rcpt    string // original of the recipient
	size    int64
	used    int64 // of a quota of 10,000,000 octets
	now     string
	want    string // actions, separated by "; "
}

var examples = []example{
	{script: "scripts/lists.lua", stage: "deliver", message: "List-Id: Board of the club <board.example.org>", want: `fileinto "Lists/board", made when it is not there`},
	{script: "scripts/lists.lua", stage: "deliver", message: "Subject: hello"},
	{script: "scripts/wellformed.lua", stage: "data", message: "From: a@example.net|Date: Sun, 22 Nov 2026 08:00:00 +0000"},
	{script: "scripts/wellformed.lua", stage: "data", message: "From: a@example.net", want: `reject 550 5.6.0 "A message has one Date field, this one has 0"`},
	{script: "scripts/wellformed.lua", stage: "data", message: "From: a@example.net|From: b@example.net", want: `reject 550 5.6.0 "A message has one From field, this one has 2"`},
	{script: "examples/filters/sort.lua", stage: "deliver", message: "List-Id: <golang-nuts.googlegroups.com>", want: `fileinto "Lists/Go", made when it is not there`},
	{script: "examples/filters/sort.lua", stage: "deliver", message: "List-Id: <other.example.net>|From: The shop <Shop@example.net>", want: `fileinto "Shopping", made when it is not there`},
	{script: "examples/filters/sort.lua", stage: "deliver", message: "Subject: =?utf-8?q?Your_Invoice?=", want: `fileinto "Invoices", made when it is not there`},
	{script: "examples/filters/sort.lua", stage: "deliver", message: "Subject: hello"},
	{script: "examples/filters/important.lua", stage: "deliver", message: "From: Carol <carol@example.net>", want: `flag with \Flagged`},
	{script: "examples/filters/important.lua", stage: "deliver", message: "Auto-Submitted: auto-generated", want: `flag with \Seen $Automatic`},
	{script: "examples/filters/important.lua", stage: "deliver", message: "Auto-Submitted: no"},
	{script: "examples/filters/away.lua", stage: "deliver", now: "2026-12-21T09:00:00+01:00", want: "redirect <bob@example.org>, and go on as if not"},
	{script: "examples/filters/away.lua", stage: "deliver", now: "2026-12-26T09:00:00+01:00"},
	{script: "examples/filters/away.lua", stage: "deliver", now: "2027-01-04T00:30:00+01:00"},
	{script: "examples/filters/away.lua", stage: "deliver", now: "2026-12-22T09:00:00+01:00", message: "List-Id: <x.example.net>"},
	{script: "examples/filters/refuse.lua", stage: "rcpt", from: "win@spam.example", rcpt: "alice@example.org", want: `reject 550 5.7.1 "This address takes no mail from you"`},
	{script: "examples/filters/refuse.lua", stage: "rcpt", from: "News@Shop.example", rcpt: "Info@example.org", want: `reject 550 5.7.1 "This address takes no mail from you"`},
	{script: "examples/filters/refuse.lua", stage: "rcpt", from: "news@shop.example", rcpt: "alice@example.org"},
	{script: "examples/filters/trim.lua", stage: "deliver", message: "Precedence: bulk|List-Unsubscribe: <https://example.net/>", want: "discard"},
	{script: "examples/filters/trim.lua", stage: "deliver", size: 2_000_000, used: 8_500_000, want: `fileinto "Large", made when it is not there; add_header X-Filed: 2.0 MB, 85% of the quota used`},
	{script: "examples/filters/trim.lua", stage: "deliver", size: 2_000_000, used: 1_000_000},
}

// Every script that ships, and every example, does what it says.
func TestExamples(t *testing.T) {
	h := newQuietHost()
	tried := map[string]bool{}
	for _, e := range examples {
		tried[e.script] = true
		source, err := os.ReadFile(filepath.Join("../..", e.script))
		if err != nil {
			t.Fatal(err)
		}
		s, err := h.Compile(e.script, source)
		if err != nil {
			t.Fatal(err)
		}
		out := s.Run(t.Context(), e.call(t))
		var got []string
		for _, a := range out.Actions {
			got = append(got, a.String())
		}
		if strings.Join(got, "; ") != e.want || out.Err != nil {
			t.Errorf("%s, %q: %q, %v, want %q", e.script, e.message, got, out.Err, e.want)
		}
	}
	for _, pattern := range []string{"../../scripts/*.lua", "../../examples/filters/*.lua"} {
		files, _ := filepath.Glob(pattern)
		if len(files) == 0 {
			t.Errorf("no %s", pattern)
		}
		for _, f := range files {
			if name := strings.TrimPrefix(filepath.ToSlash(f), "../../"); !tried[name] {
				t.Errorf("%s is not tried", name)
			}
		}
	}
}

// quotaBox is a mailbox with a quota of 10,000,000 octets.
type quotaBox struct {
	box
	used int64
}

func (b quotaBox) Quota() (used, most int64) { return b.used, 10_000_000 }

func (e example) call(t *testing.T) hook.Call {
	t.Helper()
	call := testCall(e.stage)
	if e.stage != hook.Rcpt {
		header := ""
		if e.message != "" {
			header = strings.ReplaceAll(e.message, "|", "\r\n") + "\r\n"
		}
		content, err := message.ReadContent(envelope.Bytes(header + "\r\nHello.\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		call.Message.Content = content
	} else {
		call.Recipient.Original = address.MustParse(e.rcpt)
	}
	if e.from != "" {
		call.Message.ReversePath = address.MustParse(e.from)
	}
	if e.size != 0 {
		call.Message.Size = e.size
	}
	if e.now != "" {
		now, err := time.Parse(time.RFC3339, e.now)
		if err != nil {
			t.Fatal(err)
		}
		call.Now = now
	}
	if e.stage == hook.Deliver {
		call.Box = quotaBox{box{address: "alice@example.org"}, e.used}
	}
	return call
}
