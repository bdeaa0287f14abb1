package attachments

import (
	"testing"

	"facteur/server/homes"
	"facteur/server/ical"
)

// FuzzNamed: however lines are folded, no object that names an attachment is taken for one that
// does not; and what is written again names the same.
func FuzzNamed(f *testing.F) {
	a := Attachment{Owner: alice, ID: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Name: "a"}
	for _, s := range []string{
		object(a), object(),
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nATT\n ACH;man\r\n\tag\n ed-id=a\r\n a:x\nEND:VEVENT\nEND:VCALENDAR\n",
		"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nATTACH;X=\"MANAGED-\";MANAGED\r\r\n -ID=a:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ical.ParseBytes(data)
		if err != nil {
			return
		}
		for _, child := range c.Children {
			for _, p := range child.Props {
				if p.Param("MANAGED-ID") != "" && !Named(data) {
					t.Errorf("%q names %v", data, p)
				}
			}
		}
		again, err := ical.ParseBytes(c.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := homes.AttachedTo(c), homes.AttachedTo(again); len(a) != len(b) {
			t.Errorf("%q: %v, then %v", data, a, b)
		}
	})
}
