//go:build race

package lua

// raceEnabled tells that the race detector makes everything some ten times
// slower, and larger: what is measured says nothing then.
const raceEnabled = true
