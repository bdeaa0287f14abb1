package imapsearch

import (
	"bytes"
	"unicode/utf8"

	"facteur/server/message"
)

// stretch is how many octets of text one octet of folded text may stand for, as
// far as searches look: full-width letters shrink to a third.
const stretch = 4

// window joins the pieces of a text from message.Words, for strings that are
// longer than what the pieces have in common.
type window struct {
	kind    message.TextKind
	kept    []byte // the end of the text so far
	text    []byte // what next returned
	begun   bool
	overlap int // octets at the end of kept that come again
}

// next returns a piece of text with as much of the text before it as strings of
// up to longest octets, folded, need. It is valid until the next call.
func (w *window) next(kind message.TextKind, piece []byte, longest int) []byte {
	keep := stretch * longest
	if keep <= message.PieceOverlap {
		return piece
	}
	if !w.begun || kind != w.kind || !w.continues(piece) {
		w.kept, w.overlap = w.kept[:0], 0
	}
	w.begun, w.kind = true, kind
	w.text = append(append(w.text[:0], w.kept...), piece[w.overlap:]...)
	w.kept = append(w.kept[:0], w.text[charBefore(w.text, keep):]...)
	w.overlap = len(piece) - charBefore(piece, message.PieceOverlap)
	return w.text
}

// continues tells whether a piece begins with the end of the one before it.
func (w *window) continues(piece []byte) bool {
	return len(piece) >= w.overlap && bytes.HasSuffix(w.kept, piece[:w.overlap])
}

// charBefore returns where the character begins that holds the n-th octet of b
// from the end.
func charBefore(b []byte, n int) int {
	i := max(len(b)-n, 0)
	for i > 0 && !utf8.RuneStart(b[i]) {
		i--
	}
	return i
}
