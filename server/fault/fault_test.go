package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestClassFollowsCode(t *testing.T) {
	for k := range table {
		f := New(Kind(k), "")
		if f.Text == "" || f.Enhanced()[0] != byte('0'+f.Code/100) {
			t.Errorf("kind %d: %v", k, f)
		}
		if got := f.AsTemporary(); !Temporary(got) || got.Enhanced()[0] != '4' {
			t.Errorf("kind %d as temporary: %v", k, got)
		}
	}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		code       int
		enh, want  string
		wantedCode int
	}{
		{421, "4.7.0", "4.7.0", 421},
		{550, "4.7.1", "5.7.1", 550}, // the class follows the code
		{250, "2.0.0", "5.0.0", 550},
		{550, "nonsense", "5.7.1", 550},
		{550, "5.1000.1", "5.7.1", 550},
	} {
		f := Reply(Policy, c.code, c.enh, "no\r\n250 ok")
		if f.Code != c.wantedCode || f.Enhanced() != c.want || strings.ContainsAny(f.Text, "\r\n") {
			t.Errorf("%v: %v", c, f)
		}
	}
}

func TestAs(t *testing.T) {
	err := fmt.Errorf("delivering: %w", Wrap(OverQuota, "", errors.New("cause")))
	if !Is(err, OverQuota) || As(err).Code != 452 || Is(errors.New("x"), Internal) {
		t.Error(As(err))
	}
	if f := As(errors.New("open /secret: no")); f.Kind != Internal || strings.Contains(f.Text, "secret") || !Temporary(f) {
		t.Errorf("%v", f)
	}
}
