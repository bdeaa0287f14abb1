package server

import (
	"testing"

	"facteur/server/address"
	"facteur/server/directory"
)

// TestOnlyTo: nobody gets a notice twice who is both its owner and the postmaster.
func TestOnlyTo(t *testing.T) {
	alice, bob := address.MustParse("alice@example.org"), address.MustParse("bob@example.org")
	box := func(a address.Address) directory.Destination { return directory.Destination{Address: a} }
	for _, c := range []struct {
		name string
		to   []directory.Destination
		want bool
	}{
		{"by an alias", []directory.Destination{box(alice)}, true},
		{"somebody else", []directory.Destination{box(bob)}, false},
		{"both", []directory.Destination{box(alice), box(bob)}, false},
		{"on another server", []directory.Destination{{Kind: directory.Remote, Address: alice}}, false},
		{"nowhere", nil, false},
	} {
		if got := onlyTo(directory.Resolution{Destinations: c.to}, alice); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
