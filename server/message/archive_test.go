package message_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"

	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
)

// file is one in an archive.
type file struct {
	name   string
	data   []byte
	flags  uint16
	stored bool
	raw    bool // the name is not UTF-8
}

func zipped(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Flags: f.flags, NonUTF8: f.raw}
		if f.stored {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// attached returns a message with one file.
func attached(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n" +
		"Content-Type: image/png; name=x.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return b.String() + "--b--\r\n"
}

func attachment(t testing.TB, raw string) hook.Attachment {
	t.Helper()
	c, err := message.ReadContent(envelope.Bytes(raw))
	if err != nil {
		t.Fatal(err)
	}
	all := c.Attachments()
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	return all[0]
}

func TestArchives(t *testing.T) {
	exe := file{name: "evil.exe", data: []byte("MZ and more")}
	inner := zipped(t, exe)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	masked := zipped(t, exe)
	setFlags(masked, 1|1<<13)
	deep := inner
	for i := range 5 {
		deep = zipped(t, file{name: fmt.Sprintf("%d.zip", i), data: deep})
	}
	for _, c := range []struct {
		name              string
		data              []byte
		files             []string
		encrypted, opaque bool
	}{
		{name: "no archive", data: []byte("MZ")},
		{name: "empty", data: nil},
		{name: "zip", data: zipped(t, file{name: "dir/"}, exe), files: []string{"dir/", "evil.exe"}},
		{name: "empty zip", data: zipped(t)},
		{name: "document", data: zipped(t, file{name: "[Content_Types].xml", data: []byte("<x>")}, file{name: "word/vbaProject.bin", data: []byte{1}}), files: []string{"[Content_Types].xml", "word/vbaProject.bin"}},
		{name: "zip in zip", data: zipped(t, file{name: "i.zip", data: inner}), files: []string{"i.zip", "i.zip/evil.exe"}},
		{name: "stored zip in zip", data: zipped(t, file{name: "i.bin", data: inner, stored: true}), files: []string{"i.bin", "i.bin/evil.exe"}},
		{name: "behind much", data: zipped(t, file{name: "noise", data: noise, stored: true}, file{name: "i.zip", data: inner}), files: []string{"noise", "i.zip", "i.zip/evil.exe"}},
		{name: "too deep", data: deep, files: []string{"4.zip", "4.zip/3.zip", "4.zip/3.zip/2.zip"}, opaque: true},
		{name: "encrypted", data: masked, files: []string{"evil.exe"}, encrypted: true},
		{name: "code page 437", data: zipped(t, file{name: "\x81ber.exe", raw: true}), files: []string{"über.exe"}},
		{name: "UTF-8", data: zipped(t, file{name: "über.exe"}), files: []string{"über.exe"}},
		{name: "broken zip", data: inner[:len(inner)-10], opaque: true},
		{name: "tar", data: tarred(t, file{name: "a/b"}, exe), files: []string{"a/b", "evil.exe"}},
		{name: "zip in tar", data: tarred(t, file{name: "i", data: inner}), files: []string{"i", "i/evil.exe"}},
		{name: "broken tar", data: broken(tarred(t, exe, exe)), files: []string{"evil.exe"}, opaque: true},
		{name: "tar.gz", data: gzipped(t, "", tarred(t, exe)), files: []string{"evil.exe"}},
		{name: "tar.gz in zip", data: zipped(t, file{name: "t.tgz", data: gzipped(t, "", tarred(t, exe))}), files: []string{"t.tgz", "t.tgz/evil.exe"}},
		{name: "gz", data: gzipped(t, "evil.exe", exe.data), files: []string{"evil.exe"}},
		{name: "gz without a name", data: gzipped(t, "", exe.data), files: []string{"x.dat"}},
		{name: "zip in gz", data: gzipped(t, "i.zip", inner), files: []string{"i.zip", "i.zip/evil.exe"}},
		{name: "broken gz", data: gzipped(t, "a", exe.data)[:12], files: []string{"a"}, opaque: true},
		{name: "7z", data: []byte("7z\xbc\xaf\x27\x1c\x00\x04"), opaque: true},
		{name: "rar", data: []byte("Rar!\x1a\x07\x01\x00"), opaque: true},
		{name: "rar in zip", data: zipped(t, file{name: "r", data: []byte("Rar!\x1a\x07\x00")}), files: []string{"r"}, opaque: true},
		{name: "disk image", data: append(make([]byte, 32<<10), "\x01CD001\x01"...), opaque: true},
	} {
		got := attachment(t, attached(c.data))
		if !slices.Equal(got.Files, c.files) || got.Encrypted != c.encrypted || got.Opaque != c.opaque || got.Size != int64(len(c.data)) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Name != "x.dat" || got.Type != "image/png" || got.Part != 2 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// broken changes the second header of a tar file, so that its checksum is wrong.
func broken(t []byte) []byte {
	t[1024]++
	return t
}

// setFlags sets general purpose bits in the directory of a zip.
func setFlags(z []byte, flags uint16) {
	at := bytes.Index(z, []byte("PK\x01\x02")) + 8
	binary.LittleEndian.PutUint16(z[at:], binary.LittleEndian.Uint16(z[at:])|flags)
}

// TestArchivesAreBounded lists what would take much time or memory to look into.
func TestArchivesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	many := make([]file, 6000)
	for i := range many {
		many[i] = file{name: fmt.Sprint(i), stored: true}
	}
	bomb := gzipped(t, "", make([]byte, 100<<20))
	held := zipped(t, file{name: "zeros", data: make([]byte, 20<<20), stored: true})
	for _, c := range []struct {
		name   string
		data   []byte
		files  int
		opaque bool
	}{
		{"many files", zipped(t, many...), 5000, true},
		{"long names", zipped(t, file{name: strings.Repeat("a", 60000)}), 1, false},
		{"zip bomb", zipped(t, file{name: "zeros", data: make([]byte, 100<<20)}), 1, false},
		{"gzip bomb", gzipped(t, "", bomb), 2, false},
		{"tar behind a bomb", gzipped(t, "", tarred(t, file{name: "zeros", data: make([]byte, 80<<20)}, file{name: "evil"})), 1, true},
		{"large zip in zip", zipped(t, file{name: "i", data: held}), 1, true},
		{"directory that lies", lying(zipped(t, many...)), 0, true},
	} {
		got := attachment(t, attached(c.data))
		if len(got.Files) != c.files || got.Opaque != c.opaque {
			t.Errorf("%s: %d files, opaque %v", c.name, len(got.Files), got.Opaque)
		}
		checkFiles(t, got)
	}
}

// lying gives the end of a zip's directory a wrong count.
func lying(z []byte) []byte {
	binary.LittleEndian.PutUint16(z[len(z)-12:], 1)
	return z
}

func TestAttachments(t *testing.T) {
	var qp strings.Builder
	w := quotedprintable.NewWriter(&qp)
	if _, err := io.WriteString(w, strings.Repeat("é=\n", 100000)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	got := attachment(t, "Content-Type: text/csv; name=\"=?utf-8?q?=C3=A9?=.csv\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"+qp.String())
	if got.Name != "é.csv" || got.Size != 500000 || got.Type != "text/csv" {
		t.Errorf("%+v", got)
	}
	c, err := message.ReadContent(envelope.Bytes(strings.ReplaceAll(report, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	if all := c.Attachments(); len(all) != 1 || all[0].Part != 6 || all[0].Name != "été.bin" || all[0].Size != 3 {
		t.Errorf("%+v", all)
	}
	for raw, n := range map[string]int{
		"Subject: x\n\nhello\n":                                        0,
		"Content-Type: application/pdf\n\nx":                           1,
		"Content-Type: application/pgp-signature\n\nx":                 0,
		"Content-Type: image/png\n\nx":                                 0,
		"Content-Type: image/png\nContent-Disposition: attachment\n\n": 1,
		"Content-Type: message/rfc822; name=a.eml\n\nSubject: x\n\n":   1,
	} {
		if all := content(t, raw).Attachments(); len(all) != n {
			t.Errorf("%q: %+v", raw, all)
		}
	}
}

func FuzzArchive(f *testing.F) {
	exe := file{name: "evil.exe", data: []byte("MZ")}
	f.Add(zipped(f, exe, file{name: "i.zip", data: zipped(f, exe)}))
	f.Add(zipped(f, file{name: "i.zip", data: zipped(f, exe), stored: true}))
	f.Add(tarred(f, exe))
	f.Add(gzipped(f, "a", tarred(f, exe)))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkFiles(t, attachment(t, attached(data)))
	})
}

// FuzzEncoded compares reading at any place with reading from the start.
func FuzzEncoded(f *testing.F) {
	f.Add([]byte("aGVsbG8gd29ybGQ="), true, uint16(3))
	f.Add([]byte("a=3Db =\r\n c\t\r\n"), false, uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, b64 bool, times uint16) {
		head := "Content-Type: application/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
		if b64 {
			head = "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		}
		data = bytes.Repeat(data, min(int(times), 200000/max(1, len(data))))
		raw := envelope.Bytes(append([]byte(head), data...))
		p, err := message.ReadParts(raw, raw.Size())
		if err != nil {
			t.Fatal(err)
		}
		size, _, err := p.DecodedSize(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := attachment(t, string(raw)); got.Size != size {
			t.Fatalf("%d octets, want %d", got.Size, size)
		}
	})
}
