package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// flagSet is a set of flags as one sorted string, so that sets compare.
type flagSet string

func newFlagSet(names ...string) flagSet {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" || n == `\Recent` })
	slices.Sort(names)
	return flagSet(strings.Join(slices.Compact(names), " "))
}

func (f flagSet) names() []string { return strings.Fields(string(f)) }

func (f flagSet) has(name string) bool { return slices.Contains(f.names(), name) }

// apply returns f after STORE with an operation: "+FLAGS", "-FLAGS" or "FLAGS".
func (f flagSet) apply(op string, arg flagSet) flagSet {
	switch op {
	case "+FLAGS":
		return newFlagSet(append(f.names(), arg.names()...)...)
	case "-FLAGS":
		return newFlagSet(slices.DeleteFunc(f.names(), arg.has)...)
	}
	return arg
}

// stormMessage is a message of the model; its number stands in its header.
type stormMessage struct {
	uid    uint32
	flags  flagSet
	number int
}

// stormBox is a mailbox as it must be: messages by UID.
type stormBox struct {
	name     string
	validity string
	messages map[uint32]stormMessage
	highest  uint32 // UID ever seen
}

// uids returns those of the messages, in order.
func (b *stormBox) uids() []uint32 { return slices.Sorted(maps.Keys(b.messages)) }

// add takes in a message under a UID, which must be new.
func (b *stormBox) add(m stormMessage) error {
	if m.uid <= b.highest {
		return fmt.Errorf("%s: UID %d after %d", b.name, m.uid, b.highest)
	}
	b.highest = m.uid
	b.messages[m.uid] = m
	return nil
}

// told is a message as a client knows it.
type told struct {
	uid   uint32 // 0: not told yet
	flags flagSet
}

// view is what a client knows of its selected mailbox: place i is number i+1.
type view []told

func (v view) find(uid uint32) int {
	return slices.IndexFunc(v, func(m told) bool { return m.uid == uid })
}

// agree compares a view with the model. Messages that are gone may still be in
// it, and new ones missing, unless all is told.
func (v view) agree(b *stormBox, all bool) error {
	for i, m := range v {
		have, there := b.messages[m.uid]
		switch {
		case !there && all:
			return fmt.Errorf("%s: number %d, UID %d, is gone, and the client was not told", b.name, i+1, m.uid)
		case there && have.flags != m.flags:
			return fmt.Errorf("%s: number %d, UID %d, has the flags (%s), the client thinks (%s)", b.name, i+1, m.uid, have.flags, m.flags)
		case i > 0 && m.uid <= v[i-1].uid:
			return fmt.Errorf("%s: UID %d after %d", b.name, m.uid, v[i-1].uid)
		}
	}
	if all && len(v) != len(b.messages) {
		return fmt.Errorf("%s: the client knows of %d messages, there are %d", b.name, len(v), len(b.messages))
	}
	return nil
}
