package mailbox

import (
	"facteur/server/fault"
	"facteur/server/maildir"
	"facteur/server/safefile"
)

// Add gives the message in a draft, which has CRLF line ends, a UID, links it
// into the mailbox and tells the views. It syncs the draft first when that was
// not done; the message is durable when a Sync that follows has returned.
func (m *Mailbox) Add(d *safefile.Draft, opt AddOptions) (UID, error) {
	if opt.Unique != "" && !validUnique(opt.Unique) {
		return 0, fault.Newf(fault.Internal, "%q can't be part of a file name", opt.Unique)
	}
	flags, err := m.parseFlags(opt.Flags, true)
	if err != nil {
		return 0, err
	}
	if !opt.InternalDate.IsZero() {
		if err := d.SetTime(opt.InternalDate); err != nil {
			return 0, diskFault(err)
		}
	}
	if err := d.Sync(); err != nil {
		return 0, diskFault(err)
	}
	if opt.Unique == "" {
		err = m.lockUIDs(1)
	} else {
		err = m.lockListUIDs(1)
	}
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.add(d, flags, opt)
}

// lockListUIDs is lockUIDs and lockList in one.
func (m *Mailbox) lockListUIDs(n int) error {
	for {
		if err := m.lockList(); err != nil {
			return err
		}
		m.mu.Unlock()
		if err := m.lockUIDs(n); err != nil {
			return err
		}
		if m.complete {
			return nil
		}
		m.mu.Unlock() // let go this very moment
	}
}

// add is the part of Add with mu held.
func (m *Mailbox) add(d *safefile.Draft, flags maildir.Flags, opt AddOptions) (UID, error) {
	unique := ""
	if opt.Unique == "" {
		unique = m.store.newUnique()
	} else {
		if uid, ok := m.list.added(opt.Unique); ok {
			return uid, nil
		}
		unique = maildir.NewUnique(m.store.opt.Now(), uniqueMark+opt.Unique, m.store.host)
	}
	inNew := flags == 0 && !m.selected()
	name := maildir.Name{
		Unique: unique, Size: d.Size(), Served: d.Size(),
		Validity: m.validity, UID: uint32(m.next), Flags: flags,
	}
	r := record{uid: m.next, flags: flags, size: d.Size(), inNew: inNew, recent: flags == 0}
	if r.name = name.Format(sub(inNew)); r.name == "" {
		return 0, fault.New(fault.Internal, "The file name would be too long")
	}
	link := d.Link
	if opt.Last {
		link = d.Move
	}
	before := m.stampNow()
	if err := link(m.path(inNew, r.name)); err != nil {
		return 0, diskFault(err)
	}
	m.stampOwn(before)
	m.arrived(r, nil)
	m.wake()
	return r.uid, nil
}

// arrived takes a new message with the UID m.next into account. With mu held.
func (m *Mailbox) arrived(r record, by *View) {
	m.next = r.uid + 1
	m.soil(r.inNew)
	m.touch(r.uid)
	m.count(1, r.size)
	if m.list == nil {
		return
	}
	var first *View // the session that \Recent is told to (RFC 3501 2.3.2)
	if r.recent {
		first = m.firstSelected()
		r.recent = first == nil
	}
	m.list.append(r)
	m.emit(Added, &r, by, first)
}

// Remove undoes an Add, whose message could not be delivered everywhere. It is
// durable when it returns.
func (m *Mailbox) Remove(uid UID) error {
	_, err := m.Expunge(nil, []UID{uid})
	return err
}

func sub(inNew bool) string {
	if inNew {
		return maildir.New
	}
	return maildir.Cur
}
