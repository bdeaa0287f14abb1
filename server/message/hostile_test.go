package message

import (
	"strings"
	"testing"

	"facteur/server/envelope"
)

// BenchmarkHostile times what an enemy sends to cost much: each must be about
// linear in its size (256 KiB of header, or 1 MiB of message).
func BenchmarkHostile(b *testing.B) {
	fill := func(s string, size int) string { return strings.Repeat(s, size/len(s)) }
	const header = 250 << 10
	for name, in := range map[string]string{
		"comments":     "To: " + fill("(", header) + "\n\n",
		"nested":       "To: " + fill("(", header/2) + fill(")", header/2) + "\n\n",
		"literals":     "To: " + fill("[", header) + "\n\n",
		"angles":       "To: " + fill("<@", header) + "\n\n",
		"groups":       "To: " + fill("a:;", header) + "\n\n",
		"ids":          "References: " + fill("<\"\\\"", header) + "\n\n",
		"parameters":   "Content-Type: text/plain; " + fill("a*0=b; a*1*=c; (", header) + "\n\n",
		"dashes":       "Content-Type: multipart/mixed; boundary=b\n\n" + fill("--\n", 1<<20),
		"boundaries":   fill("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 1<<20),
		"tiny parts":   "Content-Type: multipart/mixed; boundary=b\n\n" + fill("--b\nContent-Type: text/html\nTo: a\n\n<\n", 1<<20),
		"fields":       fill("To: a,\n", header),
		"date":         "Date: " + fill("(", header) + "\n\n",
		"encoded":      "Subject: " + fill("=?utf-8?q?", header) + "\n\n",
		"words":        "Subject: " + fill("=?utf-8?q?a?= ", header) + "\n\n",
		"tags":         "Content-Type: text/html\n\n" + fill("<a ", 1<<20),
		"attributes":   "Content-Type: text/html\n\n<a " + fill("b=c ", 1<<20),
		"entities":     "Content-Type: text/html\n\n" + fill("&", 1<<20),
		"comment html": "Content-Type: text/html\n\n" + fill("<!--", 1<<20),
		"script":       "Content-Type: text/html\n\n" + fill("<script><", 1<<20),
		"marks":        "\n" + fill("\u0301", 1<<20),
		"blanks":       "Content-Transfer-Encoding: quoted-printable\n\n" + fill(" ", 1<<20),
		"equals":       "Content-Transfer-Encoding: quoted-printable\n\n" + fill("= ", 1<<20),
	} {
		body := envelope.Bytes(strings.ReplaceAll(in, "\n", "\r\n"))
		b.Run(name+"/Summarize", func(b *testing.B) {
			for b.Loop() {
				mustSummarize(b, body)
			}
		})
		b.Run(name+"/Words", func(b *testing.B) {
			var dst []byte
			for b.Loop() {
				err := Words(body, body.Size(), func(_ TextKind, text []byte) error {
					dst = Fold(dst[:0], text)
					MessageIDs(text)
					BaseSubject(string(text))
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
