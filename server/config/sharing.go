package config

import (
	"strings"

	"facteur/server/address"
	"facteur/server/directory"
)

// place is the name of a table of [sharing]: a collection and whose it is.
type place struct {
	owner      address.Address
	collection string
}

// readPlace reads "alice@example.org/choir". A local-part may hold a slash too.
func readPlace(s string) (place, error) {
	for i := range len(s) {
		if s[i] != '/' {
			continue
		}
		if owner, err := address.Parse(s[:i]); err == nil {
			name, err := textForm.read(&node{text: s[i+1:]}, "")
			if err != nil || name.(string)[0] == '.' || name == "inbox" || name == "outbox" {
				break
			}
			return place{owner, s[i+1:]}, nil
		}
	}
	return place{}, hinted{"this names no calendar", `write whose it is and its name, "alice@example.org/choir"; the name is the last part of its address in a calendar program`}
}

// minSecret is the least length of the secret of a link, in octets: whoever has the link
// may read, and nobody counts the tries.
const minSecret = 20

// linkForm never repeats what it reads.
var linkForm = texts("a secret of letters and digits", func(s, _ string) (any, error) {
	const hint = "make one with: openssl rand -hex 16"
	switch {
	case len(s) < minSecret:
		return nil, hinted{"a secret that is so short can be guessed: it needs 20 characters", hint}
	case len(s) > maxText:
		return nil, hinted{"this is too long", hint}
	case strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}):
		return nil, hinted{"it stands in a link, and so holds letters, digits, - and _ alone", hint}
	}
	return s, nil
})

func (a *assembler) sharing() []directory.Sharing {
	var made []directory.Sharing
	for at, n := range entries[place](a.root, "sharing") {
		if len(n.children) == 0 {
			a.report.add(n.keyAt, n.name+" is shared with nobody", `add a line such as readers = ["bob@example.org"]`)
		}
		made = append(made, directory.Sharing{
			Key:        n.name,
			Owner:      at.owner,
			Collection: at.collection,
			Members:    all[directory.Target](n, "members"),
			Readers:    all[directory.Target](n, "readers"),
			FreeBusy:   all[directory.Target](n, "freebusy"),
			Published:  directory.Secret(or(n, "", "published")),
		})
	}
	return made
}
