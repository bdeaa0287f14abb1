package fts

import "math/bits"

// A trigram is three octets, the first one highest. Two keys above them stand
// beside them in segments.
const (
	keyAll   uint32 = 1 << 24      // every message
	keyEvery uint32 = 1<<24 + 1    // messages that are candidates for every string
	keyEnd   uint32 = keyEvery + 1 // above all keys
)

// maxTrigrams bounds the distinct trigrams of one message. One that has more is
// a candidate for every string.
const maxTrigrams = 1 << 17

const minSlots = 1 << 12

// trigramSet gathers the distinct trigrams of one message: a hash table with
// linear probing, at most half full. The zero value is ready.
type trigramSet struct {
	slots  []uint32 // trigram + 1; 0 is free
	shift  uint
	values []uint32 // the trigrams, in the order in which they came
	every  bool     // there are too many
}

// addText adds the trigrams of one piece.
func (s *trigramSet) addText(text []byte) {
	if len(text) < 3 || s.every {
		return
	}
	if s.slots == nil {
		s.resize(minSlots)
	}
	t := uint32(text[0])<<8 | uint32(text[1])
	for _, b := range text[2:] {
		t = (t<<8 | uint32(b)) & 0xffffff
		i := s.find(t)
		if s.slots[i] != 0 {
			continue
		}
		s.slots[i] = t + 1
		s.values = append(s.values, t)
		if len(s.values)*2 > len(s.slots) {
			if len(s.values) > maxTrigrams {
				s.every = true
				return
			}
			s.resize(2 * len(s.slots))
		}
	}
}

// find is the slot that holds t, or where it belongs.
func (s *trigramSet) find(t uint32) uint32 {
	slots := s.slots
	i := t * 0x9E3779B1 >> s.shift
	for slots[i] != 0 && slots[i] != t+1 {
		i = (i + 1) & uint32(len(slots)-1)
	}
	return i
}

// resize makes the table n slots, a power of two.
func (s *trigramSet) resize(n int) {
	s.slots = make([]uint32, n)
	s.shift = uint(32 - bits.Len(uint(n-1)))
	for _, t := range s.values {
		s.slots[s.find(t)] = t + 1
	}
}

// reset empties the set, and gives back the memory of an unusual message.
func (s *trigramSet) reset() {
	if len(s.slots) > 8*minSlots {
		*s = trigramSet{}
		return
	}
	clear(s.slots)
	s.values, s.every = s.values[:0], false
}
