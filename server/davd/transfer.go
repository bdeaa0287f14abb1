package davd

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
	"facteur/server/scheduling"
)

const movable = plainNodes | objectNodes | collectionNodes

// transfers is COPY and MOVE (RFC 4918 9.8, 9.9) of objects, files and folders, and MOVE of a
// calendar or an address book within its home, which gives it another name.
func transfers() part {
	return part{methods: map[string]method{
		"COPY": {kinds: movable, needs: mayRead, run: copyOrMove},
		"MOVE": {kinds: movable, needs: mayUnbind, run: copyOrMove},
	}}
}

func copyOrMove(r *request, from *node) error {
	overwrite, err := r.overwrite()
	if err != nil {
		return err
	}
	shallow, err := r.transferDepth(from)
	if err != nil {
		return err
	}
	to, err := r.destination(from)
	if err != nil {
		return err
	}
	if from.path() == to.path() {
		return plainFailure(files.ErrSame)
	}
	if err := mayTransfer(r, from, to); err != nil {
		return err
	}
	if err := r.checkDestination(to); err != nil {
		return err
	}
	var created bool
	switch {
	case from.plain != nil:
		created, err = r.transferPlain(from, to, files.TransferOptions{To: to.plain.tree, Path: to.plain.at, Overwrite: overwrite, Shallow: shallow})
	case from.kind&objectNodes != 0:
		created, err = r.transferObject(from, to, overwrite)
	default:
		created, err = r.rename(from, to, overwrite)
	}
	if err != nil {
		return err
	}
	r.done(created)
	return nil
}

// overwrite reads the header Overwrite (RFC 4918 10.6).
func (r *request) overwrite() (bool, error) {
	switch v := strings.TrimSpace(r.Header.Get("Overwrite")); v {
	case "", "T", "t":
		return true, nil
	case "F", "f":
		return false, nil
	default:
		return false, badRequest("Overwrite is T or F, not %q", clip(v))
	}
}

// transferDepth reads the header Depth; shallow: of a folder only itself is copied. MOVE
// takes all of it (RFC 4918 9.8.3, 9.9.2).
func (r *request) transferDepth(n *node) (shallow bool, err error) {
	d, err := depth(r.Request, -1)
	switch {
	case err != nil:
		return false, err
	case n.kind&folders == 0 || d < 0:
		return false, nil
	case d == 1, r.Method == "MOVE":
		return false, badRequest("Depth can't be %d here", d)
	}
	return true, nil
}

// destination returns what the header Destination leads to (RFC 4918 10.3).
func (r *request) destination(from *node) (*node, error) {
	value := r.Header.Get("Destination")
	if value == "" {
		return nil, badRequest("The header Destination is missing")
	}
	segments, err := r.parseHref(value)
	if errors.Is(err, errNotFound) {
		return nil, &failure{status: http.StatusForbidden, text: "Nothing can be put there"}
	}
	if err != nil {
		return nil, err
	}
	to, err := r.resolve(segments)
	var f *failure
	if fault.Is(err, fault.NotFound) || errors.As(err, &f) && f.status == http.StatusNotFound {
		return nil, &failure{status: http.StatusConflict, text: "The collection that this would be in is not there"}
	}
	return to, err
}

// mayTransfer asks for the privileges of the destination (RFC 3744 appendix B), and whether what is
// there, or would be, is of the kind of the source.
func mayTransfer(r *request, from, to *node) error {
	if err := from.need(mayRead); err != nil {
		return err
	}
	want := mayBind
	if !to.absent {
		want |= mayUnbind
	}
	switch {
	case from.kind&plainNodes != 0 && to.kind&plainNodes != 0,
		from.kind&objectNodes != 0 && to.kind == from.kind,
		from.kind&collectionNodes != 0 && to.kind&collectionNodes != 0 && r.Method == "MOVE" && to.owner == from.owner && to.home != nil:
		if err := to.need(want); err != nil {
			return err
		}
		if !to.absent && to.kind&objectNodes != 0 {
			return to.need(mayWriteContent)
		}
		return nil
	}
	f := forbidden(davxml.Name{}, "It can't be copied or moved there: what is there is of another kind")
	switch { // RFC 4791 5.3.2.1, RFC 6352 6.3.2.1
	case from.kind&collectionNodes != 0:
		f.condition = locationOK(from.kind)
	case to.kind == eventNode:
		f.condition = davxml.C("supported-calendar-data")
	case to.kind == cardNode:
		f.condition = davxml.CR("supported-address-data")
	}
	return f
}

func (r *request) transferPlain(from, to *node, opt files.TransferOptions) (created bool, err error) {
	opt.Check = r.checkFile()
	if r.Method == "COPY" {
		created, err = from.plain.tree.Copy(from.plain.at, opt)
	} else if created, err = from.plain.tree.Move(from.plain.at, opt); err == nil {
		r.locks.drop(lockKey(from), true, nil) // RFC 4918 7.7: locks stay behind, and nothing is there
	}
	return created, plainFailure(err)
}

func (r *request) transferObject(from, to *node, overwrite bool) (created bool, err error) {
	c, err := r.conditionFor(from)
	if err != nil {
		return false, err
	}
	if tag := ifScheduleTag(r.Request); tag != "" && r.opt.Scheduling != nil && tag != scheduling.Tag(from.entry) { // RFC 6638 8.3
		return false, collection.ErrCondition
	}
	if from.kind == eventNode {
		if err := to.parent.keeps(from.entry.Facts.Kind); err != nil {
			return false, err
		}
		if r.Method == "COPY" && from.invites() && from.owner == to.owner { // RFC 6638 3.2.4.1
			f := forbidden(davxml.C("unique-scheduling-object-resource"), "An event with an organizer is in one calendar only")
			f.href = from.path()
			return false, f
		}
	}
	if r.named(from, to) || r.concerns(from, to) {
		return r.transferEvent(from, to, c, overwrite)
	}
	opt := collection.MoveOptions{Condition: c, To: to.coll.Collection, Href: to.name, Overwrite: overwrite}
	replaced := to.attachedIn()
	transfer := from.coll.Move
	if r.Method == "COPY" {
		transfer = from.coll.Copy
	}
	e, created, err := transfer(from.name, opt)
	if err != nil {
		return false, dataFailure(to, err)
	}
	r.unnamed(to, replaced)
	if tag := scheduling.Tag(e); tag != "" && from.kind == eventNode && r.opt.Scheduling != nil { // RFC 6638 8.2
		r.w.Header().Set("Schedule-Tag", tag)
	}
	return created, nil
}

// named says whether the attachments that an object names have to be looked at when it is copied or
// moved: in another home they become its own, and nobody looked at what another server publishes.
func (r *request) named(from, to *node) bool {
	return r.opt.Attachments != nil && from.kind == eventNode &&
		(from.coll.Origin != homes.Kept || len(from.attachedIn()) > 0 && from.owner.Key() != to.owner.Key())
}

// concerns says whether somebody is to be told: of a meeting in another home (RFC 6638 3.2.3.2,
// 3.2.3.3), or of one that is replaced.
func (r *request) concerns(from, to *node) bool {
	return r.opt.Scheduling != nil && from.kind == eventNode &&
		(from.owner != to.owner && from.invites() || !to.absent && scheduling.Tag(to.entry) != "")
}

// transferEvent copies or moves an event as a PUT and a DELETE do: it looks after its attachments,
// and tells those whom it concerns.
func (r *request) transferEvent(from, to *node, c collection.Condition, overwrite bool) (created bool, err error) {
	source := r.scheduling(from, c)
	x := scheduling.Transfer{From: source, To: r.scheduling(to, collection.Condition{}), Move: r.Method == "MOVE", Overwrite: overwrite}
	w := &naming{request: r, to: to}
	if r.opt.Attachments != nil {
		x.Arriving = w.arriving
	}
	attached, replaced := from.attachedIn(), to.attachedIn()
	done, err := r.opt.Scheduling.Transfer(r.Context(), x)
	if r.opt.Attachments != nil {
		r.opt.Attachments.Release(to.owner, w.held, replaced)
	}
	if err != nil {
		return false, dataFailure(to, schedulingFailure(err))
	}
	r.unnamed(from, attached)
	if done.Tag != "" { // RFC 6638 8.2
		r.w.Header().Set("Schedule-Tag", done.Tag)
	}
	return done.Created && to.absent, nil
}

// invites says whether an object has an organizer (RFC 6638 3.1).
func (n *node) invites() bool {
	return slices.ContainsFunc(n.entry.Facts.Props, func(p string) bool { return strings.HasPrefix(p, homes.TagPrefix) })
}

// rename gives a calendar or an address book another name. One that has it is deleted (RFC 4918 9.9.3), and
// can be brought back.
func (r *request) rename(from, to *node, overwrite bool) (created bool, err error) {
	if !to.absent && !overwrite {
		return false, plainFailure(files.ErrExists)
	}
	return to.absent, from.home.Rename(from.name, to.name, !to.absent)
}
