package listen

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// binaryHeader is a header of version 2.
func binaryHeader(command, family byte, body string) string {
	return binarySignature + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	v4Ends   = "\xcb\x00\x71\x05\x0a\x00\x00\x01\x1f\x90\x00\x19" // 203.0.113.5:8080 to 10.0.0.1:25
	v6Source = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
	v6Ends   = v6Source + v6Source + "\x1f\x90\x00\x19"
)

func TestReadHeader(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, c := range []struct{ name, in, want string }{
		{"1, IPv4", "PROXY TCP4 203.0.113.5 10.0.0.1 8080 25\r\n", "203.0.113.5:8080"},
		{"1, IPv6", "PROXY TCP6 2001:db8::5 2001:db8::1 8080 25\r\n", "[2001:db8::5]:8080"},
		{"1, the longest", "PROXY TCP6 ffff:f:f:f:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:f:f:f:ffff:ffff:ffff:ffff]:65535"},
		{"1, unknown", "PROXY UNKNOWN\r\n", "none"},
		{"1, unknown with addresses", "PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", "none"},
		{"1, too long", "PROXY UNKNOWN " + long + "\r\n", "refused"},
		{"1, no family", "PROXY \r\n", "refused"},
		{"1, UDP", "PROXY UDP4 203.0.113.5 10.0.0.1 8080 25\r\n", "refused"},
		{"1, the wrong family", "PROXY TCP4 2001:db8::5 2001:db8::1 8080 25\r\n", "refused"},
		{"1, a zone", "PROXY TCP6 fe80::1%eth0 fe80::2 8080 25\r\n", "refused"},
		{"1, two spaces", "PROXY TCP4  203.0.113.5 10.0.0.1 8080 25\r\n", "refused"},
		{"1, a port too high", "PROXY TCP4 203.0.113.5 10.0.0.1 65536 25\r\n", "refused"},
		{"1, a port with zeros", "PROXY TCP4 203.0.113.5 10.0.0.1 08080 25\r\n", "refused"},
		{"1, a sign", "PROXY TCP4 203.0.113.5 10.0.0.1 +80 25\r\n", "refused"},
		{"1, a bad destination", "PROXY TCP4 203.0.113.5 host 80 25\r\n", "refused"},
		{"1, a lone LF", "PROXY TCP4 203.0.113.5 10.0.0.1 8080 25\nEHLO a\r\n", "refused"},
		{"1, cut off", "PROXY TCP4 203.0", "EOF"},
		{"1, in small letters", "proxy TCP4 203.0.113.5 10.0.0.1 8080 25\r\n", "refused"},
		{"2, IPv4", binaryHeader(0x21, 0x11, v4Ends), "203.0.113.5:8080"},
		{"2, IPv6", binaryHeader(0x21, 0x21, v6Ends), "[2001:db8::5]:8080"},
		{"2, with TLVs", binaryHeader(0x21, 0x11, v4Ends+long), "203.0.113.5:8080"},
		{"2, local", binaryHeader(0x20, 0x00, ""), "none"},
		{"2, local with addresses", binaryHeader(0x20, 0x11, v4Ends), "none"},
		{"2, unspecified", binaryHeader(0x21, 0x00, long), "none"},
		{"2, a Unix socket", binaryHeader(0x21, 0x31, long), "none"},
		{"2, UDP", binaryHeader(0x21, 0x12, v4Ends), "refused"},
		{"2, a family that is none", binaryHeader(0x21, 0x41, v4Ends), "refused"},
		{"2, a command that is none", binaryHeader(0x22, 0x11, v4Ends), "refused"},
		{"version 3", binaryHeader(0x31, 0x11, v4Ends), "refused"},
		{"2, too short", binaryHeader(0x21, 0x11, v4Ends[:11]), "refused"},
		{"2, too short for IPv6", binaryHeader(0x21, 0x21, v4Ends), "refused"},
		{"2, cut off", binaryHeader(0x21, 0x11, v4Ends)[:20], "EOF"},
		{"2, cut off in a TLV", binaryHeader(0x21, 0x11, v4Ends+long)[:60], "EOF"},
		{"a command of SMTP", "EHLO client.example.net\r\n", "refused"},
		{"PROPFIND", "PROPFIND / HTTP/1.1\r\n", "refused"},
		{"nothing", "", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const after = "EHLO a\r\n"
			r := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(c.in)), 512)
			if c.want != "EOF" {
				r = bufio.NewReaderSize(strings.NewReader(c.in+after), 512)
			}
			source, err := readHeader(r)
			got := source.String()
			switch {
			case err == errHeader:
				got = "refused"
			case err == io.EOF || err == io.ErrUnexpectedEOF:
				got = "EOF"
			case err != nil:
				got = err.Error()
			case !source.IsValid():
				got = "none"
			}
			if got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			if err != nil {
				return
			}
			if rest, _ := io.ReadAll(r); string(rest) != after {
				t.Errorf("what is left is %q", rest)
			}
		})
	}
}

// FuzzHeader: whatever comes, the same is read however it arrives, and of a good header nothing
// behind its end.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.5 10.0.0.1 8080 25\r\nEHLO a\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(binaryHeader(0x21, 0x21, v6Ends+"\x04\x00\x00") + "rest"))
	f.Add([]byte("PROPFIND / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(in), 512)
		slow := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(in)), 512)
		source, err := readHeader(r)
		again, wrong := readHeader(slow)
		if source != again || (err == nil) != (wrong == nil) {
			t.Fatalf("%v %v, octet by octet %v %v", source, err, again, wrong)
		}
		if err != nil {
			return
		}
		rest, _ := io.ReadAll(r)
		header := in[:len(in)-len(rest)]
		switch {
		case len(header) < maxText+1 && bytes.HasSuffix(header, []byte("\r\n")) && bytes.Count(header, []byte("\n")) == 1:
		case bytes.HasPrefix(header, []byte(binarySignature)) && len(header) == 16+int(header[14])<<8+int(header[15]):
		default:
			t.Fatalf("%q is no header", header)
		}
	})
}
