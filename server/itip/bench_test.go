package itip

import "testing"

// BenchmarkPlan is a client's PUT of a meeting of four, and BenchmarkApply what one of them
// gets.
func BenchmarkPlan(b *testing.B) {
	t := &testing.T{}
	c := Change{Before: event(t, "SUMMARY:a\n"+self+bob+carol), After: event(t, "SUMMARY:b\n"+self+bob+carol), Self: person("org@example.org"), Now: now}
	b.ReportAllocs()
	for b.Loop() {
		if plan, err := c.Plan(); err != nil || len(plan.Messages) != 2 {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	t := &testing.T{}
	d := Delivery{
		Message: arriving(t, Request, "DTSTAMP:20260301T120000Z\nSUMMARY:b\n"+self+bob+carol), Stored: event(t, "SUMMARY:a\n"+self+bob+carol),
		Self: person("bob@example.org"), From: person("org@example.org"), Now: now,
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := d.Apply(); r.Outcome != Applied {
			b.Fatal(r.Reason)
		}
	}
}
