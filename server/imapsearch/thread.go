package imapsearch

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"facteur/server/imapwire"
	"facteur/server/message"
	"facteur/server/msgindex"
)

// Algorithm is how THREAD makes threads (RFC 5256 3).
type Algorithm uint8

// The algorithms.
const (
	OrderedSubject Algorithm = iota
	References
)

func parseAlgorithm(d *imapwire.Decoder) Algorithm {
	switch word := d.Keyword(); word {
	case "ORDEREDSUBJECT":
		return OrderedSubject
	case "REFERENCES":
		return References
	default:
		d.Fail("%s is no threading algorithm here", clip(word))
	}
	return OrderedSubject
}

// post is a message as THREAD sees it.
type post struct {
	place   int
	date    int64   // sent date (RFC 5256 2.2)
	subject string  // base subject, as collate returns it
	reply   bool    // or forward, says the subject
	id      msgID   // 0: none that is valid
	refs    []msgID // the oldest first
}

// msgID is a Message-ID in a table of them.
type msgID int32

// article is a message in a thread, or a dummy for one that is not there.
type article struct {
	post     *post // nil: a dummy
	parent   *article
	children []*article
}

// threads makes the threads of messages at places, which ascend.
func threads(ctx context.Context, env *Env, algorithm Algorithm, places []int) ([]*article, error) {
	posts, ids, err := readPosts(ctx, env, algorithm, places)
	if err != nil {
		return nil, err
	}
	if algorithm == OrderedSubject {
		return orderedSubject(posts), nil
	}
	return references(ctx, posts, ids)
}

// idTable numbers Message-IDs, which may be seen by several goroutines.
type idTable struct {
	mu  sync.Mutex
	ids map[string]msgID
}

// number returns the number of each id, from 1.
func (t *idTable) number(ids []string) []msgID {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]msgID, len(ids))
	for i, id := range ids {
		n, ok := t.ids[id]
		if !ok {
			n = msgID(len(t.ids) + 1)
			t.ids[id] = n
		}
		out[i] = n
	}
	return out
}

// readPosts reads what threading needs. ids is above each msgID.
func readPosts(ctx context.Context, env *Env, algorithm Algorithm, places []int) (posts []post, ids int, err error) {
	posts = make([]post, len(places))
	table := idTable{ids: make(map[string]msgID)}
	err = summarize(ctx, env, places, func(i int, rec *msgindex.Record, s *message.Summary) int {
		raw, _ := s.Field("Subject")
		base, reply := message.BaseSubject(message.DecodeHeader(raw))
		p := &posts[i]
		*p = post{place: places[i], date: sentDate(rec, s), subject: collate(base), reply: reply}
		size := len(p.subject)
		if algorithm == References {
			size += p.ancestry(s, &table)
		}
		return size
	})
	return posts, len(table.ids) + 1, err
}

// ancestry reads the Message-ID and the references (RFC 5256 3, REFERENCES), and
// returns the octets that were looked at.
func (p *post) ancestry(s *message.Summary, table *idTable) int {
	raw, _ := s.Field("Message-ID")
	size := len(raw)
	if own := message.MessageIDs(raw); len(own) > 0 {
		p.id = table.number(own[:1])[0]
	}
	raw, _ = s.Field("References")
	size += len(raw)
	refs := message.MessageIDs(raw)
	if len(refs) == 0 {
		raw, _ = s.Field("In-Reply-To")
		size += len(raw)
		if refs = message.MessageIDs(raw); len(refs) > 1 {
			refs = refs[:1]
		}
	}
	p.refs = table.number(refs)
	return size
}

// orderedSubject makes threads of messages with the same base subject, the
// earliest of them above the others (RFC 5256 3, ORDEREDSUBJECT).
func orderedSubject(posts []post) []*article {
	order := make([]*article, len(posts))
	for i := range posts {
		order[i] = &article{post: &posts[i]}
	}
	slices.SortFunc(order, func(a, b *article) int {
		return cmp.Or(cmp.Compare(a.post.subject, b.post.subject), byDate(a, b))
	})
	var roots []*article
	for _, a := range order {
		if n := len(roots); n > 0 && roots[n-1].post.subject == a.post.subject {
			roots[n-1].children = append(roots[n-1].children, a)
		} else {
			roots = append(roots, a)
		}
	}
	slices.SortFunc(roots, byDate)
	return roots
}

// byDate compares by sent date, and then by number (RFC 5256 2.2). For a dummy
// stands its first child.
func byDate(a, b *article) int {
	p, q := a.first(), b.first()
	return cmp.Or(cmp.Compare(p.date, q.date), cmp.Compare(p.place, q.place))
}

// first returns the message of a, and of a dummy that of its first child. Dummies
// have children that are none, once they are pruned.
func (a *article) first() *post {
	if a.post == nil {
		return a.children[0].post
	}
	return a.post
}

// writeThreads writes the data of a THREAD response (RFC 5256 5, thread-list).
// Threads may be as deep as there are messages, so the way down is kept here and
// not on the stack.
func writeThreads(e *imapwire.Encoder, roots []*article, number func(place int) uint32) {
	type level struct {
		siblings []*article
		next     int
	}
	way := []level{{siblings: roots}}
	for len(way) > 0 {
		l := &way[len(way)-1]
		if l.next == len(l.siblings) {
			if way = way[:len(way)-1]; len(way) > 0 {
				e.Byte(')')
			}
			continue
		}
		a := l.siblings[l.next]
		l.next++
		e.Byte('(')
		if a.post != nil {
			e.Number(uint64(number(a.post.place)))
			for ; len(a.children) == 1; a = a.children[0] {
				e.SP().Number(uint64(number(a.children[0].post.place)))
			}
			if len(a.children) > 0 {
				e.SP()
			}
		}
		way = append(way, level{siblings: a.children})
	}
}
