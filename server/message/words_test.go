package message

import (
	"bytes"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"facteur/server/envelope"
)

// words joins the pieces of each kind, and checks their bounds.
func words(t testing.TB, b envelope.Bytes) (header, body string) {
	t.Helper()
	var all [2]strings.Builder
	var last []byte
	kind := HeaderText
	err := Words(b, b.Size(), func(k TextKind, text []byte) error {
		if len(text) == 0 || len(text) > MaxPiece || !utf8.Valid(text) || k < kind {
			t.Fatalf("piece of %d octets, kind %d", len(text), k)
		}
		fresh := text
		if k == kind && last != nil {
			n := min(len(last), PieceOverlap)
			for n < len(last) && !utf8.RuneStart(last[len(last)-n]) {
				n++
			}
			if !bytes.HasPrefix(text, last[len(last)-n:]) {
				t.Fatalf("no overlap: %q after %q", text[:n], last[len(last)-n:])
			}
			fresh = text[n:]
		}
		all[k].Write(fresh)
		kind, last = k, bytes.Clone(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all[HeaderText].String(), all[BodyText].String()
}

func TestWords(t *testing.T) {
	header, body := words(t, crlf("Subject: =?utf-8?q?caf=C3=A9?= =?utf-8?q?_lait?=\n folded\nno field\nFrom: caf\xe9 <a@b>\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n"+
		"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nz=C3=A9=\nro\n"+
		"--b\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.html\n\nPGI+5DwvYj4mYW1wOzxzY3JpcHQ+bm88L3NjcmlwdD4=\n"+
		"--b\nContent-Type: message/rfc822\n\nSubject: =?utf-8?b?w7Y=?=\n\ninner\xff\n"+
		"--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n"+
		"--b\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A8?=.png\"\n\nPNG\n--b--\n"))
	if want := "Subject: café lait folded\nno field\nFrom: café <a@b>\nContent-Type: multipart/mixed; boundary=b\n"; header != want {
		t.Errorf("header %q, want %q", header, want)
	}
	want := "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nzéro\n" +
		"Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.html\nü.html\nä&\n" +
		"Content-Type: message/rfc822\nSubject: ö\ninnerÿ\n" +
		"Content-Type: message/delivery-status\nStatus: 5.1.1\n" +
		"Content-Type: image/png; name=\"è.png\"\nè.png\n"
	if body != want {
		t.Errorf("body\n%q, want\n%q", body, want)
	}
}

func TestWordsPieces(t *testing.T) {
	long := strings.Repeat("caféß€😀 ", 40_000)
	for name, in := range map[string]string{
		"plain":  "Subject: x\n\n" + long,
		"html":   "Content-Type: text/html\n\n" + long,
		"header": "\nContent-Type: text/plain",
	} {
		header, body := words(t, crlf(in))
		if name == "header" {
			continue
		}
		if !strings.HasPrefix(header, "Subject: x\n") && name == "plain" || strings.TrimSpace(body) != strings.TrimSpace(long) {
			t.Errorf("%s: %d octets, want %d", name, len(body), len(long))
		}
	}
	// A header that is over the limit is searched as it stands.
	if header, _ := words(t, crlf("Subject: needle\nX: "+strings.Repeat("x", MaxHeader)+"\n\nbody")); !strings.Contains(header, "needle") {
		t.Error("large header")
	}
	stop := errors.New("stop")
	calls := 0
	b := crlf("Subject: x\n\n" + long)
	if err := Words(b, b.Size(), func(TextKind, []byte) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestWordsHTMLTooLong(t *testing.T) {
	_, body := words(t, crlf("Content-Type: text/html\n\nbefore<img src=\"data:"+strings.Repeat("QUJD", 300_000)+"\"> after <b>"+strings.Repeat("run ", 200_000)+"</b>end"))
	if !strings.HasPrefix(body, "before") || strings.Contains(body, "QUJD") || !strings.Contains(body, " after run ") || !strings.HasSuffix(body, "run end\n") {
		t.Errorf("%.200q ... %q", body, body[len(body)-40:])
	}
	if n := strings.Count(body, "run "); n != 200_000 {
		t.Errorf("%d of 200000 words", n)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"ABC xyz[\\]^_`{@":                   "abc xyz[\\]^_`{@",
		"The QUICK brown FOX, 0123456789 AZ": "the quick brown fox, 0123456789 az",
		"Straße":                             "strasse",
		"STRASSE":                            "strasse",
		"ẞ":                                  "ss",
		"ÀÉÎÕÜ":                              "àéîõü",
		"E\u0301te\u0301":                    "été",
		"ΌΔΥΣΣΕΎΣ ὀδυσσεύς":                  "όδυσσεύσ ὀδυσσεύσ",
		"ПРИВЕТ":                             "привет",
		"ﬁn ﬀ Ⅷ ① ｆｕｌｌ":                      "fin ff viii 1 full",
		"K\u2126":                            "kω",
		"İI":                                 "i\u0307i",
		"soft\u00adhy\u200bphen":             "softhyphen",
		"日本語ガギ":                              "日本語ガギ",
		"カ\u3099":                            "ガ",
		"한국어":                                "한국어",
		"\u1112\u1161\u11ab":                 "한",
		"\xff\xfeABC\xc3":                    "\xff\xfeabc\xc3",
		"É\xffÉ":                             "é\xffé",
		"ᾼ":                                  "αι",
		"\u0345":                             "ι",
		"Ꭰ\uab70":                            "ᎠᎠ",
	} {
		if got := string(Fold([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("%q: %q, want %q", in, got[1:], want)
		}
	}
}

func checkIdempotent(t testing.TB, in []byte) {
	t.Helper()
	once := Fold(nil, in)
	if twice := Fold(nil, once); !bytes.Equal(once, twice) {
		t.Fatalf("%q: %q, then %q", in, once, twice)
	}
}

// TestFoldIdempotent tries each character alone, behind a letter, before and
// between marks, and random texts; and that the table agrees with the algorithms.
func TestFoldIdempotent(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) || r >= 0x3_0000 && r < 0xe_0000 || r >= 0xf_0000 {
			continue // planes without characters that fold
		}
		c := string(r)
		checkIdempotent(t, []byte(c))
		if got, want := Fold(nil, []byte(c)), foldComplex(nil, []byte(c)); !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", c, got, want)
		}
		if r < 0x3000 || r >= 0xa000 && r < 0xac00 || r >= 0xf900 {
			checkIdempotent(t, []byte("a"+c+"\u0301"+c+"\u0345\u0307"))
		}
	}
	random := rand.New(rand.NewSource(1))
	alphabet := []rune("aAéÉßſKﬁ\u0301\u0307\u0345\u00ad\u200bᾼΣς\u3099カ한\u11a8\u1161İıǰ\u030c'ŉ\u0130\u1e9a …")
	for range 20_000 {
		var in []byte
		for range random.Intn(8) {
			if random.Intn(12) == 0 {
				in = append(in, byte(random.Intn(256)))
			}
			in = utf8.AppendRune(in, alphabet[random.Intn(len(alphabet))])
		}
		checkIdempotent(t, in)
		if got, want := Fold(nil, in), foldComplex(nil, in); utf8.Valid(in) && !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", in, got, want)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":   "The Quick brown fox jumps over the lazy Dog. ",
		"french":  "Le café est à côté de la forêt où l'été s'achève. ",
		"russian": "Съешь ещё этих мягких французских булок. ",
		"chinese": "天地玄黄宇宙洪荒日月盈昃",
		"thai":    "กินข้าวหรือยัง สวัสดี ",
	} {
		b.Run(name, func(b *testing.B) {
			src := []byte(strings.Repeat(text, 64<<10/len(text)))
			dst := make([]byte, 0, 2*len(src))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				dst = Fold(dst[:0], src)
			}
		})
	}
}

func BenchmarkWords(b *testing.B) {
	for name, body := range map[string]envelope.Bytes{"plain-20K": plainMessage(20 << 10), "alternative-20K": alternativeMessage(20 << 10), "alternative-1M": alternativeMessage(1 << 20)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(body.Size())
			b.ReportAllocs()
			for b.Loop() {
				if err := Words(body, body.Size(), func(TextKind, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
