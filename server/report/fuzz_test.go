package report

import (
	"bytes"
	"testing"

	"facteur/server/envelope"
)

// FuzzFeedback: what can be read can be written, and is then the same.
func FuzzFeedback(f *testing.F) {
	for _, name := range []string{"google.xml", "microsoft.xml", "other.xml", "dmarc.golden.xml"} {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadFeedback(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(r.Records) > maxRecords {
			t.Fatal(len(r.Records))
		}
		aboutDMARC(r, ours)
		once, err := r.Format()
		if err != nil {
			return // names that are not XML any more
		}
		again, err := ReadFeedback(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if twice, err := again.Format(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
	})
}

// FuzzTLS does the same with JSON.
func FuzzTLS(f *testing.F) {
	for _, name := range []string{"google.json", "microsoft.json", "tls.golden.json"} {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadTLS(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, a := range aboutTLS(r, ours) {
			for row, n := range a.rows {
				if n <= 0 || n > maxCount*maxPolicies {
					t.Fatal(row, n)
				}
			}
		}
		once, err := r.Format()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadTLS(bytes.NewReader(once))
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Format(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
	})
}

// FuzzFile unpacks files of all kinds.
func FuzzFile(f *testing.F) {
	f.Add(gzipped(f, sample(f, "google.xml")))
	f.Add(zipped(f, []string{"a.xml"}, sample(f, "microsoft.xml")))
	f.Add(utf16(f, charset(sample(f, "other.xml"), "utf-16")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readFile(bytes.NewReader(b))
		if (err == nil) != (p.DMARC != nil || p.TLS != nil) {
			t.Fatal(p, err)
		}
	})
}

// FuzzMessage looks for reports in messages.
func FuzzMessage(f *testing.F) {
	f.Add(attached("application/zip", "a.zip", zipped(f, []string{"a.xml"}, sample(f, "google.xml"))))
	f.Add(mixed("multipart/mixed", "application/gzip", "a.gz", gzipped(f, sample(f, "google.json"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadMessage(envelope.Bytes(b))
		if (err == nil) != (p.DMARC != nil || p.TLS != nil) {
			t.Fatal(p, err)
		}
	})
}

// FuzzURI reads what others put into rua=.
func FuzzURI(f *testing.F) {
	f.Add("mailto:a@example.net!10m")
	f.Add("https://example.net/")
	f.Fuzz(func(t *testing.T, uri string) {
		d, err := parseURI(uri)
		if err == nil && (d.Address.IsZero() || d.Max < 0) {
			t.Fatalf("%+v", d)
		}
		if err == nil && bytes.ContainsAny([]byte(d.Address.String()), "\r\n") {
			t.Fatalf("%q", d.Address)
		}
	})
}
