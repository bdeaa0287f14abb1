package files

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"facteur/server/fault"
)

// Many change two trees at once: nothing hangs, no error is an unexpected one, what is counted
// is what is there, and nothing of what was made aside stays.
func TestStress(t *testing.T) {
	f := newFixture(t)
	other, err := f.store.Tree(bob)
	f.ok(err)
	trees := []*Tree{f.tree, other}
	const rounds = 150
	var work sync.WaitGroup
	for w := range 8 {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for range rounds {
				if err := randomChange(random, trees); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	for _, tree := range trees {
		counted, err := tree.Usage()
		f.ok(err)
		tree.forgetUsage()
		walked, err := tree.Usage()
		f.ok(err)
		f.want("usage", counted, walked)
		for path := range f.all(tree) {
			if strings.Contains(path, asidePrefix) {
				t.Errorf("%s is seen", path)
			}
		}
	}
	n, err := f.store.Undelete(alice, f.store.opt.Now().Add(-1e12))
	f.ok(err)
	t.Logf("%d brought back", n)
}

// randomChange changes something; what can go wrong when others do the same is no error.
func randomChange(random *rand.Rand, trees []*Tree) error {
	path := func() Path {
		p := Path{string(rune('a' + random.IntN(3)))}
		for len(p) < 3 && random.IntN(2) == 0 {
			p = append(p, string(rune('a'+random.IntN(3))))
		}
		return p
	}
	tree := trees[random.IntN(2)]
	transfer := TransferOptions{To: trees[random.IntN(2)], Path: path(), Overwrite: random.IntN(2) == 0}
	var err error
	switch random.IntN(6) {
	case 0, 1:
		_, _, err = tree.Put(path(), strings.NewReader(strings.Repeat("x", random.IntN(100))), PutOptions{Size: -1})
	case 2:
		err = tree.Mkdir(path(), map[string]string{"{x:}k": "v"}, nil)
	case 3:
		err = tree.Remove(path(), nil)
	case 4:
		_, err = tree.Move(path(), transfer)
	case 5:
		_, err = tree.Copy(path(), transfer)
	}
	for _, expected := range []error{ErrParent, ErrFolder, ErrExists, ErrSame, nil} {
		if errors.Is(err, expected) {
			return nil
		}
	}
	if fault.Is(err, fault.NotFound) || errors.Is(err, errBusy) {
		return nil
	}
	return fmt.Errorf("unexpected: %w", err)
}
