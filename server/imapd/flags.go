package imapd

import (
	"slices"
	"strings"
)

const (
	flagRecent  = `\Recent` // of IMAP4rev1
	flagSeen    = `\Seen`
	flagDeleted = `\Deleted`
)

// systemFlags are those that can be stored (RFC 9051 2.3.2).
var systemFlags = []string{`\Answered`, `\Flagged`, flagDeleted, flagSeen, `\Draft`}

var errReadOnly = no("NOPERM", "The mailbox is selected read-only")

// maxFlags bounds the flags of one command.
const maxFlags = 200

// storable turns the flags of a command into those of a message. \Recent is not
// the client's to change (RFC 3501 2.3.2) and is left out.
func storable(flags []string) ([]string, error) {
	if len(flags) > maxFlags {
		return nil, no("LIMIT", "Too many flags at once")
	}
	list := make([]string, 0, len(flags))
	for _, f := range flags {
		if strings.EqualFold(f, flagRecent) {
			continue
		}
		same := func(known string) bool { return strings.EqualFold(known, f) }
		if i := slices.IndexFunc(systemFlags, same); i >= 0 {
			f = systemFlags[i]
		} else if f[0] == '\\' {
			return nil, bad("", "There is no such system flag")
		}
		list = append(list, f)
	}
	return list, nil
}
