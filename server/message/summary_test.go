package message

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand"
	"net/mail"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/fault"
)

func mustSummarize(t testing.TB, b envelope.Bytes) Summary {
	t.Helper()
	s, err := Summarize(b, b.Size())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkSummary compares what one pass makes with what the parts make.
func checkSummary(t testing.TB, b envelope.Bytes) Summary {
	t.Helper()
	s := mustSummarize(t, b)
	digest := sha256.Sum256(b)
	if s.Size != b.Size() || !bytes.Equal(s.EmailID[:], digest[:16]) {
		t.Fatalf("size %d, id %x", s.Size, s.EmailID)
	}
	root := mustParts(t, b)
	if got, want := string(s.Envelope), string(root.AppendEnvelope(nil)); got != want {
		t.Fatalf("envelope\n%s, want\n%s", got, want)
	}
	if got, want := string(s.BodyStructure), string(root.AppendBodyStructure(nil)); got != want {
		t.Fatalf("structure\n%s, want\n%s", got, want)
	}
	checkForms(t, string(s.Envelope), string(s.BodyStructure))
	names := []string{"subject", "FROM", "Received", "X-Label", "content-type"}
	if _, ok := s.AppendFields(nil, names); ok {
		t.Fatal("Received is not listed")
	}
	names[2] = "To"
	got, ok := s.AppendFields(nil, names)
	want := sectionText(t, root, b, Section{Kind: SectionFields, Names: names})
	if ok == s.FieldsOmitted || ok && string(got) != want {
		t.Fatalf("fields %q (%v), want %q", got, ok, want)
	}
	if n := len([]rune(string(s.Preview))); n > maxPreview || bytes.ContainsAny(s.Preview, "\r\n\x00") {
		t.Fatalf("preview of %d: %q", n, s.Preview)
	}
	packed, err := s.AppendBinary([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseSummary(packed[1:]); err != nil || !reflect.DeepEqual(back, normal(s)) {
		t.Fatalf("%v: %+v, want %+v", err, back, s)
	}
	return s
}

// normal has nil for what is empty.
func normal(s Summary) Summary {
	for _, b := range []*[]byte{&s.Envelope, &s.BodyStructure, &s.Fields, &s.Preview} {
		if len(*b) == 0 {
			*b = nil
		}
	}
	return s
}

func TestSummarize(t *testing.T) {
	s := checkSummary(t, crlf("Received: from x\nDate: Tue, 3 Nov 2026 10:00:00 +0100\nSubject: a\n b\nX-Other: 1\nFrom: a@b\nX-Label:\n\n Hello\n\n\tworld \n"))
	if want := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC).Unix(); s.SentDate != want || s.SentZone != 60 {
		t.Errorf("%d %d, want %d", s.SentDate, s.SentZone, want)
	}
	if got := string(s.Fields); got != "Date: Tue, 3 Nov 2026 10:00:00 +0100\r\nSubject: a\r\n b\r\nFrom: a@b\r\nX-Label:\r\n" {
		t.Errorf("fields %q", got)
	}
	if v, ok := s.Field("SUBJECT"); !ok || string(v) != " a\r\n b\r\n" || DecodeHeader(v) != "a b" {
		t.Errorf("%q", v)
	}
	if _, ok := s.Field("To"); ok {
		t.Error("To")
	}
	if string(s.Preview) != "Hello world" || s.Attachments || s.FieldsOmitted {
		t.Errorf("%+v", s)
	}
	checkSummary(t, crlf(mixed))
	checkSummary(t, nil)
	checkSummary(t, crlf("From: x@y")) // no line end
}

func TestSummaryLimits(t *testing.T) {
	for name, in := range map[string]string{
		"long field":   "References: " + strings.Repeat("<a@b>\n ", maxListedField/6) + "\nSubject: x\n\n",
		"long header":  strings.Repeat("Subject: "+strings.Repeat("x", 900)+"\n", 40) + "\n",
		"over limits":  "From: a@b\nX-A: " + strings.Repeat("x", MaxHeader) + "\n\nbody",
		"much fields":  "From: a@b\n" + strings.Repeat("a:\n", MaxFields) + "\nbody",
		"endless line": strings.Repeat("x", 2*MaxHeader),
	} {
		if s := checkSummary(t, crlf(in)); !s.FieldsOmitted || s.Fields != nil {
			t.Errorf("%s: %d octets of fields", name, len(s.Fields))
		}
	}
}

// TestSummarizeMemory reads a message that is larger than what may be allocated.
func TestSummarizeMemory(t *testing.T) {
	const size = 16 << 20
	r := withHeader{"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n", failingAt{at: size}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Summarize(r, size)
	runtime.ReadMemStats(&after)
	if err != nil || s.Size != size || len(s.BodyStructure) == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d octets allocated", n)
	}
}

// withHeader is a reader that begins with a header.
type withHeader struct {
	header string
	failingAt
}

func (w withHeader) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.failingAt.ReadAt(p, off)
	if off < int64(len(w.header)) {
		copy(p, w.header[off:])
	}
	return n, err
}

func TestPreview(t *testing.T) {
	part := func(header, body string) string { return "--b\n" + header + "\n" + body + "\n" }
	multi := "Content-Type: multipart/mixed; boundary=b\n\n"
	for name, c := range map[string]struct{ in, want string }{
		"plain":          {"\nA  b\x00c\u200b\n\u00a0d", "A b c d"},
		"latin1":         {"Content-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9", "café"},
		"undeclared":     {"\ncaf\xe9 \x80", "café €"},
		"base64":         {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nY2Fm\nw6k=\n", "café"},
		"qp":             {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 =\nlait", "café lait"},
		"iso-2022":       {"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$3\x1b(B", "こ"},
		"html":           {"Content-Type: text/html\n\n<style>x</style><p>A &amp;<br>b<!-- c --><p>d", "A & b d"},
		"empty first":    {multi + part("", " \n") + part("Content-Type: text/html\n", "<b>x") + "--b--", "x"},
		"attached first": {multi + part("Content-Disposition: attachment\n", "no") + part("", "yes") + "--b--", "yes"},
		"first of two":   {multi + part("", "one") + part("", "two") + "--b--", "one"},
		"none":           {"Content-Type: image/png\n\nxxxx", ""},
		"long":           {"\n" + strings.Repeat("é ", 5000), strings.TrimSpace(strings.Repeat("é ", 128))},
	} {
		if got := string(checkSummary(t, crlf(c.in)).Preview); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestPreviewOfPart: only the beginning of long HTML is looked at, which may end
// anywhere.
func TestPreviewOfPart(t *testing.T) {
	const end = `<b title="x">&amp;`
	for cut := range len(end) + 1 {
		hidden := "<!--" + strings.Repeat("x", maxPreviewHTML-cut-len("Hello <!---->")) + "-->"
		got := string(checkSummary(t, crlf("Content-Type: text/html\n\nHello "+hidden+end+strings.Repeat("!", 100))).Preview)
		want := "Hello"
		if cut == len(end) {
			want = "Hello &"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", end[:cut], got, want)
		}
	}
}

func TestAttachments(t *testing.T) {
	for in, want := range map[string]bool{
		"\nx":                                  false,
		"Content-Disposition: inline\n\nx":     false,
		"Content-Disposition: Attachment\n\nx": true,
		"Content-Type: application/pdf; name=x.pdf\n\nx":                      true,
		"Content-Type: message/rfc822\n\nContent-Disposition: attachment\n\n": true,
	} {
		if s := checkSummary(t, crlf(in)); s.Attachments != want {
			t.Errorf("%q: %v", in, s.Attachments)
		}
	}
}

func TestParseDate(t *testing.T) {
	for _, v := range []string{
		"Tue, 3 Nov 2026 10:00:00 +0100", "03 Nov 2026 10:00 +0100", "Tue, 3 Nov 2026 04:00:00 EST", "Tue, 3 Nov 2026 09:00:00 GMT",
		"Tue,  3 Nov 26 10:00:00 +0100 (CET)", "(x) Tue, 3 Nov 2026\r\n 09:00:00", "3-Nov-2026 10:00:00 +0100", "Tue, 3 November 2026 10:00:00 GMT+0100",
		"Tue 3 Nov 2026 10:00:00 +0100", "Tue, 3 Nov 126 10:00:00 +0100", "Di., 3 Nov. 2026 10.00.00 +0100", "Tue, 3 Nov 2026 09:00:00 Z",
	} {
		if got, _, ok := parseDate([]byte(v)); !ok || got != time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC).Unix() && !strings.Contains(v, " 126 ") {
			t.Errorf("%s: %v %v", v, time.Unix(got, 0).UTC(), ok)
		}
	}
	for _, v := range []string{"", "yesterday", "Tue, 31 Feb 2026 10:00:00 +0100", "Tue, 3 Xyz 2026 10:00:00 +0100", "Tue, 3 Nov 2026", "3 Nov 2026 25:00:00 +0000",
		"Tue, 0 Nov 2026 10:00:00 +0100", "2026-11-03T10:00:00Z"} {
		if got, _, ok := parseDate([]byte(v)); ok {
			t.Errorf("%s: %v", v, time.Unix(got, 0).UTC())
		}
	}
	random := rand.New(rand.NewSource(1))
	for range 1000 {
		want := time.Unix(random.Int63n(1<<33), 0).In(time.FixedZone("", 60*(random.Intn(1440)-720)))
		text := want.Format(DateFormat)
		if _, err := mail.ParseDate(text); err != nil {
			t.Fatal(err)
		}
		_, offset := want.Zone()
		if got, zone, ok := parseDate([]byte(text)); !ok || got != want.Unix() || int(zone) != offset/60 {
			t.Errorf("%s: %v %v", text, time.Unix(got, 0).UTC(), zone)
		}
	}
}

func TestParseSummaryErrors(t *testing.T) {
	s := mustSummarize(t, crlf(mixed))
	packed, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range packed {
		if _, err := ParseSummary(packed[:n]); !fault.Is(err, fault.Internal) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
	if _, err := ParseSummary(append(packed, 0)); err == nil {
		t.Error("one octet too many")
	}
	packed[0]++
	if _, err := ParseSummary(packed); err == nil {
		t.Error("another version")
	}
	var f *fault.Fault
	if !errors.As(errSummary(), &f) {
		t.Error("no fault")
	}
}

// plainMessage is a message of about size octets as one gets it.
func plainMessage(size int) envelope.Bytes {
	head := "Return-Path: <bob@example.net>\nReceived: from mx.example.net (mx.example.net [192.0.2.1])\n\tby mail.example.org with ESMTPS id abc\n" +
		"\t(TLS1.3 TLS_AES_128_GCM_SHA256);\n\tTue, 03 Nov 2026 10:00:00 +0100\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=k;\n" +
		"\tbh=" + strings.Repeat("x", 44) + ";\n\th=From:To:Subject:Date;\n\tb=" + strings.Repeat("y", 344) + "\n" +
		"From: Bob Example <bob@example.net>\nTo: Alice Martin <alice@example.org>, \"Doe, John\" <john@example.org>\nCc: list@example.org\n" +
		"Subject: =?utf-8?q?R=C3=A9union?= of Tuesday\nDate: Tue, 03 Nov 2026 10:00:00 +0100\nMessage-ID: <0123456789@example.net>\n" +
		"In-Reply-To: <987@example.org>\nReferences: <1@example.org> <987@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8; format=flowed\n" +
		"Content-Transfer-Encoding: 8bit\nUser-Agent: Mutt\nX-Spam-Status: No, score=-1.0\n\n"
	line := "The quick brown fox jumps over the lazy dog, and so do I; café.\n"
	return crlf(head + strings.Repeat(line, max(size-len(head), 0)/(len(line)+1)+1))
}

func alternativeMessage(size int) envelope.Bytes {
	head, _, _ := strings.Cut(string(plainMessage(0)), "Content-Type:")
	html := "<p>The quick <b>brown</b> fox jumps over =\n the lazy dog &amp; so do I.</p>\n"
	return crlf(strings.ReplaceAll(head, "\r\n", "\n") + "Content-Type: multipart/alternative; boundary=\"=_b\"\n\n--=_b\nContent-Type: text/plain; charset=utf-8\n" +
		"Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("The quick brown fox =\njumps.\n", size/90) +
		"\n--=_b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(html, size*2/3/len(html)) + "\n--=_b--\n")
}

func BenchmarkSummarize(b *testing.B) {
	for _, c := range []struct {
		name string
		body envelope.Bytes
	}{
		{"plain-2K", plainMessage(2 << 10)}, {"plain-20K", plainMessage(20 << 10)}, {"alternative-20K", alternativeMessage(20 << 10)},
		{"plain-1M", plainMessage(1 << 20)}, {"mixed-1M", alternativeMessage(1 << 20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.body.Size())
			b.ReportAllocs()
			for b.Loop() {
				mustSummarize(b, c.body)
			}
		})
		b.Run(c.name+"/hash", func(b *testing.B) {
			b.SetBytes(c.body.Size())
			for b.Loop() {
				sha256.Sum256(c.body)
			}
		})
		b.Run(c.name+"/ReadParts", func(b *testing.B) {
			b.SetBytes(c.body.Size())
			b.ReportAllocs()
			for b.Loop() {
				mustParts(b, c.body)
			}
		})
	}
}

func BenchmarkAppendFields(b *testing.B) {
	s := mustSummarize(b, plainMessage(2<<10))
	for _, names := range [][]string{{"From", "To", "Subject", "Date"},
		{"From", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Priority", "X-Priority", "References", "Newsgroups", "In-Reply-To", "Content-Type", "Reply-To"}} {
		b.Run(fmt.Sprint(len(names)), func(b *testing.B) {
			var dst []byte
			for b.Loop() {
				dst, _ = s.AppendFields(dst[:0], names)
			}
		})
	}
}

func BenchmarkParseSummary(b *testing.B) {
	s := mustSummarize(b, plainMessage(2<<10))
	packed, _ := s.AppendBinary(nil)
	b.Logf("%d octets", len(packed))
	for b.Loop() {
		if _, err := ParseSummary(packed); err != nil {
			b.Fatal(err)
		}
	}
}
