package utf7

import "testing"

func TestUTF7(t *testing.T) {
	for text, want := range map[string]string{
		"":              "",
		"Sent":          "Sent",
		"R&D":           "R&-D",
		"Entwürfe":      "Entw&APw-rfe",
		"台北":            "&U,BTFw-",
		"~peter/日本語":    "~peter/&ZeVnLIqe-",
		"😀x":            "&2D3eAA-x",
		"tab\there":     "tab&AAk-here",
		"&":             "&-",
		"é&é":           "&AOk-&-&AOk-",
		"Boîte d'envoi": "Bo&AO4-te d'envoi",
	} {
		if got := Encode(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got, ok := Decode(want); !ok || got != text {
			t.Errorf("%q: %q, %v", want, got, ok)
		}
	}
	for _, bad := range []string{"&", "&AOk", "é", "&!-", "&AO-", "&AGE-", "&2D0-", "&3gA-", "&AOk-&AOk-", "&AOl-x&", "a\x00", "a\x7f&-", "&AOkA-", "&AOm-&"} {
		if got, ok := Decode(bad); ok {
			t.Errorf("%q decoded as %q", bad, got)
		}
	}
}

// What is read is what is written for it.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"Sent", "R&-D", "&U,BTFw-", "&2D3eAA-x", "&AOk-&-&AOk-", "&2D0-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if text, ok := Decode(s); ok && Encode(text) != s {
			t.Errorf("%q is read as %q, which is written %q", s, text, Encode(text))
		}
		if text, ok := Decode(Encode(s)); ok && Encode(text) != Encode(s) {
			t.Errorf("%q is written %q, and read as %q", s, Encode(s), text)
		}
	})
}
