package mailbox

import (
	"os"
	"time"

	"facteur/server/maildir"
)

// slowScan is the time after which a folder is read again though its mtimes
// are those that our own changes gave it: a change of another program may hide
// behind one of ours.
const slowScan = 30 * time.Second

// youngScan is the time after which a folder is read again when another
// program changed it just before the last scan (see maildir.Scan).
const youngScan = 2 * time.Second

// scanState is what is known of the last scan.
type scanState struct {
	ended   time.Time
	pause   time.Time     // no scan before, so that scans take at most a tenth of the time
	young   bool          // it was not settled, for another program was at work
	loose   bool          // it was not settled, or we changed something since
	missing int           // records that it did not show
	wait    time.Duration // between scans that look for the missing
}

// Poll looks for what other programs did, unless it looked just now.
func (m *Mailbox) Poll() {
	if !m.scanDue() {
		return
	}
	if err := m.rescan(); err != nil {
		m.store.opt.Log.Warn("mailbox.scan", "folder", m.Name(), "err", err)
	}
}

func (m *Mailbox) scanDue() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.store.opt.Now()
	if m.fail != nil || !m.complete || now.Before(m.scan.pause) {
		return false
	}
	stamp, err := m.readStamp()
	switch age := now.Sub(m.scan.ended); {
	case err != nil || stamp != m.stamp:
		return true
	case m.scan.missing > 0:
		return age >= m.scan.wait
	default:
		return m.scan.young && age >= youngScan || m.scan.loose && age >= slowScan
	}
}

func (m *Mailbox) readStamp() (maildir.Stamp, error) {
	return maildir.ReadStamp(m.newDir, m.curDir)
}

// stampNow returns the stamp before a change of ours, for stampOwn. With mu held.
func (m *Mailbox) stampNow() maildir.Stamp {
	if m.list == nil {
		return maildir.Stamp{}
	}
	stamp, _ := m.readStamp() // zero leads to a scan
	return stamp
}

// stampOwn is called after a change of ours: when nothing else had changed
// before it, the new stamp is no news. With mu held.
func (m *Mailbox) stampOwn(before maildir.Stamp) {
	if m.list == nil {
		return
	}
	m.scan.loose = true
	if before == m.stamp {
		m.stamp = m.stampNow()
	}
}

// touch keeps a scan that runs from having a say on a message. With mu held.
func (m *Mailbox) touch(uid UID) {
	if m.touched != nil {
		m.touched[uid] = true
	}
}

// rescan brings the list up to what lies on disk.
func (m *Mailbox) rescan() error {
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	if err := m.refreshKeywords(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.fail != nil || !m.complete {
		defer m.mu.Unlock()
		return m.fail
	}
	dir := m.dir
	m.touched = make(map[UID]bool)
	known := m.stamp
	m.stamp = m.stampNow() // what changes from now on may not be in the scan
	foreign := m.stamp != known
	m.mu.Unlock()

	began := time.Now()
	scan, err := maildir.ReadScan(dir, m.store.opt.Now())
	own, strays := m.sortScan(scan)
	m.mu.Lock()
	touched := m.touched
	m.touched = nil
	if m.fail != nil || err != nil {
		defer m.mu.Unlock()
		m.stamp, m.scan.pause = maildir.Stamp{}, m.store.opt.Now().Add(slowScan)
		if m.fail != nil {
			err = m.fail
		}
		return err
	}
	merge := merger{m: m, touched: touched, settled: scan.Settled, strays: strays}
	merge.run(own)
	m.scanned(began)
	m.scan.loose = len(touched) > 0 || !scan.Settled
	m.scan.young = foreign && !scan.Settled
	m.wake()
	m.mu.Unlock()
	m.settleStrays(merge.strays, merge.twins)
	return nil
}

// scanned notes that a scan ended. With mu held.
func (m *Mailbox) scanned(began time.Time) {
	m.scan.ended = m.store.opt.Now()
	m.scan.pause = m.scan.ended.Add(9 * time.Since(began))
}

// refreshKeywords reads dovecot-keywords when it has changed.
func (m *Mailbox) refreshKeywords() error {
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	return m.readKeywords()
}

// merger compares a scan with the list. With mu held.
type merger struct {
	m       *Mailbox
	touched map[UID]bool // messages that we changed during the scan: it knows less
	settled bool
	strays  []stray
	twins   []twin
	gone    []int
	missing int
}

func (g *merger) run(own []found) {
	l := g.m.list
	i := 0
	for group := range groups(own) {
		for ; i < len(l.recs) && l.recs[i].uid < group[0].uid; i++ {
			g.absent(i)
		}
		if i < len(l.recs) && l.recs[i].uid == group[0].uid {
			g.present(i, group)
			i++
		} else if !g.touched[group[0].uid] {
			// A UID that is not in use any more, or never was: it can't come
			// back, since UIDs only ascend.
			g.strays, _ = g.m.sortRest(found{}, group, g.strays, nil)
		}
	}
	for ; i < len(l.recs); i++ {
		g.absent(i)
	}
	g.m.forgetRecords(g.gone, nil)
	s := &g.m.scan
	switch {
	case g.missing == 0:
		s.wait = 0
	case s.missing == 0:
		s.wait = time.Second
	default:
		s.wait = min(2*s.wait, slowScan)
	}
	s.missing = g.missing
}

// present is called for a record of which files were found.
func (g *merger) present(i int, group []found) {
	r := g.m.list.recs[i]
	if g.touched[r.uid] {
		return
	}
	best, rest := choose(group, maildir.UniqueOf(r.name), r.name)
	g.strays, g.twins = g.m.sortRest(best, rest, g.strays, g.twins)
	if best.name == "" {
		g.absent(i)
		return
	}
	changed := best.flags != r.flags
	if !r.missing && !changed && best.name == r.name && best.inNew == r.inNew {
		return
	}
	r.missing = false
	r.name, r.inNew, r.flags = best.name, best.inNew, best.flags
	r.recent = r.recent && best.inNew
	g.m.list.change(i, r)
	if changed {
		g.m.emit(Flags, &r, nil, nil)
	}
}

// absent is called for a record of which no file was found. It is gone when
// this scan is settled and the one before it did not show it either.
func (g *merger) absent(i int) {
	r := &g.m.list.recs[i]
	if g.touched[r.uid] {
		return
	}
	if r.missing && g.settled {
		g.gone = append(g.gone, i)
		return
	}
	r.missing = true
	g.missing++
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
