package relay

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

func TestReply(t *testing.T) {
	for in, want := range map[string]string{
		"250 Ok\r\n": "250 Ok",
		"250\n":      "250",
		"550-5.1.1 No such\r\n550 5.1.1 user\r\n": "550 5.1.1 No such user",
		"550 4.1.1 class differs\r\n":             "550 4.1.1 class differs",
		"450 4.2.1\r\n":                           "450 4.2.1",
		"550 5.1.1x\r\n":                          "550 5.1.1x",
		"550 5.1.1.1 x\r\n":                       "550 5.1.1.1 x",
		"550 caf\xe9\r\n":                         "550 caf?",
	} {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(in), maxLine))
		if err != nil || r.String() != want {
			t.Errorf("%q: %q, %v; want %q", in, r, err, want)
		}
	}
	for _, bad := range []string{"", "250 x", "25 x\r\n", "abc x\r\n", "199 x\r\n", "600 x\r\n", "250-a\r\n251 b\r\n", "250+x\r\n", "\r\n"} {
		if r, err := readReply(bufio.NewReaderSize(strings.NewReader(bad), maxLine)); err == nil {
			t.Errorf("%q taken as %v", bad, r)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("250-a\r\n250 b\r\n"))
	f.Add([]byte("550-5.1.1 No\n550 5.1.1 user\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := readReply(bufio.NewReaderSize(bytes.NewReader(in), maxLine))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.lines) > maxLines || strings.ContainsAny(r.String(), "\r\n") {
			t.Fatalf("%q: %v", in, r)
		}
		if f := r.fault(); f.Code < 400 || strings.ContainsAny(f.Text, "\r\n") || f.Enhanced()[0] != byte('0'+f.Code/100) {
			t.Fatalf("%q: %v", in, f)
		}
	})
}
