package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
)

// TestAcceptVersion: GET tells a card in the version of vCard that Accept prefers (RFC 6352 5.1.1).
func TestAcceptVersion(t *testing.T) {
	s := newServer(t)
	path, kept := contactsPath+"c.vcf", card("c", "Carol")
	s.ask("PUT", path, kept).want(http.StatusCreated)
	tag := s.prop(path, davxml.D("getetag")).text()
	for accept, version := range map[string]string{
		"": "3.0", "*/*": "3.0", "text/vcard": "3.0", "text/vcard;version=4.0": "4.0", "text/vcard;version=4.0, text/vcard;q=0.8": "4.0",
		"text/vcard;version=3.0, text/vcard;version=4.0": "3.0", "text/vcard;version=4.0;q=0.5, */*;q=0.9": "3.0", "text/vcard; version=\"4.0\"": "4.0",
		"text/vcard;version=5.0": "3.0", "text/vcard;version=4.0;q=x": "3.0", "text/html;version=4.0": "3.0", ";;,=": "3.0", "text/vcard;version=4.0;q=0": "3.0",
	} {
		got := s.ask("GET", path, "", "Accept: "+accept).want(http.StatusOK)
		if !strings.Contains(got.body, "VERSION:"+version+"\r\n") || (got.header.Get("ETag") == tag) != (version == "3.0") || (got.body == kept) != (version == "3.0") {
			t.Errorf("%q: %s\n%s", accept, got.header.Get("ETag"), got.body)
		}
	}
	newer := s.ask("GET", path, "", "Accept: text/vcard;version=4.0")
	s.ask("PUT", path, newer.body, "If-Match: "+newer.header.Get("ETag")).want(http.StatusNoContent)
	if got := s.ask("GET", path, "", "Accept: text/vcard;version=3.0"); !strings.Contains(got.body, "VERSION:3.0") {
		t.Errorf("back: %s", got.body)
	}
}

// FuzzAccept: any Accept leads to a version that is known, or to none.
func FuzzAccept(f *testing.F) {
	f.Fuzz(func(t *testing.T, accept string) {
		r := &request{Request: &http.Request{Header: http.Header{"Accept": {accept}}}}
		switch v := r.cardVersion(); v {
		case "":
		case "3.0", "4.0":
			if !strings.Contains(accept, "version") && !strings.Contains(strings.ToLower(accept), "version") {
				t.Errorf("%q is %s", accept, v)
			}
		default:
			t.Errorf("%q is %s", accept, v)
		}
	})
}
