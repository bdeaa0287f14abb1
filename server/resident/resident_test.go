package resident

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/fault"
)

var alice, bob = address.MustParse("alice@example.org"), address.MustParse("bob@example.org")

type home struct {
	address.Address
	ended atomic.Bool
}

func (h *home) end() error {
	if h.ended.Swap(true) {
		return errors.New(h.String() + " was ended twice")
	}
	return errors.New(h.String() + " is dirty")
}

func newHomes() *Homes[*home] {
	return NewHomes(func(a address.Address) *home { return &home{Address: a} })
}

func TestHomes(t *testing.T) {
	s := newHomes()
	get := func(a address.Address) *home {
		t.Helper()
		h, err := s.Get(a)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := get(alice)
	if get(address.MustParse("ALICE@example.org")) != first {
		t.Error("an account has two homes")
	}
	if get(bob) == first {
		t.Error("two accounts have one")
	}
	if h, ok := s.Forget(alice); h != first || !ok {
		t.Errorf("forgotten: %v, %v", h, ok)
	}
	if h, ok := s.Forget(alice); h != nil || ok {
		t.Errorf("forgotten twice: %v, %v", h, ok)
	}
	if get(alice) == first {
		t.Error("what is forgotten came back")
	}
	err := s.Close((*home).end)
	if err == nil || strings.Count(err.Error(), "is dirty") != 2 {
		t.Errorf("of two homes: %v", err)
	}
	if first.ended.Load() {
		t.Error("what was forgotten is of the caller")
	}
	if err := s.Close((*home).end); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if h, err := s.Get(bob); h != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("when closed: %v, %v", h, err)
	}
}

// Close waits for what runs, which is told.
func TestBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHomes()
		times, told := 0, false
		s.Every(time.Minute, func() { times++ })
		s.Go(func() {
			<-s.Closing()
			time.Sleep(time.Second)
			told = true
		})
		time.Sleep(3*time.Minute + time.Second)
		if s.Closed() {
			t.Error("closed before Close")
		}
		s.Close(func(*home) error { return nil })
		if times != 3 || !told || !s.Closed() {
			t.Errorf("it ran %d times; told: %v", times, told)
		}
	})
}

func TestLoaded(t *testing.T) {
	var l Loaded[int]
	l.Note(1, false)
	for range 2 {
		l.Note(1, true)
	}
	l.Note(2, true)
	l.Note(1, false)
	if all := l.All(); len(all) != 1 || all[0] != 2 {
		t.Errorf("loaded: %v", all)
	}
}
