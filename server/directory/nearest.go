package directory

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// The bounds of a search by Nearest.
const (
	maxWord       = 64
	maxCandidates = 5000
)

// Nearest returns the candidate that word may be a misspelling of, "" when
// there is none.
func Nearest(word string, candidates iter.Seq[string]) string {
	if len(word) > maxWord {
		return ""
	}
	word = plain(word)
	limit := min(2, (utf8.RuneCountInString(word)+1)/3)
	best, least, seen := "", limit+1, 0
	for candidate := range candidates {
		if seen++; seen > maxCandidates {
			break
		}
		if len(candidate) > maxWord {
			continue
		}
		if n := distance(word, plain(candidate)); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// plain drops what people confuse without a misspelling.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance is the number of runes to insert, delete, replace, or swap with the
// next, that makes a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
