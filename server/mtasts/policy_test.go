package mtasts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRecord(t *testing.T) {
	for _, c := range []struct{ txt, want string }{
		{"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
		{"v=STSv1;id=1", "1"},
		{"v=STSv1 ; id=1 ; future=x ;", "1"},
		{"v=STSv1; id=1; id=2;", "1"},
		{"v=spf1 -all|v=STSv1; id=1", "1"},
		{"v=STSv12; id=3|v=STSv1; id=1", "1"},
		{"", ""},
		{"v=spf1 -all", ""},
		{"v=STSv1", ""},
		{"v=STSv1;", ""},
		{"v=STSv1; id=", ""},
		{"v=STSv1; id=a b", ""},
		{"v=STSv1; id=a-b", ""},
		{"v=STSv1; id", ""},
		{"v=STSv1; =x; id=1", ""},
		{"V=STSv1; id=1", ""},
		{" v=STSv1; id=1", ""},
		{"v=STSv1; id=1|v=STSv1; id=1", ""},
		{"v=STSv1; id=" + strings.Repeat("x", 33), ""},
	} {
		got, err := ParseRecord(strings.Split(c.txt, "|"))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.txt, got, err)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	const good = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.Example.NET\nmax_age: 604800\n"
	p, err := ParsePolicy([]byte(good))
	if err != nil || p.Mode != Enforce || fmt.Sprint(p.MX) != "[mail.example.com *.example.net]" || p.MaxAge != 7*24*time.Hour || len(p.Lines) != 5 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, c := range []struct{ old, with, want string }{
		{"\n", "\r\n", "enforce"},
		{"\n", " \r\n", "enforce"},
		{": ", ":", "enforce"},
		{"enforce", "testing", "testing"},
		{"mode: enforce", "mode: none\nmode: enforce", "none"},
		{"mx:", "future.key:", ""},
		{"mode: enforce\nmx: mail.example.com\nmx: *.Example.NET", "mode: none", "none"},
		{"enforce", "Enforce", ""},
		{"STSv1", "STSv2", ""},
		{"version: STSv1\n", "", ""},
		{"604800", "-1", ""},
		{"604800", "99999999999", ""},
		{"604800", "", ""},
		{"*.Example.NET", "*.*.example.net", ""},
		{"*.Example.NET", "*", ""},
		{"*.Example.NET", "[192.0.2.1]", ""},
		{"*.Example.NET", "", ""},
		{"mode", "mo de", ""},
		{"mode: enforce", "mode", ""},
		{"mode: enforce", "mode: enforce\nx: a\x00b", ""},
		{"max", strings.Repeat("x", maxPolicy) + ": y\nmax", ""},
		{"mx: mail.example.com\n", strings.Repeat("mx: a.example\n", maxMX+1), ""},
		{"mx: mail.example.com", "mx: bücher.example", "enforce"},
	} {
		p, err := ParsePolicy([]byte(strings.ReplaceAll(good, c.old, c.with)))
		if (err == nil) != (c.want != "") || err == nil && string(p.Mode) != c.want {
			t.Errorf("%q for %q: %+v, %v", c.with, c.old, p, err)
		}
	}
	if p, err := ParsePolicy([]byte(strings.Replace(good, "604800", "4294967295", 1))); err != nil || p.MaxAge != maxAge {
		t.Error(p.MaxAge, err)
	}
}

// TestAllows has the examples of RFC 8461 4.1.
func TestAllows(t *testing.T) {
	p := Policy{MX: []string{"mail.example.com", "*.example.net"}}
	for host, want := range map[string]bool{
		"mail.example.com": true, "MAIL.example.com.": true, "mx.example.net": true,
		"example.net": false, "foo.bar.example.net": false, ".example.net": false, "xmail.example.com": false,
		"example.com": false, "": false,
	} {
		if p.Allows(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{"v=STSv1; id=1;", "v=STSv1;id=a|v=STSv1;id=b", "v=spf1|v=STSv1 ;x=y;id=1", "v=STSv1; id==;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseRecord(strings.Split(s, "|"))
		if (err == nil) != (id != "") || len(id) > 32 || strings.ContainsAny(id, " ;=\r\n") {
			t.Errorf("%q, %v", id, err)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	for _, s := range []string{
		"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n",
		"version: STSv1\r\nmode: none\r\nmax_age: 0\r\n", "mx:\n", ":", "version:STSv1\nmode:testing\nmx:a.example\nmax_age:1",
	} {
		f.Add([]byte(s), "mx.example.net")
	}
	f.Fuzz(func(t *testing.T, b []byte, host string) {
		p, err := ParsePolicy(b)
		if err != nil {
			return
		}
		if p.MaxAge < 0 || p.MaxAge > maxAge || p.Mode == "" || p.Mode != None && len(p.MX) == 0 {
			t.Errorf("%+v", p)
		}
		p.Allows(host)
		again, err := ParsePolicy([]byte(strings.Join(p.Lines, "\n"))) // what is reported is what was read
		if err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Errorf("%+v, then %+v, %v", p, again, err)
		}
	})
}

// What we serve, others read as it was meant.
func TestText(t *testing.T) {
	want := Policy{Mode: Testing, MX: []string{"mail.example.org", "*.example.net"}, MaxAge: 7 * 24 * time.Hour}
	got, err := ParsePolicy([]byte(want.Text()))
	if err != nil || got.Mode != want.Mode || !slices.Equal(got.MX, want.MX) || got.MaxAge != want.MaxAge {
		t.Errorf("%q: %+v, %v", want.Text(), got, err)
	}
	other := want
	other.Mode = Enforce
	id, err := ParseRecord([]string{"v=STSv1; id=" + want.TextID()})
	if err != nil || id != want.TextID() || id == other.TextID() {
		t.Errorf("%q, %v; in force %q", id, err, other.TextID())
	}
}
