package wire

import (
	"context"
	"log/slog"
)

// LevelTrace is the level at which a Tap logs.
const LevelTrace = slog.LevelDebug - 4

// Tap logs the lines of a connection in both directions. Texts are shown by
// their size, secret lines not at all. A nil Tap logs nothing.
type Tap struct {
	log    *slog.Logger
	redact func(line string) string
}

// NewTap returns a Tap, or nil when log doesn't want LevelTrace. redact returns
// a received line as it may be logged: without passwords.
func NewTap(log *slog.Logger, redact func(line string) string) *Tap {
	if !log.Enabled(context.Background(), LevelTrace) {
		return nil
	}
	return &Tap{log: log, redact: redact}
}

func (t *Tap) received(line []byte, secret bool) {
	if t == nil {
		return
	}
	s := "(secret)"
	if !secret {
		s = t.redact(string(line))
	}
	t.log.Log(context.Background(), LevelTrace, "wire.received", "line", s)
}

func (t *Tap) text(size int64) {
	if t != nil {
		t.log.Log(context.Background(), LevelTrace, "wire.received", "octets", size)
	}
}

func (t *Tap) sent(line []byte) {
	if t != nil {
		t.log.Log(context.Background(), LevelTrace, "wire.sent", "line", string(line))
	}
}
