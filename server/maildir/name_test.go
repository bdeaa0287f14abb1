package maildir

import (
	"strings"
	"testing"
	"time"
)

func TestParseName(t *testing.T) {
	for _, c := range []struct {
		file string
		want Name
	}{
		{"1700000000.M1P2Q3.host,S=12,W=14,F=s44we8.17:2,FS",
			Name{Unique: "1700000000.M1P2Q3.host", Size: 12, Served: 14, Validity: 1700000000, UID: 17, Flags: Flagged | Seen}},
		{"1.a.h,S=12,F=a.1", Name{Unique: "1.a.h", Size: 12, Served: 12, Validity: 10, UID: 1}},
		{"1.a.h,S=12,F=a.1:2,", Name{Unique: "1.a.h", Size: 12, Served: 12, Validity: 10, UID: 1}},
		{"1.a.h,U=5:2,DFPRSTabz", Name{Unique: "1.a.h", Other: ",U=5", Size: Unknown, Served: Unknown,
			Flags: Draft | Flagged | Passed | Replied | Seen | Trashed | Keyword(0) | Keyword(1) | Keyword(25)}},
		{"1.a.h,S=12:2,S", Name{Unique: "1.a.h", Size: 12, Served: Unknown, Flags: Seen}},
		{"1.a.h,S=12,W=13", Name{Unique: "1.a.h", Size: 12, Served: 13}},
		{"1.a.h,S=1,U=5,F=zz.9:2,X", Name{Unique: "1.a.h", Other: ",U=5", Size: 1, Served: 1, Validity: 35*36 + 35, UID: 9}},
		{"1.a.h:1,x", Name{Unique: "1.a.h", Size: Unknown, Served: Unknown}},
		{"1.a.h:2,S,F=a.1", Name{Unique: "1.a.h", Size: Unknown, Served: Unknown, Flags: Seen | Flagged | Keyword(0)}},
		{"", Name{Size: Unknown, Served: Unknown}},
		{",", Name{Other: ",", Size: Unknown, Served: Unknown}},
		{"x,F=1,F=a.0,F=0.1,F=a.01,F=A.1,F=a.1,F=a.2", Name{Unique: "x", Other: ",F=1,F=a.0,F=0.1,F=a.01,F=A.1", Size: Unknown, Served: Unknown, Validity: 10, UID: 1}},
		{"x,S=-1,S=x,S=+1,S=99999999999999999999,S=7,S=8", Name{Unique: "x", Other: ",S=-1,S=x,S=+1,S=99999999999999999999", Size: 7, Served: Unknown}},
		{"x,F=1z141z4.1", Name{Unique: "x", Other: ",F=1z141z4.1", Size: Unknown, Served: Unknown}}, // 2^32
		{"x,F=1z141z3.4294967295", Name{Unique: "x", Size: Unknown, Served: Unknown, Validity: 1<<32 - 1, UID: 1<<32 - 1}},
	} {
		got := ParseName(c.file)
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.file, got, c.want)
		}
		if got.UID == 0 || got.Size == Unknown || strings.HasSuffix(c.file, "X") {
			continue
		}
		sub := New
		if strings.Contains(c.file, ":2,") {
			sub = Cur
		}
		if file := got.Format(sub); ParseName(file) != got {
			t.Errorf("%s: formatted as %s", c.file, file)
		}
	}
}

func TestFormat(t *testing.T) {
	n := Name{Unique: "1700000000.M1P2Q3.host", Size: 12, Served: 12, Validity: 1700000000, UID: 17}
	for _, c := range []struct {
		sub   string
		flags Flags
		other string
		want  string
	}{
		{New, 0, "", "1700000000.M1P2Q3.host,S=12,F=s44we8.17"},
		{Cur, 0, "", "1700000000.M1P2Q3.host,S=12,F=s44we8.17:2,"},
		{Cur, Seen | Flagged | Keyword(1), ",U=3", "1700000000.M1P2Q3.host,U=3,S=12,F=s44we8.17:2,FSb"},
	} {
		n.Flags, n.Other = c.flags, c.other
		if got := n.Format(c.sub); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	n.Unique = strings.Repeat("x", 200)
	if got := n.Format(Cur); got != "" {
		t.Errorf("a name of %d octets", len(got))
	}
}

func TestWithFlags(t *testing.T) {
	for _, c := range []struct {
		file  string
		flags Flags
		want  string
	}{
		{"a,S=1", Seen, "a,S=1:2,S"},
		{"a:2,S", 0, "a:2,"},
		{"a:2,SXF", Replied | Keyword(3), "a:2,RdX"},
		{"a:1,S", Seen, "a:2,S"},
	} {
		if got := WithFlags(c.file, c.flags); got != c.want || FlagsOf(got) != c.flags {
			t.Errorf("%s with %s: %s, want %s", c.file, c.flags, got, c.want)
		}
	}
}

func TestUniqueOf(t *testing.T) {
	for file, want := range map[string]string{"a.b.c,S=1:2,": "a.b.c", "a:2,S,x": "a", "a": "a", "": ""} {
		if got := UniqueOf(file); got != want || got != ParseName(file).Unique {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	if got := NewUnique(time.Unix(17, 0), "M1", Host("my host:/,é")); got != "17.M1.my-host----" {
		t.Error(got)
	}
	if Host("") != "localhost" || len(Host(strings.Repeat("x", 300))) != 64 {
		t.Error("host")
	}
}

func TestKeywordsOfFlags(t *testing.T) {
	var got []int
	for i := range (Seen | Keyword(0) | Keyword(25)).Keywords {
		got = append(got, i)
	}
	if len(got) != 2 || got[0] != 0 || got[1] != 25 {
		t.Error(got)
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"1700000000.M1P2Q3.host,S=12,W=14,F=s44we8.17:2,FS", "x,F=1.1,F=2.2,U=3:2,ZS", ",,,", "a:2,:2,", "x,S=1,W=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		n := ParseName(file)
		if n.Unique != UniqueOf(file) || n.Flags != FlagsOf(file) {
			t.Fatalf("%q: %+v", file, n)
		}
		if n.UID == 0 || n.Size == Unknown {
			return
		}
		again := n.Format(Cur)
		if again == "" {
			return
		}
		if ParseName(again) != n {
			t.Fatalf("%q: %+v\n%q: %+v", file, n, again, ParseName(again))
		}
		if got := ParseName(WithFlags(file, Seen)); got.Flags != Seen || got.UID != n.UID || got.Other != n.Other {
			t.Fatalf("%q with S: %+v", file, got)
		}
	})
}
