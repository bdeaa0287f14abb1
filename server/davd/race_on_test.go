//go:build race

package davd

const raceEnabled = true
