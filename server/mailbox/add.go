package mailbox

import (
	"time"

	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/message"
	"facteur/server/msgindex"
	"facteur/server/safefile"
)

// Add gives the message in a draft, which has CRLF line ends, a UID, links it
// into the mailbox and publishes it. It syncs the draft first when that was not
// done; the message is durable when a Sync that follows has returned.
func (m *Mailbox) Add(d *safefile.Draft, opt AddOptions) (UID, error) {
	if opt.Unique != "" && !validUnique(opt.Unique) {
		return 0, fault.Newf(fault.Internal, "%q can't be part of a file name", opt.Unique)
	}
	if len(opt.Flags) > 0 {
		// Keywords that have no letter are written while nobody else writes some.
		m.furtherMu.Lock()
		defer m.furtherMu.Unlock()
	}
	set, err := m.parseFlags(opt.Flags, true)
	if err == nil && len(set.further) > 0 {
		defer m.tidyFurther()
		err = safefile.Fault(m.openFurther())
	}
	if err != nil {
		return 0, err
	}
	a := adding{m: m, draft: d, opt: opt, set: set}
	if err := a.prepare(); err != nil {
		return 0, safefile.Fault(err)
	}
	if err := a.lock(); err != nil {
		return 0, safefile.Fault(err)
	}
	defer m.mu.Unlock()
	uid, err := a.run()
	return uid, safefile.Fault(err)
}

// adding is an Add that runs.
type adding struct {
	m       *Mailbox
	draft   *safefile.Draft
	opt     AddOptions
	set     flagSet
	summary []byte
}

// prepare does what needs no lock.
func (a *adding) prepare() error {
	if !a.opt.InternalDate.IsZero() {
		if err := a.draft.SetTime(a.opt.InternalDate); err != nil {
			return err
		}
	}
	summary := a.opt.Summary
	if summary == nil {
		s, err := message.Summarize(a.draft, a.draft.Size())
		if err != nil {
			return err
		}
		summary = &s
	}
	var err error
	if a.summary, err = summary.AppendBinary(nil); err != nil {
		return err
	}
	return a.draft.Sync()
}

// lock locks mu with all that run needs.
func (a *adding) lock() error {
	for {
		if err := a.m.lockWrite(1); err != nil {
			return err
		}
		if a.opt.Unique == "" || a.m.unique != nil {
			return nil
		}
		a.m.mu.Unlock()
		if err := a.m.readUniques(); err != nil {
			return err
		}
	}
}

// run links the message, with mu held.
func (a *adding) run() (UID, error) {
	m := a.m
	c := m.begin()
	defer c.commit()
	unique := ""
	if a.opt.Unique == "" {
		unique = m.store.newUnique()
	} else {
		uid := m.unique[a.opt.Unique]
		if _, there := c.snap.Find(uid); there {
			return uid, nil
		}
		unique = maildir.NewUnique(m.now(), uniqueMark+a.opt.Unique, m.store.host)
	}
	uid, size := m.given.next, a.draft.Size()
	name := maildir.Name{
		Unique: unique, Size: size, Served: size,
		Validity: m.validity, UID: uint32(uid), Flags: a.set.flags,
	}
	inNew := a.set.flags == 0
	file := name.Format(sub(inNew))
	if file == "" {
		return 0, fault.New(fault.Internal, "The file name would be too long")
	}
	r := Record{UID: uid, Flags: a.set.flags, SaveDate: seconds(nameTime(file)), Unique: nameHash(file)}
	r.SetSize(size)
	r.SetMarks(fileMarks(inNew))
	if len(a.set.further) > 0 {
		if err := m.writeFurther(maildir.AppendMessage(nil, uint32(uid), a.set.further)); err != nil {
			return 0, err
		}
		m.given.next++ // whatever happens now, the line is about this message only
		r.More = m.further.number(a.set.further)
	}
	link := a.draft.Link
	if a.opt.Last {
		link = a.draft.Move
	}
	path := c.at.path(inNew, file)
	if err := link(path); err != nil {
		return 0, err
	}
	c.soil(inNew)
	mtime, err := maildir.Mtime(path)
	if err != nil {
		mtime = nameTime(file) * int64(time.Second) // renamed by another program by now
	}
	r.InternalDate = seconds(mtime / int64(time.Second))
	r.Entry = m.putEntry(m.index, uid, file, a.summary)
	c.add(r)
	if a.opt.Unique != "" {
		m.unique[a.opt.Unique] = uid
	}
	return uid, nil
}

// fileMarks are those of a file whose name is in the cache as it is.
func fileMarks(inNew bool) msgindex.Marks {
	if inNew {
		return msgindex.Exact | msgindex.InNew
	}
	return msgindex.Exact
}

// Remove undoes an Add, whose message could not be delivered everywhere. It is
// durable when it returns.
func (m *Mailbox) Remove(uid UID) error {
	_, err := m.expunge([]UID{uid}, "")
	return err
}

func sub(inNew bool) string {
	if inNew {
		return maildir.New
	}
	return maildir.Cur
}
