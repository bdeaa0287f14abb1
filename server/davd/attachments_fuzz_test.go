package davd

import (
	"slices"
	"strings"
	"testing"
)

// FuzzManaging: what is read of a query is one action, with what it needs and no more.
func FuzzManaging(f *testing.F) {
	for _, q := range []string{"action=attachment-add", "action=attachment-add&rid=M,20260101T000000Z", "action=attachment-update&managed-id=a", "action=attachment-remove&managed-id=a&rid=M", "action=x;y", "&&", "rid=%00"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		m, err := parseManaging(query)
		if err != nil {
			if failure := failureOf(err); failure.status != 403 || failure.condition.Local == "" {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		if !slices.Contains([]string{addAttachment, updateAttachment, removeAttachment}, m.action) || !strings.Contains(query, "action") ||
			m.action == addAttachment && m.id != "" || m.action == updateAttachment && m.rids != nil {
			t.Errorf("%q: %+v", query, m)
		}
	})
}
