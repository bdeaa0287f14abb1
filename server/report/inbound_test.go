package report

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"facteur/server/envelope"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zipped(t testing.TB, names []string, files ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, f := range files {
		part, err := w.Create(names[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	packed, err := pack(b)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// attached is a message whose whole body is a file.
func attached(mediaType, name string, file []byte) []byte {
	var w bytes.Buffer
	w.WriteString(crlf("From: reports@sender.example\nTo: dmarc-reports@example.org\nSubject: Report domain: example.org\nMIME-Version: 1.0\nContent-Type: " +
		mediaType + ";\n\tname=\"" + name + "\"\nContent-Disposition: attachment;\n\tfilename=\"" + name + "\"\nContent-Transfer-Encoding: base64\n\n"))
	writeBase64(&w, file)
	return w.Bytes()
}

// mixed is a message with a text and a file.
func mixed(container, mediaType, name string, file []byte) []byte {
	var w bytes.Buffer
	w.WriteString(crlf("From: reports@sender.example\nSubject: Your report\nMIME-Version: 1.0\nContent-Type: " + container +
		"; boundary=xx\n\n--xx\nContent-Type: text/html\n\n<p>A report for you</p>\n--xx\nContent-Type: " +
		mediaType + "; name=\"" + name + "\"\nContent-Transfer-Encoding: base64\n\n"))
	writeBase64(&w, file)
	w.WriteString("\r\n--xx--\r\n")
	return w.Bytes()
}

func utf16(t testing.TB, b []byte) []byte {
	t.Helper()
	out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func latin1(t testing.TB, b []byte) []byte {
	t.Helper()
	out, err := charmap.ISO8859_1.NewEncoder().Bytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func charset(b []byte, name string) []byte {
	return bytes.Replace(b, []byte("ENCODING"), []byte(name), 1)
}

// TestReadMessage reads reports in the wrappings of the big providers.
func TestReadMessage(t *testing.T) {
	google, microsoft, other := sample(t, "google.xml"), sample(t, "microsoft.xml"), sample(t, "other.xml")
	readme := []byte("This folder has a report.\n")
	for _, c := range []struct {
		name string
		body []byte
		org  string
		n    int // records or policies
	}{
		{"zip as the whole body", attached("application/zip", "google.com!example.org!1795219200!1795305599.zip", zipped(t, []string{"google.com!example.org.xml"}, google)), "google.com", 2},
		{"gzip in mixed", mixed("multipart/mixed", "application/gzip", "enterprise.protection.outlook.com!example.org.xml.gz", gzipped(t, microsoft)), "Outlook.com", 1},
		{"no useful type", mixed("multipart/mixed", "application/octet-stream", "Report.XML.GZ", gzipped(t, microsoft)), "Outlook.com", 1},
		{"gzip called zip", mixed("multipart/mixed", "application/zip", "a.zip", gzipped(t, microsoft)), "Outlook.com", 1},
		{"plain XML", mixed("multipart/mixed", "text/xml", "a.xml", google), "google.com", 2},
		{"zip with another file first", mixed("multipart/mixed", "application/x-zip-compressed", "a.zip", zipped(t, []string{"readme.txt", "r.xml"}, readme, google)), "google.com", 2},
		{"UTF-8 with a mark", attached("application/gzip", "a.xml.gz", gzipped(t, append([]byte("\xef\xbb\xbf"), charset(other, "utf-8")...))), "Société des Postes", 1},
		{"UTF-16", attached("application/gzip", "a.xml.gz", gzipped(t, utf16(t, charset(other, "utf-16")))), "Société des Postes", 1},
		{"Latin 1", attached("application/gzip", "a.xml.gz", gzipped(t, latin1(t, charset(other, "iso-8859-1")))), "Société des Postes", 1},
		{"TLS, gzip", mixed(`multipart/report; report-type="tlsrpt"`, "application/tlsrpt+gzip", "google.com!example.org!1795219200!1795305599!001.json.gz", gzipped(t, sample(t, "google.json"))), "Google Inc.", 1},
		{"TLS, plain", mixed("multipart/report; report-type=tlsrpt", "application/tlsrpt+json", "a.json", sample(t, "microsoft.json")), "Microsoft Corporation", 2},
	} {
		p, err := ReadMessage(envelope.Bytes(c.body))
		org, n := "", 0
		switch {
		case p.DMARC != nil:
			org, n = p.DMARC.Metadata.Org, len(p.DMARC.Records)
		case p.TLS != nil:
			org, n = p.TLS.Org, len(p.TLS.Policies)
		}
		if err != nil || org != c.org || n != c.n {
			t.Errorf("%s: %q, %d, %v", c.name, org, n, err)
		}
	}
}

// TestHostile: what is made to break a reader of reports is an error, soon.
func TestHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	spaces := bytes.Repeat([]byte(" "), maxUnpacked+1)
	bomb := gzipped(t, append([]byte("<feedback>"), make([]byte, maxRecord+1)...))
	deep := []byte("<feedback>" + strings.Repeat("<a>", 100_000))
	record := "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"
	manyFiles, names := make([][]byte, 500), make([]string, 500)
	for i := range manyFiles {
		manyFiles[i], names[i] = []byte("hello"), "x"
	}
	manyFiles[400] = sample(t, "google.xml")
	for name, file := range map[string][]byte{
		"gzip bomb of zeros":           bomb,
		"gzip bomb of spaces":          gzipped(t, spaces),
		"bomb of spaces in an element": gzipped(t, append([]byte("<feedback><version>"), spaces[:2*maxRecord]...)),
		"zip bomb":                     zipped(t, []string{"a.xml"}, append([]byte("<feedback>"), spaces...)),
		"zip of many files":            zipped(t, names, manyFiles...),
		"gzip in gzip":                 gzipped(t, gzipped(t, sample(t, "google.xml"))),
		"deep":                         gzipped(t, deep),
		"too many records":             gzipped(t, []byte("<feedback>"+strings.Repeat(record, maxRecords+1)+"</feedback>")),
		"cut off XML":                  sample(t, "google.xml")[:900],
		"cut off gzip":                 gzipped(t, sample(t, "google.xml"))[:200],
		"cut off zip":                  zipped(t, []string{"a"}, sample(t, "google.xml"))[:300],
		"entities":                     []byte(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><feedback><version>&b;</version></feedback>`),
		"other XML":                    []byte("<html><body>no</body></html>"),
		"two roots":                    []byte("<feedback></feedback><feedback>"),
		"bad count":                    []byte("<feedback><record><row><count>many</count></row></record></feedback>"),
		"huge count":                   []byte("<feedback><record><row><count>99999999999999999999999</count></row></record></feedback>"),
		"unknown charset":              []byte(`<?xml version="1.0" encoding="x-none"?><feedback></feedback>`),
		"large JSON":                   gzipped(t, append([]byte(`{"report-id":"`), append(bytes.Repeat([]byte("x"), maxJSON), `"}`...)...)),
		"deep JSON":                    []byte(`{"policies":` + strings.Repeat("[", 100_000)),
		"empty JSON":                   []byte("{}"),
		"JSON of wrong types":          []byte(`{"policies":[{"policy":7}]}`),
		"nothing":                      nil,
		"text":                         []byte("hello"),
	} {
		begun := time.Now()
		p, err := ReadMessage(envelope.Bytes(attached("application/gzip", "a.gz", file)))
		if err == nil {
			t.Errorf("%s: %+v", name, p)
		}
		if d := time.Since(begun); d > time.Second {
			t.Logf("%s took %v", name, d) // told, not judged
		}
	}
	for name, text := range map[string]string{
		"no attachment":       "Subject: Report domain: x\r\n\r\nhello\r\n",
		"in an enclosed mail": "Content-Type: multipart/mixed; boundary=xx\r\n\r\n--xx\r\nContent-Type: message/rfc822\r\n\r\n" + string(attached("text/xml", "a.xml", sample(t, "google.xml"))) + "\r\n--xx--\r\n",
		"bad base64":          "Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
	} {
		if p, err := ReadMessage(envelope.Bytes(text)); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestKeep keeps reports, each once, and sums them up.
func TestKeep(t *testing.T) {
	w := newWorld(t)
	w.set(midday)
	for _, name := range []string{"google.xml", "microsoft.xml", "other.xml", "google.json", "microsoft.json", "google.xml"} {
		p, err := readFile(bytes.NewReader(charset(sample(t, name), "utf-8")))
		if err != nil {
			t.Fatal(name, err)
		}
		if err := w.store.Keep(t.Context(), p, Sender{"sender.example", true}, ours); err != nil {
			t.Fatal(name, err)
		}
	}
	d, err := w.store.Digest(t.Context(), midday.AddDate(0, 0, -6), midday.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "digest.golden.json", append(b, '\n'))

	p := Parsed{DMARC: &Feedback{Policy: PolicyPublished{Domain: "example.net"}}}
	if err := w.store.Keep(t.Context(), p, Sender{}, ours); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
	if d, err := w.store.Digest(t.Context(), midday.AddDate(0, 0, 1), midday.AddDate(0, 0, 8)); err != nil || !d.Quiet() {
		t.Errorf("%+v %v", d, err)
	}
}

// TestFlood: strangers do not fill the disk with reports, and do not keep those of others
// out.
func TestFlood(t *testing.T) {
	w := newWorld(t)
	w.set(midday)
	kept := func(n int, id string, from Sender) (kept int) {
		for i := range n {
			p := &TLSReport{Org: from.Domain, ID: fmt.Sprint(id, i)}
			for j := range maxAbout + 10 {
				var policy TLSPolicy
				policy.Policy.Domain = fmt.Sprintf("d%d.example.org", j)
				policy.Summary.Successful = 1
				if p.Policies = append(p.Policies, policy); id == "one" {
					break
				}
			}
			switch err := w.store.Keep(t.Context(), Parsed{TLS: p}, from, ours); {
			case err == nil:
				kept++
			case !errors.Is(err, ErrTooMany):
				t.Fatal(err)
			}
		}
		return kept
	}
	for _, c := range []struct {
		n    int
		id   string
		from Sender
		want int
	}{
		{5, "many", Sender{"a.example", false}, 2},
		{5, "one", Sender{"b.example", false}, 0},
		{110, "one", Sender{"c.example", true}, 100},
		{5, "one", Sender{"d.example", true}, 5},
	} {
		if got := kept(c.n, c.id, c.from); got != c.want {
			t.Errorf("%+v: %d kept", c, got)
		}
	}
	w.set(midday.AddDate(0, 0, 1).Add(time.Second))
	if got := kept(3, "one", Sender{"e.example", false}); got != 3 {
		t.Errorf("%d kept the day after", got)
	}
}

// TestForget: old rows and reports go.
func TestForget(t *testing.T) {
	w := newWorld(t)
	w.set(midday)
	for _, r := range results() {
		w.store.AddDMARC(r)
	}
	p, err := readFile(bytes.NewReader(sample(t, "google.xml")))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Keep(t.Context(), p, Sender{}, ours); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	for _, c := range []struct{ days, unsent, reports int }{{keepDays, 1, 1}, {keepDays + 1, 0, 1}, {keepReports, 0, 1}, {keepReports + 1, 0, 0}} {
		w.set(midday.AddDate(0, 0, c.days))
		if err := w.store.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := w.store.unsent(t.Context(), dayOf(midday)+1)
		if err != nil || len(list) != c.unsent {
			t.Errorf("%d days: %d unsent, %v", c.days, len(list), err)
		}
		d, err := w.store.Digest(t.Context(), midday.AddDate(0, 0, -1), midday.AddDate(0, 0, 1))
		if err != nil || len(d.Domains) != c.reports {
			t.Errorf("%d days: %d reports, %v", c.days, len(d.Domains), err)
		}
	}
}
