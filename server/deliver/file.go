package deliver

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/safefile"
	"facteur/server/schedule"
)

// draft is one form of the message, written and synced once. Most often there is
// one for all mailboxes, since only scripts and a single recipient make forms
// differ.
type draft struct {
	prefix  []byte // what stands above the body
	form    string // the key of what is changed of it
	body    envelope.Body
	file    *safefile.Draft
	summary message.Summary // for the indexes of all mailboxes
	err     error           // it could not be written
}

// draft returns the message in a form with that prefix.
func (t *transaction) draft(prefix []byte, f *form) (*draft, error) {
	key := f.key()
	for _, d := range t.drafts {
		if bytes.Equal(d.prefix, prefix) && d.form == key {
			return d, d.err
		}
	}
	d := &draft{prefix: prefix, form: key, body: f.body(t.msg.Header, t.msg.Body)}
	d.file, d.err = t.write(prefix, d.body)
	if d.err == nil {
		if err := d.file.Sync(); err != nil { // several may link it from here on
			d.err = unavailable(err)
		}
	}
	if d.err == nil {
		if d.summary, d.err = message.Summarize(d.file, d.file.Size()); d.err != nil {
			d.err = unavailable(d.err)
		}
	}
	t.drafts = append(t.drafts, d)
	return d, d.err
}

// write writes a form. It is not synced yet: the spool appends to it.
func (d *Deliverer) write(prefix []byte, body envelope.Body) (*safefile.Draft, error) {
	f, err := d.opts.Store.Draft()
	if err != nil {
		return nil, unavailable(err)
	}
	_, err = f.Write(prefix)
	if err == nil {
		err = copyBody(f, body)
	}
	if err != nil {
		f.Discard()
		return nil, unavailable(err)
	}
	return f, nil
}

// copyBody writes a body that knows how with one call, any other in blocks.
func copyBody(w io.Writer, b envelope.Body) error {
	if whole, ok := b.(io.WriterTo); ok {
		_, err := whole.WriteTo(w)
		return err
	}
	_, err := io.Copy(w, envelope.NewReader(b))
	return err
}

// unavailable is the answer to a disk that is full or fails (RFC 5321 4.2.2:
// 452), unless err has an answer of its own.
func unavailable(err error) error {
	if f := (*fault.Fault)(nil); errors.As(err, &f) {
		return err
	}
	return fault.Wrap(fault.Unavailable, "", err)
}

func (t *transaction) discardDrafts() {
	for _, d := range t.drafts {
		if d.file != nil {
			d.file.Discard()
		}
	}
}

// prefixFor returns what stands above the body in the mailbox of a plan. Only a
// message with a single recipient names it (design: no Bcc is given away).
func (t *transaction) prefixFor(p *boxPlan) []byte {
	prefix := message.ReturnPath(t.msg.Envelope.Sender.ReversePath) // RFC 5321 4.4
	if len(t.targets) == 1 && len(t.msg.Envelope.Recipients) == 1 {
		prefix = append(prefix, message.DeliveredTo(p.address, true)...)
	}
	prefix = append(prefix, p.form.header...)
	return append(prefix, p.form.trace(t.msg.Trace)...)
}

// parallel bounds how many mailboxes are filed into and synced at once: each
// may hold a thread.
const parallel = 32

// file brings the message into all mailboxes whose plan stands, durably, and
// takes it back out of those where that failed.
func (t *transaction) file() {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, p := range t.boxes {
		if p.err != nil || len(p.filings) == 0 {
			continue
		}
		d, err := t.draft(t.prefixFor(p), &p.form)
		if err != nil {
			p.err = err
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			p.err = t.fill(p, d)
			<-slots
		})
	}
	wg.Wait()
	for _, p := range t.boxes {
		if p.err != nil {
			p.undo(t)
		} else {
			t.logDelivered(p)
		}
		for _, i := range p.targets {
			t.errs[i] = p.err
		}
	}
}

// fill carries out the filings of a plan, and returns when they are durable.
func (t *transaction) fill(p *boxPlan, d *draft) error {
	into, err := t.openAll(p)
	if err != nil {
		return unavailable(err)
	}
	for _, f := range into {
		if f.uid, err = t.add(p, d, &f); err != nil {
			return unavailable(err)
		}
		p.done = append(p.done, f)
	}
	for _, f := range p.done {
		if err := f.box.Sync(); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// add links the message into one folder. Flags that can't be are left out: mail
// is never lost over a flag.
func (t *transaction) add(p *boxPlan, d *draft, f *filed) (mailbox.UID, error) {
	opt := mailbox.AddOptions{Flags: f.flags, Unique: t.targets[p.targets[0]].Unique, Summary: &d.summary}
	if !f.until.IsZero() {
		return t.addSnoozed(p, d, f, opt)
	}
	uid, err := f.box.Add(d.file, opt)
	if fault.Is(err, fault.NotPossible) && len(f.flags) > 0 {
		t.opts.Log.Warn("deliver.flags", "id", t.msg.Envelope.ID, "box", p.address.String(), "flags", f.flags,
			"error", err, "result", "kept without them")
		opt.Flags = nil
		uid, err = f.box.Add(d.file, opt)
	}
	return uid, err
}

// openAll opens the folders of a plan, each once, by whatever names they go.
func (t *transaction) openAll(p *boxPlan) ([]filed, error) {
	var into []filed
next:
	for _, f := range p.filings {
		mb, err := t.open(p, f)
		if err != nil {
			return nil, err
		}
		if mb.Name() != schedule.SnoozeFolder {
			f.unsnooze()
		}
		for i := range into {
			if into[i].box == mb {
				into[i].flags = union(into[i].flags, f.flags)
				if !f.until.IsZero() {
					into[i].until = f.until
				}
				continue next
			}
		}
		into = append(into, filed{box: mb, flags: f.flags, until: f.until})
	}
	return into, nil
}

// open opens the folder of a filing; one that can't be had is INBOX instead,
// since mail is never lost over a folder's name.
func (t *transaction) open(p *boxPlan, f filing) (*mailbox.Mailbox, error) {
	mb, err := p.home.Mailbox(f.folder)
	if fault.Is(err, fault.NotFound) && f.create {
		if err = p.home.Create(f.folder, ""); err == nil || fault.Is(err, fault.Exists) {
			mb, err = p.home.Mailbox(f.folder)
		}
	}
	if err != nil && !fault.Temporary(err) && f.folder != inbox {
		t.opts.Log.Warn("deliver.folder", "id", t.msg.Envelope.ID, "box", p.address.String(),
			"folder", f.folder, "error", err, "result", "kept in INBOX")
		return p.home.Mailbox(inbox)
	}
	return mb, err
}

// release lets go what the plan sends on.
func (p *boxPlan) release() {
	for _, pending := range p.pending {
		pending.Release()
	}
}

// undo takes the filings and redirects of a plan back.
func (p *boxPlan) undo(t *transaction) {
	for _, pending := range p.pending {
		t.drop(pending)
	}
	p.pending = nil
	p.cancelLeave()
	for _, f := range p.done {
		if err := f.box.Remove(f.uid); err != nil {
			t.opts.Log.Error("deliver.undo", "id", t.msg.Envelope.ID, "box", p.address.String(), "error", err,
				"result", "the message may be there twice when it comes again")
		}
	}
	p.done = nil
}

func (t *transaction) logDelivered(p *boxPlan) {
	for _, f := range p.done {
		t.opts.Log.Info("deliver.filed", "id", t.msg.Envelope.ID, "box", p.address.String(),
			"folder", f.box.Name(), "uid", uint32(f.uid), "size", t.msg.Body.Size())
	}
	if len(p.done) == 0 && len(p.redirects) == 0 {
		t.opts.Log.Info("deliver.discarded", "id", t.msg.Envelope.ID, "box", p.address.String())
	}
}
