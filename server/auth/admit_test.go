package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
)

// TestAdmit: what Admit refuses is a wrong password for the client and costs what one does,
// for remembered logins and app passwords too; it is no failed login, and is not
// remembered.
func TestAdmit(t *testing.T) {
	w := newWorld(t)
	var answer error
	var asked []Attempt
	var seen int
	w.Authenticator.options.Admit = func(_ context.Context, try Attempt, c Credential) error {
		asked = append(asked, try)
		return answer
	}
	w.Authenticator.options.Seen = func(_ address.Address, _ Attempt, _ bool) { seen++ }
	no := fault.New(fault.Policy, "Not from there, says the script")
	for _, c := range []struct {
		name, password string
		answer         error
		want           fault.Kind
		asked, runs    int
	}{
		{"alice@example.org", "a", no, fault.AuthFailed, 1, 1},
		{"alice@example.org", "a", no, fault.AuthFailed, 1, 1}, // not remembered
		{"alice@example.org", "wrong", no, fault.AuthFailed, 0, 1},
		{"nobody@example.org", "a", no, fault.AuthFailed, 0, 1},
		{"alice@example.org", "a", nil, 0, 1, 1},
		{"alice@example.org", "a", nil, 0, 1, 0},               // remembered
		{"alice@example.org", "a", no, fault.AuthFailed, 1, 1}, // and asked about all the same
		{"alice@example.org", w.device, nil, 0, 1, 0},
		{"alice@example.org", w.device, no, fault.AuthFailed, 1, 1},
		{"alice@example.org", "a", fault.Wrap(fault.Internal, "", errors.New("script failed")), fault.Unavailable, 1, 0},
	} {
		answer, asked = c.answer, nil
		w.runs.Store(0)
		_, err := w.Login(t.Context(), Attempt{Name: c.name, Password: c.password, Remote: remote})
		if (err != nil) != (c.want != 0) || err != nil && fault.As(err).Kind != c.want {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && strings.Contains(fault.As(err).Text, "script") {
			t.Errorf("the client is told %q", fault.As(err).Text)
		}
		if len(asked) != c.asked || int(w.runs.Load()) != c.runs {
			t.Errorf("%+v: asked %d times, %d verifications", c, len(asked), w.runs.Load())
		}
	}
	if n := w.throttle.count(w.throttled(Attempt{Name: "alice@example.org", Remote: remote}).subject); n != 0 {
		t.Errorf("%d failed logins of the pair", n)
	}
	if log := w.log.String(); !strings.Contains(log, "msg=auth.rejected account=Alice@example.org device=phone why=\"Not from there, says the script\"") {
		t.Error(log)
	}
	if seen != 4 { // one wrong password of an account, and three that were let in
		t.Errorf("seen %d times", seen)
	}
}
