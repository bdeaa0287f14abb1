package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/control"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/transfer"
)

// putter puts objects into a collection.
type putter struct {
	request     control.TransferRequest
	to          *homes.Collection
	components  []string
	others      []*homes.Collection
	state       *pullState // nil: not pulled
	attachments *attachments.Store
}

// all puts the objects, several at once. Those of a UID are of one worker, in order.
func (p *putter) all(ctx context.Context, out []control.Outcome) error {
	turns := make([][]int, putWorkers)
	for i, o := range p.request.Objects {
		n := 0
		for _, c := range []byte(o.UID) {
			n = (n*31 + int(c)) % putWorkers
		}
		turns[n] = append(turns[n], i)
	}
	var wg sync.WaitGroup
	errs := make([]error, putWorkers)
	for n, turn := range turns {
		wg.Go(func() {
			for _, i := range turn {
				if errs[n] = ctx.Err(); errs[n] != nil {
					return
				}
				if out[i], errs[n] = p.one(p.request.Objects[i]); errs[n] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// one puts an object.
func (p *putter) one(o control.Object) (control.Outcome, error) {
	if calendar := p.to.Kind() == collection.Calendar; calendar == (o.Kind == transfer.Card) {
		return refused(fmt.Errorf("%s keeps no %s", p.to.Segment, o.Kind)), nil
	} else if calendar && len(p.components) > 0 && !slices.Contains(p.components, o.Kind) {
		return refused(fmt.Errorf("%s keeps no %s", p.to.Segment, o.Kind)), nil
	}
	if p.to.Kind() == collection.Calendar {
		o.Data = p.attachments.Imported(p.to.Owner, o.Data)
	}
	in, there, err := p.find(o)
	if err != nil {
		return control.Outcome{}, err
	}
	elsewhere := ""
	if in != p.to {
		elsewhere = in.Segment
	}
	result, href, cond := control.ResultNew, "", collection.Condition{Absent: true}
	if len(there) > 0 {
		e := there[0]
		same, err := p.same(in, e, o.Data)
		switch {
		case err != nil:
			return control.Outcome{}, err
		case same:
			p.note(o, e.ETag)
			return control.Outcome{Result: control.ResultSame, In: elsewhere}, nil
		case !p.request.Replace && !p.state.untouched(o.Remote, e.ETag):
			return control.Outcome{Result: control.ResultKept, In: elsewhere}, nil
		}
		result, href, cond = control.ResultReplaced, e.Href, collection.Condition{Match: []collection.ETag{e.ETag}}
	}
	if p.request.DryRun {
		if _, err := homes.Index(p.to.Kind(), o.Data); err != nil {
			return refused(err), nil
		}
		return control.Outcome{Result: result, In: elsewhere}, nil
	}
	e, err := p.write(in, o, href, cond)
	switch {
	case err == nil:
		p.note(o, e.ETag)
		return control.Outcome{Result: result, In: elsewhere}, nil
	case fault.Is(err, fault.OverQuota), fault.Is(err, fault.Unavailable):
		return control.Outcome{}, err
	}
	return refused(err), nil
}

// find returns the collection that has the UID of an object, or is to have it, and what is there.
func (p *putter) find(o control.Object) (*homes.Collection, []*collection.Entry, error) {
	there, err := p.to.ByUID(o.UID)
	if err != nil || len(there) > 0 || !o.Anywhere {
		return p.to, there, err
	}
	for _, c := range p.others {
		if c.Kind() != p.to.Kind() {
			continue
		}
		if there, err := c.ByUID(o.UID); err != nil || len(there) > 0 {
			return c, there, err
		}
	}
	return p.to, nil, nil
}

// write writes an object under a href, or one that is made for it.
func (p *putter) write(to *homes.Collection, o control.Object, href string, cond collection.Condition) (e *collection.Entry, err error) {
	if href != "" {
		e, _, err = to.Put(href, o.Data, cond)
		return e, err
	}
	for _, href := range hrefsFor(o, to.Kind()) {
		if e, _, err = to.Put(href, o.Data, cond); !errors.Is(err, collection.ErrCondition) {
			break
		}
	}
	return e, err
}

func refused(err error) control.Outcome {
	return control.Outcome{Result: control.ResultRefused, Reason: plainly(err).Error()}
}

// same compares an object with that which is there.
func (p *putter) same(in *homes.Collection, e *collection.Entry, data []byte) (bool, error) {
	old, err := readObject(in, e.Href)
	if fault.Is(err, fault.NotFound) {
		return false, nil // removed meanwhile: the condition of the Put tells
	}
	if err != nil || transfer.Same(old, data) {
		return err == nil, err
	}
	exported, _ := p.attachments.Exported(old)
	return transfer.Same(exported, data), nil
}

func readObject(c *homes.Collection, href string) ([]byte, error) {
	in, _, err := c.Get(href)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

func (p *putter) note(o control.Object, local collection.ETag) {
	if o.Remote != "" {
		p.state.note(pullEntry{Remote: o.Remote, Tag: o.Tag, UID: o.UID, Local: string(local)})
	}
}
