package davd

import (
	"slices"
	"strconv"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/itip"
)

// naming is the work on the attachments that an object names which a client puts, copies or
// moves (RFC 8607 3.7, 3.9, 3.11). Who puts it has to see them, so that nobody makes himself
// a reader of what others attached.
type naming struct {
	*request
	to      *node    // where the object will be
	before  []string // what it named there
	object  *ical.Calendar
	copied  map[string]attachments.Attachment // by the id in another home
	held    []string                          // in the home of to, until the object is there
	changed bool
}

// store puts an object, and looks after its attachments.
func (r *request) store(n *node, data []byte, cond collection.Condition) (s stored, err error) {
	if r.opt.Attachments == nil || n.kind != eventNode {
		return r.putObject(n, data, cond)
	}
	w := &naming{request: r, to: n}
	if n.entry != nil {
		w.before = homes.AttachedIn(n.entry.Facts)
	}
	kept, err := w.check(data)
	if err == nil {
		s, err = r.putObject(n, kept, cond)
		s.changed = s.changed || w.changed
	}
	r.opt.Attachments.Release(n.owner, w.held, w.before)
	return s, err
}

// check returns the octets that are to be kept.
func (w *naming) check(data []byte) ([]byte, error) {
	if !attachments.Named(data) {
		return data, nil
	}
	c, err := ical.ParseBytes(data)
	if err != nil {
		return data, nil // the store says what is wrong
	}
	if len(homes.AttachedTo(c)) > attachments.MaxPerObject && len(w.before) <= attachments.MaxPerObject {
		return nil, errTooMany
	}
	if err := w.all(c); err != nil {
		return nil, err
	}
	if !w.changed {
		return data, nil
	}
	return w.object.Append(nil), nil
}

// arriving is check for an event that is transferred. It may be asked anew when somebody else is
// quicker, and copies nothing twice.
func (w *naming) arriving(data []byte) ([]byte, error) {
	w.changed = false
	return w.check(data)
}

// all looks at each line of a calendar.
func (w *naming) all(c *ical.Calendar) error {
	if w.copied == nil {
		w.copied = make(map[string]attachments.Attachment)
	}
	w.object = c
	for i, child := range c.Children {
		part := *child
		part.Props = slices.Clone(child.Props)
		for j, p := range part.Props {
			if p.Name != "ATTACH" || p.Param("MANAGED-ID") == "" {
				continue
			}
			now, err := w.line(p)
			if err != nil {
				return err
			}
			if !same(now, p) {
				part.Props[j], w.changed = now, true
			}
		}
		c.Children[i] = &part
	}
	return nil
}

func same(a, b ical.Prop) bool {
	return a.Value == b.Value && slices.EqualFunc(a.Params, b.Params, func(p, q contentline.Param) bool {
		return p.Name == q.Name && slices.Equal(p.Values, q.Values)
	})
}

// line returns the property that is kept for one of a client's.
func (w *naming) line(p ical.Prop) (ical.Prop, error) {
	a, ok := homes.ParseAttached(p)
	if !ok {
		return p.Without("MANAGED-ID"), nil // RFC 8607 3.12.7: another server manages it, if any does
	}
	box, ok := w.opt.Directory().SoleBox(a.Owner)
	if !ok {
		return p.Without("MANAGED-ID"), nil
	}
	a.Owner = box
	if was, ok := w.copied[a.ID]; ok {
		return was.Prop(w.attachmentURI(was), p), nil
	}
	known := slices.Contains(w.before, a.ID)
	if box.Key() == w.to.owner.Key() {
		return w.own(p, a, known)
	}
	if known {
		return p, nil // an attendee has it of the organizer
	}
	return w.others(p, a)
}

// errNoAttachment is the answer to an object that names an attachment which the client may not
// see, or nobody has.
var errNoAttachment = forbidden(davxml.C("valid-managed-id-parameter"), "There is no attachment with that MANAGED-ID")

// own is line for an attachment of the home where the object will be. What was just removed
// comes back: a client undoes what it did.
func (w *naming) own(p ical.Prop, a homes.Attached, known bool) (ical.Prop, error) {
	if slices.Contains(w.held, a.ID) {
		return w.sized(p, a)
	}
	if !known && w.opt.Attachments.Has(a.Owner, a.ID) {
		if err := w.seen(a); err != nil {
			return p, err
		}
	}
	err := w.opt.Attachments.Hold(a.Owner, []string{a.ID})
	switch {
	case fault.Is(err, fault.NotFound) && known:
		return p, nil // it is lost, and the object can be changed nevertheless
	case fault.Is(err, fault.NotFound):
		return p, errNoAttachment
	case err != nil:
		return p, err
	}
	w.held = append(w.held, a.ID)
	return w.sized(p, a)
}

// sized is a property with the size that an attachment has (RFC 8607 3.7).
func (w *naming) sized(p ical.Prop, a homes.Attached) (ical.Prop, error) {
	is, err := w.opt.Attachments.Find(a.Owner, a.ID)
	size := strconv.FormatInt(is.Size, 10)
	if err != nil || p.Param("SIZE") == size {
		return p, err
	}
	p = p.Without("SIZE")
	p.Params = append(p.Params, contentline.Param{Name: "SIZE", Values: []string{size}})
	return p, nil
}

// others is line for an attachment of another home: the octets are kept here too, for the one
// there may go. An attendee's own copy of a meeting keeps what is the organizer's.
func (w *naming) others(p ical.Prop, a homes.Attached) (ical.Prop, error) {
	if err := w.seen(a); err != nil {
		return p, err
	}
	if w.attends(a) {
		return p, nil
	}
	is, err := w.opt.Attachments.Copy(a.Owner, a.ID, w.to.owner)
	if fault.Is(err, fault.NotFound) {
		return p, errNoAttachment
	}
	if err != nil {
		return p, err
	}
	w.held, w.copied[a.ID] = append(w.held, is.ID), is
	return is.Prop(w.attachmentURI(is), p), nil
}

func (w *naming) seen(a homes.Attached) error {
	sees, err := w.opt.Homes.SeesAttached(w.viewer, a.ID)
	if err == nil && !sees {
		err = errNoAttachment
	}
	return err
}

// attends says whether the owner of the home is invited by him in whose home an attachment is.
func (w *naming) attends(a homes.Attached) bool {
	person := func(box address.Address) itip.Person {
		return func(u itip.User) bool {
			found, here := w.opt.Directory().SoleBox(u.Mailbox())
			return here && found.Key() == box.Key()
		}
	}
	organizer, ok := itip.Organizer(w.object)
	return ok && w.opt.Scheduling != nil && person(a.Owner)(organizer) && itip.RoleOf(w.object, person(w.to.owner)) == itip.AsAttendee
}

// attachedIn are the attachments that an object or all of a calendar names.
func (n *node) attachedIn() (ids []string) {
	if n.kind == eventNode && n.entry != nil {
		return homes.AttachedIn(n.entry.Facts)
	}
	if n.kind == calendarNode {
		ids, _ = n.coll.Attached() // else Tidy sees that nothing names them any more
	}
	return ids
}

// unnamed has attachments removed that were named by what was just removed.
func (r *request) unnamed(n *node, ids []string) {
	if r.opt.Attachments != nil {
		r.opt.Attachments.Release(n.owner, nil, ids)
	}
}
