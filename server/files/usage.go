package files

import (
	"facteur/server/address"
	"facteur/server/fault"
)

// Usage tells what the tree holds. When it is first asked, the tree is walked; then it is
// counted, and walked again once an hour for what other programs did.
func (t *Tree) Usage() (Usage, error) {
	t.usageMu.Lock()
	u, known := t.usage, t.known
	t.usageMu.Unlock()
	if known {
		return u, nil
	}
	t.mu.Lock() // nothing changes meanwhile
	defer t.mu.Unlock()
	if t.fail != nil {
		return Usage{}, t.fail
	}
	u, err := measure(t.dir)
	if err != nil {
		return Usage{}, diskFault(err)
	}
	u.Files = max(u.Files-1, 0) // the root is none
	t.usageMu.Lock()
	defer t.usageMu.Unlock()
	t.usage, t.known = u, true
	return u, nil
}

// Recount has Usage look anew for what other programs did. Call it each hour.
func (s *Store) Recount(a address.Address) {
	if t, err := s.Tree(a); err == nil { // else nobody asks any more
		t.forgetUsage()
	}
}

func (t *Tree) forgetUsage() {
	t.usageMu.Lock()
	defer t.usageMu.Unlock()
	t.known = false
}

// count notes a change. With mu held.
func (t *Tree) count(octets int64, files int) {
	t.usageMu.Lock()
	defer t.usageMu.Unlock()
	t.usage.Octets += octets
	t.usage.Files += files
}

// mayMake asks whether there may be some more files or folders.
func (t *Tree) mayMake(n int) error {
	u, err := t.Usage()
	if err != nil {
		return err
	}
	if u.Files+n > t.store.opt.MaxFiles {
		return fault.Newf(fault.OverQuota, "There would be more than %d files and folders", t.store.opt.MaxFiles)
	}
	return nil
}
