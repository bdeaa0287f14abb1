package lua

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// resident measures by how much the memory that the process has resident grows at
// the most while f runs, in octets. Where the system doesn't tell, it is what the
// Go runtime has in use.
func resident(f func()) int64 {
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil { // resets VmHWM
		before := int64(inUse())
		watch := watchPeak()
		f()
		return int64(watch.stop()) - before
	}
	before := status("VmRSS:")
	f()
	return status("VmHWM:") - before
}

// status returns a line of /proc/self/status, in octets.
func status(name string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// resident sees what is touched, and no more.
func TestResident(t *testing.T) {
	if raceEnabled {
		t.Skip("it measures")
	}
	const size = 40 << 20
	grown := resident(func() {
		block := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			block[i] = 1
		}
	})
	if grown < size*9/10 || grown > size*3/2 {
		t.Errorf("%d MB are seen as %d MB", size>>20, grown>>20)
	}
}

// leastResident is the least of three measurements, or the first within a bound: the
// collector of a busy machine may be late once.
func leastResident(bound int64, f func()) int64 {
	least := resident(f)
	for range 2 {
		if least > bound {
			least = min(least, resident(f))
		}
	}
	return least
}
