package scheduling

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestOrder: two members change a meeting of their shared mailbox at once, within a second,
// while others answer: in the end all have the newest.
func TestOrder(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	office := w.own("office")
	data := meeting("m1", "office@example.org", "alice@example.org", "carol@example.org")
	if _, err := w.Put(ctx, Request{Account: addr("bob@example.org"), Collection: office, Href: "m.ics"}, []byte(data)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for member := range 3 {
		wg.Go(func() {
			for n := range 10 {
				err := w.retry(Request{Account: addr("bob@example.org"), Collection: office, Href: "m.ics"}, func(now string) string {
					for line := range strings.SplitSeq(now, "\r\n") {
						if strings.HasPrefix(line, "SUMMARY") {
							return strings.Replace(now, line, fmt.Sprintf("SUMMARY:Plan %d of %d", n, member), 1)
						}
					}
					return now
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, who := range []string{"alice", "carol"} {
		wg.Go(func() {
			for n := range 10 {
				err := w.retry(Request{Account: addr(who + "@example.org"), Collection: w.own(who), Href: w.href(who, "m1")}, func(now string) string {
					return strings.Replace(accept(now, who), "PARTSTAT=ACCEPTED:mailto:"+who, "PARTSTAT="+[]string{"TENTATIVE", "ACCEPTED"}[n%2]+":mailto:"+who, 1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.settle()
	summary := func(event string) string {
		_, rest, _ := strings.Cut(event, "SUMMARY:")
		line, _, _ := strings.Cut(rest, "\r\n")
		return line
	}
	newest := w.event("office", "m1")
	for _, who := range []string{"alice", "carol"} {
		same(t, "what "+who+" has", summary(w.event(who, "m1")), summary(newest))
		same(t, who+"'s answer", partStatOf(newest, who), "ACCEPTED")
		same(t, "what the other knows of "+who, partStatOf(w.event(map[string]string{"alice": "carol", "carol": "alice"}[who], "m1"), who), "ACCEPTED")
	}
}
