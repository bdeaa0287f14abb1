package httpd

import (
	"io"
	"net/http"
	"testing"

	"facteur/server/auth"
)

// BenchmarkRequest is what a request costs before and after DAV, with the client's part, over
// TLS and HTTP/2.
func BenchmarkRequest(b *testing.B) {
	client, base := webClient(b, Options{DAV: func(http.ResponseWriter, *http.Request, auth.Credential) {}})
	req, err := http.NewRequest("GET", base+"/dav/", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth("alice@example.org", "demo")
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
