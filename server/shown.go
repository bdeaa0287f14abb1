package server

import "facteur/server/wire"

// shown returns a text that strangers may have a part in as one line for a terminal, which
// it can't command: what is not seen is a space.
func shown(s string) string {
	return wire.Seen(s, "\t")
}
