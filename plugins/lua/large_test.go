package lua

import "testing"

// A run that held much lets others hold much before it waits: those who have all the slots
// might wait for that, and it for a slot.
func TestLargeWaits(t *testing.T) {
	_, outs := waiters(t, 20, `function deliver()
		for i = 1, 3 do
			local t = {} for i = 1, 90 do t[i] = ("x"):rep(1e5) .. i end
			t = nil
			dns.a("a.example")
		end end`)
	for _, out := range outs {
		if out.Err != nil {
			t.Error(out.Err)
		}
	}
}
