package directory

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/fault"
)

// TestClaims: a Claimer is asked about what is nobody's, before the catch-all, and what it
// says is followed as an alias is.
func TestClaims(t *testing.T) {
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprintf("n%d@elsewhere.net", i)
	}
	claims := map[string]string{
		"new@example.org": "alice@example.org", "two@example.org": "alice@example.org x@elsewhere.net",
		"loop@example.org": "loop@example.org", "a@example.org": "b@example.org", "b@example.org": "a@example.org bob@example.org",
		"deep@example.org": "d1@example.org", "shop@other.example": "alice@example.org", "many@example.org": strings.Join(many, " "),
		"alias@example.org": "info@example.org",
	}
	for i := range 20 {
		claims[fmt.Sprintf("d%d@example.org", i)] = fmt.Sprintf("d%d@example.org", i+1)
	}
	d := New(sample())
	asked := 0
	claim := func(a address.Address) Claim {
		asked++
		if a.Local == "later" {
			return Claim{Fault: fault.New(fault.Internal, "")}
		}
		c := Claim{By: "resolve.lua:3"}
		for s := range strings.FieldsSeq(claims[a.String()]) {
			c.To = append(c.To, address.MustParse(s))
		}
		return c
	}
	for _, c := range []struct {
		to, want string
		fault    fault.Kind
		asked    int
	}{
		{"new@example.com", "alice@example.org", 0, 1},
		{"new+detail@example.org", "", fault.NoSuchAddress, 1}, // the script has the whole address
		{"alice@example.org", "Alice@example.org", 0, 0},
		{"alice+x@example.org", "Alice@example.org", 0, 0},
		{"postmaster@example.org", "Alice@example.org", 0, 0},
		{"two@example.org", "alice@example.org x@elsewhere.net", 0, 1},
		{"alias@example.org", "Alice@example.org", 0, 1},
		{"loop@example.org", "", fault.NoSuchAddress, 1},
		{"a@example.org", "bob@example.org bob@elsewhere.net", 0, 2},
		{"deep@example.org", "", fault.NoSuchAddress, maxClaims},
		{"shop@other.example", "alice@example.org", 0, 1},
		{"who@other.example", "dora@other.example", 0, 1},
		{"many@example.org", strings.Join(many, " "), 0, 1},
		{"nobody@example.org", "", fault.NoSuchAddress, 1},
		{"later@example.org", "", fault.Internal, 1},
		{"x@elsewhere.net", "", fault.NotLocal, 0},
		{"x@mail.example.org", "", fault.NoSuchAddress, 0}, // no mail domain
	} {
		asked = 0
		res := d.ResolveWith(address.MustParse(c.to), claim)
		var got []string
		for _, dest := range res.Destinations {
			got = append(got, dest.Address.String())
			if dest.Kind == Remote && dest.Forwarder.IsZero() {
				t.Errorf("%s: nobody forwards to %s", c.to, dest.Address)
			}
		}
		if !strings.EqualFold(strings.Join(got, " "), c.want) || asked != c.asked {
			t.Errorf("%s: %q after %d questions: %q", c.to, got, asked, res.Steps)
		}
		if (res.Fault != nil) != (c.want == "") || res.Fault != nil && res.Fault.Kind != c.fault {
			t.Errorf("%s: %v", c.to, res.Fault)
		}
	}
	if steps := strings.Join(d.ResolveWith(address.MustParse("new@example.com"), claim).Steps, "\n"); !strings.Contains(steps, "new@example.org leads to alice@example.org, says resolve.lua:3") {
		t.Error(steps)
	}
	if got := d.Scripts("example.com"); len(got) != 1 || got[0] != "domain.lua" || d.Scripts("elsewhere.net") != nil {
		t.Error(got)
	}
}
