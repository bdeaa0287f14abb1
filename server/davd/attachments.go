package davd

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/davxml"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/ical"
)

// managedAttachments is RFC 8607: files that belong to objects of calendars.
func managedAttachments() part {
	return part{
		classes: []string{"calendar-managed-attachments"},
		methods: map[string]method{
			"POST":    {kinds: eventNode, needs: mayWriteContent, run: manage},
			"GET":     {kinds: attachmentNode, run: getAttachment}, // RFC 8607 3.8, 3.9: there is no PUT and no DELETE
			"HEAD":    {kinds: attachmentNode, run: getAttachment},
			"OPTIONS": {kinds: attachmentNode, run: options},
		},
		properties: []property{
			// RFC 8607 6.1: empty, they are where the home is, under whatever name it was asked for.
			{name: davxml.C("managed-attachments-server-URL"), kinds: homeNode},
			{name: davxml.C("max-attachment-size"), kinds: calendarNode, write: func(r *request, _ *node, w *davxml.Writer) { r.number(w, attachments.MaxSize) }},
			{name: davxml.C("max-attachments-per-resource"), kinds: calendarNode, write: func(r *request, _ *node, w *davxml.Writer) {
				r.number(w, attachments.MaxPerObject)
			}},
		},
	}
}

// managing is a request to add, update or remove an attachment (RFC 8607 3.3).
type managing struct {
	action string
	rids   []string // none: all components
	id     string   // of what is updated or removed
}

// The actions.
const (
	addAttachment    = "attachment-add"
	updateAttachment = "attachment-update"
	removeAttachment = "attachment-remove"
)

// parseManaging reads the query of a request.
func parseManaging(query string) (m managing, err error) {
	values, err := url.ParseQuery(query)
	action := values["action"]
	if err != nil || len(action) != 1 || !slices.Contains([]string{addAttachment, updateAttachment, removeAttachment}, action[0]) {
		return m, forbidden(davxml.C("valid-action"), "The action is %s, %s or %s", addAttachment, updateAttachment, removeAttachment)
	}
	m.action = action[0]
	if rids, some := values["rid"]; some {
		if m.action == updateAttachment || len(rids) != 1 || rids[0] == "" {
			return m, errRID
		}
		m.rids = strings.Split(rids[0], ",")
	}
	ids, some := values["managed-id"]
	if some != (m.action != addAttachment) || some && len(ids) != 1 {
		return m, errManagedID
	}
	if some {
		m.id = ids[0]
	}
	return m, nil
}

var (
	errRID       = forbidden(davxml.C("valid-rid"), "rid names instances of the object, or M; an update has none")
	errManagedID = forbidden(davxml.C("valid-managed-id"), "managed-id names an attachment of the object; what is added has none yet")
	errTooMany   = forbidden(davxml.C("max-attachments-per-resource"), "An object has at most %d attachments", attachments.MaxPerObject)
	errTooLarge  = forbidden(davxml.C("max-attachment-size"), "An attachment has at most %d octets", attachments.MaxSize)
)

// manage answers POST of an object (RFC 8607 3.4 to 3.6).
func manage(r *request, n *node) error {
	m, err := parseManaging(r.URL.RawQuery)
	if err != nil {
		return err
	}
	cond, err := r.conditionFor(n)
	if err != nil {
		return err
	}
	// What can't be done is told before a body is read.
	now, err := r.managed(n, m, asWas)
	if err != nil {
		return err
	}
	if m.action == removeAttachment {
		return r.manageWith(n, m, cond, nil)
	}
	a, err := r.upload(n, now.was)
	if err != nil {
		return err
	}
	if err := r.manageWith(n, m, cond, &a); err != nil {
		r.opt.Attachments.Drop(a)
		return err
	}
	r.opt.Attachments.Release(a.Owner, []string{a.ID}, nil)
	return nil
}

// upload keeps the body of a request. What it does not tell is that of the attachment whose place
// it takes.
func (r *request) upload(n *node, was ical.Prop) (a attachments.Attachment, err error) {
	if err := r.checkEncoding(); err != nil {
		return a, err
	}
	if r.Header.Get("Content-Range") != "" { // RFC 9110 14.4
		return a, badRequest("An attachment can't be sent in parts")
	}
	a, err = r.opt.Attachments.Add(n.owner, attachments.Content{
		Name: cmp.Or(nameOfUpload(r.Header), was.Param("FILENAME")), Type: mediaOf(cmp.Or(r.Header.Get("Content-Type"), was.Param("FMTTYPE"))),
		Size: r.ContentLength, Body: bodyReader{r.Body},
	})
	if fault.Is(err, fault.TooLarge) {
		err = errTooLarge
	}
	return a, err
}

// nameOfUpload is the file name of Content-Disposition (RFC 8607 3.4).
func nameOfUpload(h http.Header) string {
	value := h.Get("Content-Disposition")
	_, params, err := mime.ParseMediaType(value)
	if err != nil && !strings.Contains(value, "/") { // some clients leave out the disposition
		_, params, _ = mime.ParseMediaType("attachment;" + value)
	}
	return params["filename"]
}

// maxMedia bounds a media type with its parameters, in octets.
const maxMedia = 200

// mediaOf returns a media type as it is kept and told, "" for what is none.
func mediaOf(value string) string {
	media, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(media, "/") {
		return ""
	}
	if out := mime.FormatMediaType(media, params); len(out) <= maxMedia {
		return out
	}
	return ""
}

// managedObject is an object as a request leaves it.
type managedObject struct {
	calendar *ical.Calendar
	entry    *collection.Entry // of what was read
	was      ical.Prop         // of the attachment that is updated
}

// asWas is for who only wants to know whether something can be changed.
func asWas(was ical.Prop) ical.Prop { return was }

// managed reads the object and changes it; with is the property that takes the place of another, or of none.
func (r *request) managed(n *node, m managing, with func(was ical.Prop) ical.Prop) (o managedObject, err error) {
	data, e, err := n.coll.Read(n.name)
	if err != nil {
		return o, err
	}
	c, err := ical.ParseBytes(data)
	if err != nil {
		return o, dataFailure(n, err) // another program wrote it
	}
	o.entry = e
	ids := homes.AttachedTo(c)
	if m.action == addAttachment {
		if len(ids) >= attachments.MaxPerObject {
			return o, errTooMany
		}
		o.calendar, err = attachments.Added(c, m.rids, with(ical.Prop{Name: "ATTACH"}), r.opt.Now())
		return o, instanceFailure(err)
	}
	if !slices.Contains(ids, m.id) {
		return o, errManagedID
	}
	if !r.ownAttached(n, c, m.id) { // RFC 6638 3.2.2.1
		return o, forbidden(davxml.C("allowed-attendee-scheduling-object-change"), "Only the organizer may change this attachment")
	}
	if m.action == updateAttachment {
		o.calendar = attachments.Replaced(c, m.id, r.opt.Now(), func(was ical.Prop) ical.Prop {
			o.was = was
			return with(was)
		})
		return o, nil
	}
	o.calendar, err = attachments.Removed(c, m.rids, m.id, r.opt.Now())
	return o, instanceFailure(err)
}

func instanceFailure(err error) error {
	if errors.Is(err, attachments.ErrInstance) {
		return errRID
	}
	return err
}

// ownAttached says whether an attachment that an object names is of the home that keeps the
// object: an attendee has it of the organizer.
func (r *request) ownAttached(n *node, c *ical.Calendar, id string) (own bool) {
	attachments.Lines(c, func(a homes.Attached, _ ical.Prop) {
		own = own || a.ID == id && r.isOf(a, n.owner)
	})
	return own
}

// isOf says whether an attachment is in the home of an owner.
func (r *request) isOf(a homes.Attached, owner address.Address) bool {
	box, ok := r.opt.Directory().SoleBox(a.Owner)
	return ok && box.Key() == owner.Key()
}

// maxManaged is how often a change begins anew because another came first.
const maxManaged = 20

// manageWith changes the object and answers. What another client did meanwhile stays, unless
// the request has a condition.
func (r *request) manageWith(n *node, m managing, cond collection.Condition, a *attachments.Attachment) error {
	with := asWas
	if a != nil {
		with = func(was ical.Prop) ical.Prop { return a.Prop(r.attachmentURI(*a), was) }
	}
	for range maxManaged {
		o, err := r.managed(n, m, with)
		if err != nil {
			return err
		}
		if !cond.Holds(o.entry) {
			return r.unmet(n)
		}
		kept := o.calendar.Append(nil)
		done, err := r.inTurn(len(kept), func() (stored, error) {
			return r.putObject(n, kept, collection.Condition{Match: []collection.ETag{o.entry.ETag}})
		})
		if errors.Is(err, collection.ErrCondition) && ifScheduleTag(r.Request) == "" {
			continue
		}
		if err != nil {
			return dataFailure(n, err)
		}
		r.opt.Attachments.Release(n.owner, nil, homes.AttachedIn(o.entry.Facts))
		return r.answerManaged(n, done.entry, a, m.action == addAttachment)
	}
	return fault.New(fault.Unavailable, "the object is changed by too many at once")
}

// attachmentURI is the URI of an attachment as an object has it.
func (r *request) attachmentURI(a attachments.Attachment) string {
	return "https://" + r.Host + attachmentHref(a)
}

func attachmentHref(a attachments.Attachment) string {
	return href(false, a.Owner.String(), homes.AttachmentSegment, a.ID, a.Name)
}

// answerManaged answers a request (RFC 8607 3.4 to 3.6); a nil attachment was removed.
func (r *request) answerManaged(n *node, e *collection.Entry, a *attachments.Attachment, added bool) error {
	head := r.w.Header()
	status, full := http.StatusNoContent, http.StatusOK
	if added {
		status, full = http.StatusCreated, http.StatusCreated
	}
	if a != nil {
		head.Set("Cal-Managed-ID", a.ID) // RFC 8607 5.1
		head.Set("Location", r.attachmentURI(*a))
	}
	if r.prefer.representation { // RFC 8144 3
		n.become(e)
		n.segment = ""
		head.Set("Preference-Applied", "return=representation")
		head.Set("Content-Location", n.href)
		return r.represent(n, full)
	}
	if added {
		head.Set("Content-Length", "0")
	}
	r.w.WriteHeader(status)
	return nil
}

// resolveAttachment returns the attachment that a path below .attachments/ leads to. Who may not
// read a calendar that has it does not find it.
func (r *request) resolveAttachment(owner address.Address, rest []string) (*node, error) {
	if len(rest) == 0 || len(rest) > 2 || !homes.IsAttachmentID(rest[0]) {
		return nil, errNotFound
	}
	sees, err := r.opt.Homes.SeesAttached(r.viewer, rest[0])
	if err != nil {
		return nil, err
	}
	if !sees {
		return nil, errNotFound
	}
	a, err := r.opt.Attachments.Find(owner, rest[0])
	if err != nil {
		return nil, err
	}
	return &node{kind: attachmentNode, href: attachmentHref(a), name: a.Name, owner: a.Owner, attachment: &a}, nil
}

// getAttachment answers GET and HEAD of an attachment (RFC 8607 3.10). What somebody put there
// may be a page with scripts: no browser shows it as one of this server.
func getAttachment(r *request, n *node) error {
	f, a, err := r.opt.Attachments.Open(n.owner, n.attachment.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	head := r.w.Header()
	head.Set("ETag", `"`+a.ID+`"`) // its octets never change
	head.Set("Content-Type", "application/octet-stream")
	if media := mediaOf(a.Type); media != "" {
		head.Set("Content-Type", media)
	}
	head.Set("Content-Disposition", "attachment; filename*=UTF-8''"+string(appendSegment(nil, a.Name)))
	head.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(r.w, r.Request, "", a.Modified, f)
	return nil
}
