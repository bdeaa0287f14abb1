package deliver

import (
	"context"
	"errors"
	"time"

	"facteur/server/imapsearch"
)

// countTime bounds a count: headers that are not in the index are read from the messages.
const countTime = 2 * time.Second

var (
	errCountText = errors.New("BODY and TEXT are not for scripts: they would read all messages")
	errCountTime = errors.New("the search takes too long; the fields From, To, Cc, Bcc, Subject and those of lists are quick")
)

// Count returns how many messages of a folder match search keys (RFC 9051 6.4.4), except
// BODY and TEXT. The error names the mistake in them, says that there is no such folder, or
// is that of the disk.
func (b *box) Count(folder, query string) (int, error) {
	program, err := imapsearch.ParseText(query)
	if err != nil {
		return 0, err
	}
	if program.Texts() {
		return 0, errCountText
	}
	mb, err := b.home.Mailbox(folder)
	if err != nil {
		return 0, err
	}
	snapshot, err := mb.Snapshot()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(b.ctx, countTime, errCountTime)
	defer cancel()
	found, err := imapsearch.Run(ctx, imapsearch.Env{Box: mb, Snapshot: snapshot, Now: b.now, Zone: b.zone}, program)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return len(found), err
}
