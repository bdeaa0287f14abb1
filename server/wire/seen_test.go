package wire

import "testing"

func TestSeen(t *testing.T) {
	for text, want := range map[string]string{
		"plain text, Grüße":  "plain text, Grüße",
		"a\tb\r\nc":          "a b  c",
		"\x1b[31mred\u009b":  " [31mred ",
		"left\u202eto right": "left to right",
		"\xff":               "\uFFFD",
	} {
		if got := Seen(text, ""); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Seen("a\tb\nc", "\t"); got != "a\tb c" {
		t.Errorf("%q", got)
	}
}
