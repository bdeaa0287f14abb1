package report

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for in, want := range map[string]string{
		"mailto:a@example.net":              "a@example.net 0",
		"MAILTO:a@Example.NET!10m":          "a@example.net 10485760",
		"mailto:a@example.net!50000":        "a@example.net 50000",
		"mailto:a@example.net!1t":           "a@example.net 1099511627776",
		"mailto:a@example.net!99999999999t": "a@example.net 9223370937343148032",
		"mailto:a%2Bb@example.net":          "a+b@example.net 0",
		"mailto:a@example.net?subject=x":    "a@example.net 0",
		"mailto:a@example.net!":             "",
		"mailto:a@example.net!10x":          "",
		"mailto:a@example.net!m":            "",
		"mailto:":                           "",
		"mailto:a@example.net,b":            "",
		"https://example.net/report":        "",
		"mailto:a\r\nBcc: x@example.net":    "",
		"":                                  "",
	} {
		d, err := parseURI(in)
		got := fmt.Sprintf("%s %d", d.Address, d.Max)
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q (%v)", in, got, want, err)
		}
	}
}

// TestAgreed asks whom other organizations take reports for (RFC 7489 7.1).
func TestAgreed(t *testing.T) {
	w := newWorld(t)
	w.txt["example.net._report._dmarc.yes.example"] = []string{"v=DMARC1"}
	w.txt["example.net._report._dmarc.loose.example"] = []string{"other", "v = DMARC1 ; "}
	w.txt["example.net._report._dmarc.moved.example"] = []string{"v=DMARC1; rua=mailto:new@moved.example!1k,mailto:x@else.example"}
	w.txt["example.net._report._dmarc.other.example"] = []string{"v=spf1 -all"}
	w.broken["example.net._report._dmarc.broken.example"] = true
	for in, want := range map[string]string{
		"a@example.net":       "a@example.net",
		"a@mail.example.net":  "a@mail.example.net",
		"a@yes.example":       "a@yes.example",
		"a@loose.example":     "a@loose.example",
		"a@moved.example":     "new@moved.example",
		"a@other.example":     "refused",
		"a@no.example":        "refused",
		"a@broken.example":    "error",
		"a@sub.yes.example":   "refused",
		"a@example.net.other": "refused",
	} {
		to, _ := parseURIs([]string{"mailto:" + in})
		ok, refused, err := agreed(t.Context(), w, "example.net", to)
		var got []string
		for _, d := range ok {
			got = append(got, d.Address.String())
		}
		if len(refused) > 0 {
			got = append(got, "refused")
		}
		if err != nil {
			got = append(got, "error")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", in, s, want)
		}
	}
}

func TestWantsTLS(t *testing.T) {
	w := newWorld(t)
	for txt, want := range map[string]string{
		"v=TLSRPTv1; rua=mailto:a@x.example":                              "[mailto:a@x.example]",
		"v=TLSRPTv1;rua=mailto:a@x.example,https://x.example/r;":          "[mailto:a@x.example https://x.example/r]",
		"v=TLSRPTv1; other=1; rua=mailto:a@x.example":                     "[mailto:a@x.example]",
		"v=TLSRPTv2; rua=mailto:a@x.example":                              "[]",
		"v=TLSRPTv1; rua=mailto:a@x.example|v=TLSRPTv1; rua=mailto:b@x.y": "[]",
		"hello|v=TLSRPTv1; rua=mailto:a@x.example":                        "[mailto:a@x.example]",
	} {
		w.txt["_smtp._tls.x.example"] = strings.Split(txt, "|")
		got, err := wantsTLS(t.Context(), w, "x.example")
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v", txt, got, err)
		}
	}
	if got, err := wantsTLS(t.Context(), w, "y.example"); err != nil || got != nil {
		t.Error(got, err)
	}
}
