package imapsearch

import (
	"context"
	"slices"
)

// references makes threads of messages by who answers whom (RFC 5256 3,
// REFERENCES; the steps are numbered as there).
func references(ctx context.Context, posts []post, ids int) ([]*article, error) {
	t := threader{ctx: ctx, byID: make([]*article, ids)}
	all := t.identify(posts)
	for _, a := range all { // (1)
		if err := t.link(a); err != nil {
			return nil, err
		}
	}
	roots := prune(t.heads(all)) // (2) and (3)
	for _, a := range roots {    // (4)
		if a.post == nil {
			slices.SortFunc(a.children, byDate)
		}
	}
	slices.SortFunc(roots, byDate)
	roots = gather(roots) // (5)
	arrange(roots)        // (6)
	return roots, nil
}

// threader links messages.
type threader struct {
	ctx     context.Context
	byID    []*article // by msgID
	dummies []*article
	steps   int
}

// identify gives each message its ID. One whose ID a message before it has, and
// one without, gets an ID of its own, to which nobody refers.
func (t *threader) identify(posts []post) []*article {
	all := make([]*article, len(posts))
	for i := range posts {
		p := &posts[i]
		all[i] = &article{post: p}
		if p.id != 0 && t.byID[p.id] == nil {
			t.byID[p.id] = all[i]
		}
	}
	return all
}

// article returns the message with an ID, a dummy when there is none.
func (t *threader) article(id msgID) *article {
	if t.byID[id] == nil {
		t.byID[id] = &article{}
		t.dummies = append(t.dummies, t.byID[id])
	}
	return t.byID[id]
}

// link makes parents of what a message refers to: (1).
func (t *threader) link(a *article) error {
	var last *article
	for _, id := range a.post.refs { // (A)
		ref := t.article(id)
		if last != nil && ref.parent == nil {
			t.adopt(last, ref)
		}
		last = ref
	}
	if a.parent != nil { // (B)
		a.parent.remove(a)
	}
	if last != nil {
		t.adopt(last, a)
	}
	return t.ctx.Err()
}

// adopt makes child a child of parent, unless that makes a loop. child has no
// parent.
func (t *threader) adopt(parent, child *article) {
	if parent == child {
		return
	}
	if len(child.children) > 0 {
		for up := parent.parent; up != nil; up = up.parent {
			if up == child {
				return
			}
			if t.steps++; t.steps&0xffff == 0 && t.ctx.Err() != nil {
				return
			}
		}
	}
	child.parent = parent
	parent.children = append(parent.children, child)
}

func (a *article) remove(child *article) {
	if i := slices.Index(a.children, child); i >= 0 {
		a.children = slices.Delete(a.children, i, i+1)
	}
	child.parent = nil
}

// heads returns what has no parent: (2).
func (t *threader) heads(all []*article) []*article {
	var roots []*article
	for _, list := range [][]*article{all, t.dummies} {
		for _, a := range list {
			if a.parent == nil {
				roots = append(roots, a)
			}
		}
	}
	return roots
}

// below returns the articles under roots and themselves, parents before their
// children.
func below(roots []*article) []*article {
	all := slices.Clone(roots)
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].children...)
	}
	return all
}

// prune takes out the dummies, but for those under the root that hold several
// messages together: (3).
func prune(roots []*article) []*article {
	for _, a := range slices.Backward(below(roots)) {
		a.children = spliced(a.children, false)
	}
	return spliced(roots, true)
}

// spliced returns siblings with the children of dummies in their place.
func spliced(siblings []*article, root bool) []*article {
	if !slices.ContainsFunc(siblings, func(a *article) bool { return a.post == nil }) {
		return siblings
	}
	var out []*article
	for _, a := range siblings {
		switch {
		case a.post != nil || root && len(a.children) > 1:
			out = append(out, a)
		default:
			out = append(out, a.children...)
		}
	}
	return out
}

// gather joins the threads with the same base subject: (5). The roots are in the
// order of (4).
func gather(roots []*article) []*article {
	table := make(map[string]*article) // (A)
	for _, a := range roots {          // (B)
		subject := a.first().subject
		if subject == "" {
			continue
		}
		was := table[subject]
		if was == nil || was.post != nil && (a.post == nil || was.post.reply && !a.post.reply) {
			table[subject] = a
		}
	}
	merged := make(map[*article]*article) // what stands in the place of a root; nil: nothing
	for _, a := range roots {             // (C)
		subject := a.first().subject
		with := table[subject]
		if subject == "" || with == a {
			continue
		}
		merged[a] = nil
		switch {
		case with.post == nil && a.post == nil:
			with.children = append(with.children, a.children...)
		case with.post == nil, a.post != nil && a.post.reply && !with.post.reply:
			with.children = append(with.children, a)
		default:
			dummy := &article{children: []*article{a, with}}
			merged[with] = dummy
			table[subject] = dummy
		}
	}
	var out []*article
	for _, a := range roots {
		if to, ok := merged[a]; !ok {
			out = append(out, a)
		} else if to != nil {
			out = append(out, to)
		}
	}
	return out
}

// arrange sorts siblings by date, children before their parents: (6).
func arrange(roots []*article) {
	for _, a := range slices.Backward(below(roots)) {
		slices.SortFunc(a.children, byDate)
	}
	slices.SortFunc(roots, byDate)
}
