// Package retention says what of that which was deleted is kept no longer. The
// stores know where it lies and remove it.
package retention

import "time"

// Rule is how much is kept.
type Rule struct {
	For   time.Duration // since it was deleted
	Quota int64         // octets in all; 0: no bound
}

// Over returns what a list is over a rule by, and the size of the rest: what is older than
// Rule.For, and the oldest of what is above the quota. The list is sorted, oldest first; of
// tells when one of it was deleted, and its octets.
func Over[T any](list []T, r Rule, now time.Time, of func(T) (time.Time, int64)) (over []T, rest int64) {
	for _, d := range list {
		_, size := of(d)
		rest += size
	}
	for i, d := range list {
		at, size := of(d)
		if now.Sub(at) <= r.For && (r.Quota <= 0 || rest <= r.Quota) {
			return list[:i], rest // all that follow are newer
		}
		rest -= size
	}
	return list, rest
}
