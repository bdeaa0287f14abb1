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
		d := editDistance(strings.ToLower(name), strings.ToLower(n))
		if d < distance || d == distance && (best == "" || n < best) {
			best, distance = n, d
		}
	}
	return best
}

// meant is a hint at the name that was meant, or "".
func meant(name string, names []string) string {
	if n := nearest(name, names); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// editDistance counts the letters to add, drop, change or swap with the next, to
// make one name of another. Names longer than 40 octets are far from all others.
func editDistance(a, b string) int {
	const far = 40
	if len(a) > far || len(b) > far {
		return far
	}
	var rows [far + 1][far + 1]int
	for i := range len(a) + 1 {
		rows[i][0] = i
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
