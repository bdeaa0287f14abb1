package deliver

import (
	"bytes"
	"io"
	"sync"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/safefile"
)

// drafts are the forms of a message, each written and synced once: most often
// one, since only scripts and forwarding make forms differ.
type drafts []*draft

type draft struct {
	prefix []byte // what stands above the body
	uses   int    // mailboxes and spool entries that will link it
	file   *safefile.Draft
}

// want notes one more use of the form with that prefix.
func (ds *drafts) want(prefix []byte) *draft {
	for _, d := range *ds {
		if bytes.Equal(d.prefix, prefix) {
			d.uses++
			return d
		}
	}
	d := &draft{prefix: prefix, uses: 1}
	*ds = append(*ds, d)
	return d
}

// ready returns the draft's file, written and synced when first asked for, and
// whether this is its last use.
func (t *transaction) ready(d *draft) (file *safefile.Draft, last bool, err error) {
	if d.file == nil {
		if d.file, err = t.write(d.prefix); err != nil {
			return nil, false, err
		}
	}
	d.uses--
	return d.file, d.uses == 0, nil
}

func (t *transaction) write(prefix []byte) (*safefile.Draft, error) {
	f, err := t.opts.Store.Draft()
	if err != nil {
		return nil, unavailable(err)
	}
	_, err = f.Write(prefix)
	if err == nil {
		err = copyBody(f, t.msg.Body)
	}
	if err == nil {
		err = f.Sync()
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

// unavailable is the answer to a disk that is full or fails: RFC 5321 4.2.2, 452.
func unavailable(err error) error { return fault.Wrap(fault.Unavailable, "", err) }

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
		prefix = append(prefix, message.DeliveredTo(t.targets[p.target].Address)...)
	}
	prefix = append(prefix, p.header...)
	return append(prefix, t.msg.Trace...)
}

// file links the message into all mailboxes whose plan stands, and syncs.
func (t *transaction) file() {
	type use struct {
		plan  *boxPlan
		draft *draft
	}
	var uses []use
	for _, p := range t.boxes {
		if t.errs[p.target] != nil {
			continue
		}
		prefix := t.prefixFor(p)
		for range p.filings {
			uses = append(uses, use{p, t.drafts.want(prefix)})
		}
	}
	for _, u := range uses {
		if t.errs[u.plan.target] != nil {
			continue
		}
		if err := t.addNext(u.plan, u.draft); err != nil {
			t.errs[u.plan.target] = err
		}
	}
	t.syncAll()
	for _, p := range t.boxes {
		if t.errs[p.target] != nil {
			p.undo(t)
		} else {
			t.logDelivered(p)
		}
	}
}

// addNext carries out the next filing of a plan.
func (t *transaction) addNext(p *boxPlan, d *draft) error {
	f := p.filings[len(p.done)]
	mb, err := t.open(p, f)
	if err != nil {
		return err
	}
	file, last, err := t.ready(d)
	if err != nil {
		return err
	}
	uid, err := mb.Add(file, mailbox.AddOptions{Flags: f.flags, Unique: t.targets[p.target].Unique, Last: last})
	if err != nil {
		return unavailable(err)
	}
	p.done = append(p.done, filed{mb, uid})
	return nil
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
	if err != nil && f.folder != inbox && !fault.Is(err, fault.Internal) && !fault.Is(err, fault.Unavailable) {
		t.opts.Log.Warn("deliver.folder", "id", t.msg.Envelope.ID, "box", t.targets[p.target].Address.String(),
			"folder", f.folder, "error", err, "result", "kept in INBOX")
		return p.home.Mailbox(inbox)
	}
	return mb, err
}

// syncAll makes all filings durable: the directories at the same time, each
// sync shared with other deliveries that wait for the same directory.
func (t *transaction) syncAll() {
	if len(t.boxes) == 1 {
		t.syncBox(t.boxes[0])
		return
	}
	var wg sync.WaitGroup
	for _, p := range t.boxes {
		wg.Go(func() { t.syncBox(p) })
	}
	wg.Wait()
}

func (t *transaction) syncBox(p *boxPlan) {
	for _, f := range p.done {
		if err := f.box.Sync(); err != nil {
			t.errs[p.target] = unavailable(err)
		}
	}
}

// undo takes the filings of a plan back.
func (p *boxPlan) undo(t *transaction) {
	for _, f := range p.done {
		if err := f.box.Remove(f.uid); err != nil {
			t.opts.Log.Error("deliver.undo", "id", t.msg.Envelope.ID, "box", t.targets[p.target].Address.String(), "error", err)
		}
	}
	p.done = nil
}

func (t *transaction) logDelivered(p *boxPlan) {
	for i, f := range p.done {
		t.opts.Log.Info("deliver.filed", "id", t.msg.Envelope.ID, "box", t.targets[p.target].Address.String(),
			"folder", p.filings[i].folder, "uid", uint32(f.uid), "size", t.msg.Body.Size())
	}
	if len(p.done) == 0 && len(p.redirects) == 0 {
		t.opts.Log.Info("deliver.discarded", "id", t.msg.Envelope.ID, "box", t.targets[p.target].Address.String())
	}
}
