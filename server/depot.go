package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/control"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/homes"
)

// depot does the steps of import and export on what people keep. It works within the
// server, or beside none.
type depot struct {
	homes     *homes.Homes
	directory *directory.Directory
	data      string
	// attachments are what calendar objects name.
	attachments *attachments.Store
}

// Transfer is that of control.Backend.
func (s *Server) Transfer(ctx context.Context, r control.TransferRequest) (control.TransferAnswer, error) {
	live := s.live.Load()
	return depot{s.dav.homes, live.directory, live.Data, s.dav.attachments}.Transfer(ctx, r)
}

// Transfer does one step.
func (d depot) Transfer(ctx context.Context, r control.TransferRequest) (a control.TransferAnswer, err error) {
	boxes, err := upkeep{directory: d.directory}.boxes([]string{r.Account})
	if err != nil {
		return a, err
	}
	a.Account = boxes[0].String()
	home, err := d.homes.Own(boxes[0])
	if err != nil {
		return a, plainly(err)
	}
	switch r.Verb {
	case "collections":
		a.Collections, err = d.collections(home)
	case "put":
		a.Outcomes, err = d.put(ctx, home, r)
	case "get":
		a.Objects, a.More, err = d.get(home, r)
	case "pulled":
		a.Pulled, err = d.pulled(home, r)
	default:
		err = fmt.Errorf("%q is no step of import or export", r.Verb)
	}
	return a, plainly(err)
}

// plainly is an error as people read it: the text of a fault, with its cause, for who runs
// the server.
func plainly(err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause == nil && f.Text == "" {
		return err
	}
	if f.Cause != nil {
		return fmt.Errorf("%s: %w", f.Text, f.Cause)
	}
	return errors.New(f.Text)
}

// collections lists what an account keeps itself.
func (d depot) collections(home *homes.Home) ([]control.Collection, error) {
	all, err := home.Collections()
	if err != nil {
		return nil, err
	}
	var out []control.Collection
	for _, c := range all {
		if c.Origin != homes.Kept || c.Mounted {
			continue
		}
		props, err := c.Props()
		if err != nil {
			return nil, err
		}
		snap, err := c.Snapshot()
		if err != nil {
			return nil, err
		}
		out = append(out, control.Collection{
			Name: c.Segment, Kind: kindName(c.Kind()), DisplayName: props.DisplayName, Color: props.Color,
			Components: componentsOf(props), Objects: snap.Len(),
		})
	}
	return out, nil
}

func kindName(k collection.Kind) string {
	if k == collection.AddressBook {
		return control.KindContacts
	}
	return control.KindCalendar
}

// componentsOf are those that a calendar keeps; none: all.
func componentsOf(props collection.Props) []string {
	return strings.FieldsFunc(props.Other[homes.Components], func(r rune) bool { return r == ',' || r == ' ' })
}

// openOwn opens a collection that the account keeps itself.
func openOwn(home *homes.Home, name string) (*homes.Collection, error) {
	c, err := home.Open(name)
	if err == nil && (c.Origin != homes.Kept || c.Mounted) {
		err = fault.Newf(fault.NotPossible, "%q is not kept by the account itself", name)
	}
	return c, err
}

// putWorkers is how many objects are written at once: they share what is synced.
const putWorkers = 16

// put puts objects into a collection. The outcomes are in the order of the objects. The
// error is one that others would have too: no room, above all.
func (d depot) put(ctx context.Context, home *homes.Home, r control.TransferRequest) ([]control.Outcome, error) {
	out := make([]control.Outcome, len(r.Objects))
	p := putter{request: r, attachments: d.attachments}
	c, err := d.target(home, r)
	switch {
	case err != nil:
		return nil, err
	case c == nil: // of a dry run
		for i := range out {
			out[i].Result = control.ResultNew
		}
		return out, nil
	}
	props, err := c.Props()
	if err != nil {
		return nil, err
	}
	p.to, p.components = c, componentsOf(props)
	if p.others, err = othersOf(home, r); err != nil {
		return nil, err
	}
	if r.Source != "" {
		p.state = d.openPull(home, r)
	}
	err = p.all(ctx, out)
	if p.state != nil && !r.DryRun {
		err = errors.Join(err, p.state.save())
	}
	return out, err
}

// target opens the collection, which is made when it may be. nil: a dry run would make it.
func (d depot) target(home *homes.Home, r control.TransferRequest) (*homes.Collection, error) {
	c, err := openOwn(home, r.Collection)
	if r.Create == nil || !fault.Is(err, fault.NotFound) {
		return c, err
	}
	if r.DryRun {
		return nil, nil
	}
	kind := collection.Calendar
	props := collection.Props{DisplayName: r.Create.DisplayName, Color: plainColor(r.Create.Color)}
	if r.Create.Kind == control.KindContacts {
		kind = collection.AddressBook
	} else if len(r.Create.Components) > 0 {
		props.Other = map[string]string{homes.Components: strings.Join(r.Create.Components, ",")}
	}
	return home.Create(r.Collection, kind, props)
}

// othersOf returns the collections where an object may be already that goes to no certain one:
// its owner may have moved it since it was imported.
func othersOf(home *homes.Home, r control.TransferRequest) (out []*homes.Collection, err error) {
	if !slices.ContainsFunc(r.Objects, func(o control.Object) bool { return o.Anywhere }) {
		return nil, nil
	}
	all, err := home.Collections()
	for _, c := range all {
		if c.Origin == homes.Kept && !c.Mounted && c.Segment != r.Collection {
			out = append(out, c)
		}
	}
	return out, err
}

// plainColor returns #RRGGBB, which programs for vdirs read, for the hexadecimal forms of
// clients, and "" for all else.
func plainColor(s string) string {
	digits, ok := strings.CutPrefix(strings.TrimSpace(s), "#")
	if !ok || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return ""
	}
	switch len(digits) {
	case 3:
		return "#" + strings.Repeat(digits[:1], 2) + strings.Repeat(digits[1:2], 2) + strings.Repeat(digits[2:], 2)
	case 6, 8: // with how opaque it is
		return "#" + digits[:6]
	}
	return ""
}

// maxPage bounds the objects of an answer, in octets; one is always in it.
const maxPage = 4 << 20

// get returns objects in the order of their hrefs. Broken ones are among them: nothing is
// lost in an export.
func (d depot) get(home *homes.Home, r control.TransferRequest) (out []control.Object, more bool, err error) {
	c, err := openOwn(home, r.Collection)
	if err != nil {
		return nil, false, err
	}
	snap, err := c.Snapshot()
	if err != nil {
		return nil, false, err
	}
	var rest []*collection.Entry
	for e := range snap.All() {
		if e.Href > r.After {
			rest = append(rest, e)
		}
	}
	slices.SortFunc(rest, func(a, b *collection.Entry) int { return cmp.Compare(a.Href, b.Href) })
	octets := int64(0)
	for _, e := range rest {
		if octets += e.Size; octets > maxPage && len(out) > 0 {
			return out, true, nil
		}
		data, err := readObject(c, e.Href)
		if fault.Is(err, fault.NotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		var links []string
		if c.Kind() == collection.Calendar {
			data, links = d.attachments.Exported(data)
			octets += int64(len(data)) - e.Size
		}
		out = append(out, control.Object{Kind: e.Facts.Kind, UID: e.Facts.UID, Data: data, Href: e.Href, Links: links})
	}
	return out, false, nil
}

// stepper does steps of import and export.
type stepper interface {
	Transfer(context.Context, control.TransferRequest) (control.TransferAnswer, error)
}

// withDepot calls work with the running server, or with a depot of its own while it holds
// the lock of the data folder.
func withDepot(ctx context.Context, path string, log io.Writer, account string, work func(stepper) error) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	_, err = c.Transfer(ctx, control.TransferRequest{Verb: "collections", Account: account})
	if !errors.Is(err, control.ErrNoServer) {
		if err != nil {
			return err
		}
		return work(c)
	}
	return withoutServer(path, log, func(s *Server) error { return work(s) })
}
