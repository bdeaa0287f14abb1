package collection

import (
	"maps"
	"slices"
	"strings"
)

// Counted begins those of Facts.Props of which is counted how many objects have them, so that
// Has and Counted look at no object. There should be few: each takes memory.
const Counted = "#"

// counts has how many objects have each of the properties that are counted.
type counts map[string]int

func (k counts) add(f *Facts, n int) {
	for _, p := range f.Props {
		if !strings.HasPrefix(p, Counted) {
			continue
		}
		if k[p] += n; k[p] == 0 {
			delete(k, p)
		}
	}
}

// Has tells whether an object has a property that begins with Counted, and looks for what other
// programs did before.
func (c *Collection) Has(prop string) (has bool, err error) {
	if err := c.poll(); err != nil {
		return false, diskFault(err)
	}
	err = c.view(func(t *table) { has = t.counts[prop] > 0 })
	return has, err
}

// Counted returns the properties that begin with Counted and some object has, in order. It
// looks for what other programs did before.
func (c *Collection) Counted() (props []string, err error) {
	if err := c.poll(); err != nil {
		return nil, diskFault(err)
	}
	err = c.view(func(t *table) { props = slices.Sorted(maps.Keys(t.counts)) })
	return props, err
}
