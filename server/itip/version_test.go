package itip

import (
	"testing"
	"time"
)

// TestApplyCancelled: what was cancelled comes back only by a newer message (RFC 5546 2.1.5).
func TestApplyCancelled(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(utcForm, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	gone := Version{Sequence: 2, Stamp: at("20260301T120000Z")}
	for _, c := range []struct {
		name, message string
		gone          *Version
		want          Reason
	}{
		{"nothing was cancelled", "SEQUENCE:1\n", nil, ""},
		{"older by SEQUENCE", "DTSTAMP:20260302T120000Z\nSEQUENCE:1\n", &gone, Older},
		{"older by DTSTAMP", "DTSTAMP:20260301T110000Z\nSEQUENCE:2\n", &gone, Older},
		{"of the same moment", "DTSTAMP:20260301T120000Z\nSEQUENCE:2\n", &gone, Older},
		{"newer by DTSTAMP", "DTSTAMP:20260301T130000Z\nSEQUENCE:2\n", &gone, ""},
		{"newer by SEQUENCE", "DTSTAMP:20260301T110000Z\nSEQUENCE:3\n", &gone, ""},
		{"one of its components is newer", "SEQUENCE:1\n" + daily + bob + "--\nRECURRENCE-ID:20260402T100000Z\nSEQUENCE:3\n" + at10, &gone, ""},
		{"no DTSTAMP is known", "DTSTAMP:20260301T130000Z\nSEQUENCE:2\n", &Version{Sequence: 2}, Older},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := arriving(t, "REQUEST", c.message+bob)
			r := Delivery{Message: m, Self: person("bob@example.org"), From: person("org@example.org"), Now: at("20260302T000000Z"), Create: true, Cancelled: c.gone}.Apply()
			if r.Reason != c.want || r.Created != (c.want == "") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestMessageVersion: the newest component counts, and no clock that is far ahead.
func TestMessageVersion(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for message, want := range map[string]Version{
		"DTSTAMP:20260301T100000Z\n":             {Stamp: now.Add(-2 * time.Hour)},
		"DTSTAMP:20260301T130000Z\nSEQUENCE:4\n": {4, now.Add(time.Hour)},
		"DTSTAMP:20990301T130000Z\nSEQUENCE:4\n": {4, now},
		"DTSTAMP:20260301T130000Z\nSEQUENCE:4\n" + bob + "--\nRECURRENCE-ID:20260402T100000Z\nDTSTAMP:20260301T100000Z\nSEQUENCE:5\n": {5, now.Add(-2 * time.Hour)},
	} {
		if got := arriving(t, "CANCEL", message+bob).Version(now); got != want {
			t.Errorf("%q: %v, not %v", message, got, want)
		}
	}
}
