package imapd

import (
	"slices"
	"testing"
	"time"
)

func TestIdle(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	w.add(box, "Subject: 1\n\n")
	a, b := w.login("INBOX"), w.login("INBOX")
	idle, err := a.Idle()
	a.must(err)
	w.add(box, "Subject: 2\n\n")
	if e := a.next(); e != "exists 2" {
		t.Error(e)
	}
	_, err = b.Store(seqOne, deleted, nil).Collect()
	b.must(err)
	if e := a.next(); e != `fetch 1 \Deleted` {
		t.Error(e)
	}
	_, err = b.Expunge().Collect()
	b.must(err)
	if e := a.next(); e != "expunge 1" {
		t.Error(e)
	}
	a.must(idle.Close())
	a.must(idle.Wait())
	a.told()
	// Idle with nothing selected waits for its end only.
	a.must(a.Unselect().Wait())
	idle, err = a.Idle()
	a.must(err)
	a.must(idle.Close())
	a.must(idle.Wait())
}

// TestIdleLatency shows how long after Mailbox.Add an idling client has EXISTS.
func TestIdleLatency(t *testing.T) {
	w := newWorld(t, nil)
	box := w.box("INBOX")
	c := w.login("INBOX")
	idle, err := c.Idle()
	c.must(err)
	var took []time.Duration
	for range 100 {
		start := time.Now()
		added := make(chan struct{})
		go func() {
			defer close(added)
			w.add(box, "Subject: x\n\n")
		}()
		c.next()
		took = append(took, time.Since(start))
		<-added
	}
	slices.Sort(took)
	t.Logf("from before the file is written to EXISTS: median %v, 90%% %v, most %v", took[50], took[90], took[99])
	c.must(idle.Close())
}
