package lua

import "strings"

// nearest returns the name that is most like another, or "" when none is near.
func nearest(name string, names []string) string {
	if len(name) < 3 {
		return ""
	}
	best, distance := "", 1+(len(name)-1)/4
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
		if max(len(n)-len(name), len(name)-len(n)) > distance {
			continue
		}
		d := editDistance(strings.ToLower(name), strings.ToLower(n))
		if d < distance || d == distance && (best == "" || n < best) {
			best, distance = n, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop, change or swap with the next, to
// make one name of another. Names longer than 40 octets are far from all others.
func editDistance(a, b string) int {
	const far = 40
	if len(a) > far || len(b) > far {
		return far
	}
	var rows [3][far + 1]int // row i is rows[i%3]
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
