package e2e

import "regexp"

// capture sets a variable to the first group of a pattern in the last standard output.
func (w *world) capture(neg bool, args []string) {
	if neg || len(args) != 2 {
		w.ts.Fatalf("usage: capture NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(w.ts.ReadFile("stdout"))
	if len(m) != 2 {
		w.ts.Fatalf("no group of the standard output matches %q", args[1])
	}
	w.ts.Setenv(args[0], m[1])
}
