//go:build race

package limit

// share is the part of a long test that is run: the race detector makes it some
// ten times as long.
const share = 10
