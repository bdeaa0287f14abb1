package intake

import (
	"strings"
	"testing"
)

// TestSubmissionFixes: what a client leaves out is added, Bcc reaches nobody, and not
// another octet changes.
func TestSubmissionFixes(t *testing.T) {
	const (
		from = "From: alice@example.org\r\n"
		date = "Date: Sun, 22 Nov 2026 10:00:00 +0100\r\n"
		id   = "Message-ID: <a@example.org>\r\n"
	)
	for _, c := range []struct {
		name, as, header string
		want             string // what stands below Received; DATE and ID are those of the server
	}{
		{"complete", "alice@example.org", from + date + id, from + date + id},
		{"no date", "alice@example.org", from + id, "DATE" + from + id},
		{"no id", "alice@example.org", from + date, "ID" + from + date},
		{"neither", "alice@example.org", from, "DATEID" + from},
		{"empty ones", "alice@example.org", "Date:\r\n" + from + "message-id: \r\n", "DATEID" + from},
		{"odd ones stay", "alice@example.org", "Date: today\r\n" + from + "Message-Id: a b\r\n", "Date: today\r\n" + from + "Message-Id: a b\r\n"},
		{"blind copies", "alice@example.org", from + date + "Bcc: bob@example.org,\r\n\tcarol@example.net\r\nTo: x\r\nBCC:\r\nResent-Bcc: y@example.net\r\n" + id,
			from + date + "To: x\r\n" + id},
		{"odd spacing stays", "alice@example.org", "dKim-signature:  a ;\r\n\t b\r\n" + from + date + id + "Subject:\tx \r\n", "dKim-signature:  a ;\r\n\t b\r\n" + from + date + id + "Subject:\tx \r\n"},
		{"raw UTF-8", "alice@example.org", "From: Zoé <alice@example.org>\r\n" + date + id + "Subject: é\r\nTo: x\r\n",
			"From: =?utf-8?b?Wm/DqQ==?= <alice@example.org>\r\n" + date + id + "Subject: =?utf-8?b?w6k=?=\r\nTo: x\r\n"},
		{"raw UTF-8, signed", "alice@example.org", "DKIM-Signature: x\r\nFrom: Zoé <alice@example.org>\r\n" + date + id, "DKIM-Signature: x\r\nFrom: Zoé <alice@example.org>\r\n" + date + id},
		{"other 8-bit text", "alice@example.org", from + date + id + "Subject: \xe9\r\n", from + date + id + "Subject: \xe9\r\n"},
		{"mail of others", "", "From: z@example.net\r\nBcc: bob@example.org\r\n", "From: z@example.net\r\nBcc: bob@example.org\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.send(mail{as: c.as, to: []string{"bob@example.org", "x@example.net"}[:map[bool]int{true: 2, false: 1}[c.as != ""]], header: c.header, text: "  text \r\n\r\n"})
			if err := r.first(); err != nil {
				t.Fatal(err)
			}
			got := w.inbox("bob@example.org")[0]
			_, below, ok := strings.Cut(got, ";\r\n\t") // the date of Received
			_, below, _ = strings.Cut(below, "\r\n")
			want := strings.Replace(c.want, "ID", "Message-ID: <"+r.receipt.ID+"@example.org>\r\n", map[bool]int{true: 1}[strings.Contains(c.want, "ID"+from)])
			if rest, dated := strings.CutPrefix(want, "DATE"); dated {
				first, tail, _ := strings.Cut(below, "\r\n")
				if !strings.HasPrefix(first, "Date: ") {
					t.Errorf("%q", first)
				}
				below, want = tail, rest
			}
			if want += "\r\n  text \r\n\r\n\r\n"; !ok || below != want {
				t.Errorf("%q\nwant %q", below, want)
			}
		})
	}
}
