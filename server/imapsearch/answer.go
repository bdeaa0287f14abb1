package imapsearch

import (
	"context"
	"iter"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// Answer is what a command found.
type Answer struct {
	command  *Command
	snapshot *mailbox.Snapshot
	newest   *mailbox.Snapshot
	places   []int // in the order in which they are told
	roots    []*article
}

// Run searches, and sorts or threads what it finds. ESEARCH is run on each of
// its mailboxes.
func (c *Command) Run(ctx context.Context, env Env) (*Answer, error) {
	places, err := Run(ctx, env, c.Program)
	a := &Answer{command: c, snapshot: env.Snapshot, newest: env.Newest, places: places}
	switch {
	case err != nil:
	case c.Verb == Sort:
		a.places, err = SortPlaces(ctx, env, c.SortKeys, places)
	case c.Verb == Thread:
		a.roots, err = threads(ctx, &env, c.Algorithm, places)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Len is the number of messages found.
func (a *Answer) Len() int { return len(a.places) }

// Saved returns the UIDs that SAVE keeps for "$", ascending, which may be none
// (RFC 5182 2.4, RFC 9394 3.2); ok is false when the command has no SAVE. When a
// command with SAVE fails with NO, "$" becomes empty; with BAD it stays.
func (a *Answer) Saved() (uids imapwire.NumSet, ok bool) {
	if !a.command.Return.Save {
		return nil, false
	}
	set := imapwire.NumSet{}
	for p := range a.picked() {
		uid := uint32(a.snapshot.At(p).UID)
		set = append(set, imapwire.Range{Start: uid, Stop: uid})
	}
	return set.Resolve(0), true
}

// picked goes through the places of the messages that the answer tells one by
// one: some of them twice, when MIN, MAX and PARTIAL overlap.
func (a *Answer) picked() iter.Seq[int] {
	return func(yield func(int) bool) {
		more := true
		a.command.Return.picks(len(a.places), func(from, to int) {
			for i := from; i < to && more; i++ {
				more = yield(a.places[i])
			}
		})
	}
}

// modSeq is the highest mod-sequence of what is told (RFC 4731 3.2, RFC 7162
// 3.1.5); ok is false when the answer has none.
func (a *Answer) modSeq() (highest mailbox.ModSeq, ok bool) {
	if !a.command.Program.ModSeq() {
		return 0, false
	}
	for p := range a.picked() {
		if rec := newestOf(a.snapshot.At(p), a.newest); rec != nil {
			highest = max(highest, rec.ModSeq)
		}
	}
	return highest, highest > 0
}

// Form is how an answer is told.
type Form struct {
	Tag string // of the command
	UID bool   // UIDs, not message numbers; ESEARCH always has UIDs
	// Extended: SEARCH without RETURN is answered with ESEARCH too, for IMAP4rev2
	// is enabled (RFC 9051 6.4.4).
	Extended bool
	// Mailbox and UIDValidity are those that were searched, for ESEARCH.
	Mailbox     string
	UIDValidity mailbox.UIDValidity
}

// Write writes the untagged response. There is none for SAVE alone (RFC 5182 1),
// and for a mailbox of an ESEARCH in which nothing was found (RFC 7377 2.1).
func (a *Answer) Write(e *imapwire.Encoder, f Form) {
	c := a.command
	f.UID = f.UID || c.Verb == MultiSearch
	switch {
	case c.Verb == Thread:
		a.writeThread(e, f)
	case c.Return.Given:
		if c.Return.items() > 0 && (c.Verb != MultiSearch || len(a.places) > 0) {
			a.writeExtended(e, f, c.Return)
		}
	case c.Verb == Search && f.Extended:
		a.writeExtended(e, f, Return{All: true})
	default:
		a.writePlain(e, f)
	}
}

func (a *Answer) number(f Form, place int) uint32 {
	if f.UID {
		return uint32(a.snapshot.At(place).UID)
	}
	return uint32(place + 1)
}

// writePlain writes SEARCH or SORT (RFC 3501 7.2.5, RFC 5256 4, RFC 7162 7).
func (a *Answer) writePlain(e *imapwire.Encoder, f Form) {
	name := "* SEARCH"
	if a.command.Verb == Sort {
		name = "* SORT"
	}
	e.Raw(name)
	for _, p := range a.places {
		e.SP().Number(uint64(a.number(f, p)))
	}
	if m, ok := a.modSeq(); ok {
		e.Raw(" (MODSEQ ").Number(uint64(m)).Byte(')')
	}
	e.CRLF()
}

func (a *Answer) writeThread(e *imapwire.Encoder, f Form) {
	e.Raw("* THREAD")
	if len(a.roots) > 0 {
		e.SP()
	}
	writeThreads(e, a.roots, func(place int) uint32 { return a.number(f, place) })
	e.CRLF()
}

// writeExtended writes ESEARCH (RFC 9051 7.3.4, RFC 4731 3.1, RFC 7377 2.1, RFC
// 9394 3.1).
func (a *Answer) writeExtended(e *imapwire.Encoder, f Form, r Return) {
	e.Raw("* ESEARCH (TAG ").String(f.Tag)
	if a.command.Verb == MultiSearch {
		e.Raw(" MAILBOX ").Mailbox(f.Mailbox).Raw(" UIDVALIDITY ").Number(uint64(f.UIDValidity))
	}
	e.Byte(')')
	if f.UID {
		e.Raw(" UID")
	}
	n := len(a.places)
	if r.Min && n > 0 {
		e.Raw(" MIN ").Number(uint64(a.number(f, a.places[0])))
	}
	if r.Max && n > 0 {
		e.Raw(" MAX ").Number(uint64(a.number(f, a.places[n-1])))
	}
	if r.Count {
		e.Raw(" COUNT ").Number(uint64(n))
	}
	if r.All && n > 0 {
		e.Raw(" ALL ")
		a.writeSet(e, f, a.places)
	}
	if p := r.Partial; p != nil {
		e.Raw(" PARTIAL (").Append(p.append).SP()
		if from, to := p.Places(n); from < to {
			a.writeSet(e, f, a.places[from:to])
		} else {
			e.Raw("NIL")
		}
		e.Byte(')')
	}
	if m, ok := a.modSeq(); ok {
		e.Raw(" MODSEQ ").Number(uint64(m))
	}
	e.CRLF()
}

// writeSet writes a sequence-set in the order of places: only what ascends makes
// a range (RFC 5267 3.2).
func (a *Answer) writeSet(e *imapwire.Encoder, f Form, places []int) {
	for i := 0; i < len(places); {
		first := a.number(f, places[i])
		last := first
		for i++; i < len(places) && a.number(f, places[i]) == last+1; i++ {
			last++
		}
		e.NumSet(imapwire.NumSet{{Start: first, Stop: last}})
		if i < len(places) {
			e.Byte(',')
		}
	}
}
