package imapsearch

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseText(t *testing.T) {
	for _, query := range []string{"ALL", "UNSEEN SINCE 1-Nov-2026", `OR FROM "ann" (NOT KEYWORD $Work LARGER 100)`, `SUBJECT "grüße"`} {
		got, err := ParseText(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		cmd, err := parse("SEARCH "+query, Options{})
		if err != nil || !reflect.DeepEqual(got, cmd.Program) {
			t.Errorf("%s: %+v, as a command %+v, %v", query, got, cmd, err)
		}
		if got.Texts() {
			t.Errorf("%s reads messages", query)
		}
	}
	for query, mistake := range map[string]string{
		"":                          "missing",
		"UNREAD":                    "UNREAD is no search key",
		"SINCE yesterday":           "date",
		"FROM":                      "",
		"ALL  SEEN":                 "",
		"ALL\r\nx LOGOUT":           "one line",
		"SUBJECT {3}":               "",
		"SUBJECT {3+}":              "",
		"CHARSET utf-8 ALL":         "CHARSET is no search key",
		strings.Repeat("NOT ", 200): "too deep",
	} {
		if _, err := ParseText(query); err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%q: %v, want %q", query, err, mistake)
		}
	}
	for _, query := range []string{"TEXT x", "NOT BODY x", "OR SEEN (TEXT x)"} {
		if p, err := ParseText(query); err != nil || !p.Texts() {
			t.Errorf("%s: %v", query, err)
		}
	}
}
