package feed

import "testing"

func TestFeed(t *testing.T) {
	var f Feed
	f.Publish() // nobody listens
	a, b := f.Subscribe(), f.Subscribe()
	f.Publish()
	f.Publish() // joins the first
	for _, s := range []*Subscription{a, b} {
		<-s.C
		select {
		case <-s.C:
			t.Error("two wake-ups for changes that nobody had received")
		default:
		}
	}
	b.Close()
	b.Close()
	f.Publish()
	<-a.C
	select {
	case <-b.C:
		t.Error("woken after Close")
	default:
	}
	if f.Len() != 1 {
		t.Error(f.Len())
	}
}

func TestSubscribeOn(t *testing.T) {
	var f, g Feed
	c := make(chan struct{}, 1)
	a, b := f.SubscribeOn(c), g.SubscribeOn(c)
	f.Publish()
	g.Publish()
	<-c
	select {
	case <-c:
		t.Error("two wake-ups for changes that nobody had received")
	default:
	}
	a.Close()
	f.Publish()
	select {
	case <-c:
		t.Error("woken after Close")
	default:
	}
	g.Publish()
	<-b.C
}
