//go:build !race

package limit

const share = 1
