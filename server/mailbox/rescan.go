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
	took    time.Duration
	pause   time.Time     // no scan before, so that scans take at most a tenth of the time
	young   bool          // it was not settled, for another program was at work
	loose   bool          // it was not settled, or we changed something since
	missing int           // messages that it did not show
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
	now := m.now()
	if m.fail != nil || m.live.Load() == nil || now.Before(m.scan.pause) {
		return false
	}
	stamp, err := m.readStamp()
	switch age := now.Sub(m.scan.ended); {
	case err != nil || stamp != m.stamp:
		return true
	case m.scan.missing > 0:
		return age >= m.scan.wait
	default:
		return m.scan.young && age >= youngScan || m.scan.loose && age >= max(slowScan, 50*m.scan.took)
	}
}

func (m *Mailbox) readStamp() (maildir.Stamp, error) {
	at := m.at.Load()
	return maildir.ReadStamp(at.newDir, at.curDir)
}

// stampNow returns the stamp before a change of ours, for stampOwn. With mu held.
func (m *Mailbox) stampNow() maildir.Stamp {
	stamp, err := m.readStamp()
	if err != nil {
		return unknownStamp
	}
	return stamp
}

// stampOwn is called after a change of ours: when nothing else had changed
// before it, the new stamp is no news. With mu held.
func (m *Mailbox) stampOwn(before maildir.Stamp) {
	m.scan.loose = true
	if before == m.stamp {
		m.stamp = m.stampNow()
	}
}

// rescan brings the index up to what lies on disk.
func (m *Mailbox) rescan() error {
	m.scanMu.Lock()
	defer m.scanMu.Unlock()
	if m.live.Load() == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.fail
	}
	if err := m.refreshKeywords(); err != nil {
		return err
	}
	_, err := m.scanOnce()
	return err
}

// scanOnce reads the directories and merges what they hold into the index. It
// returns the number of messages that are missing, but may not be gone. With
// scanMu held.
func (m *Mailbox) scanOnce() (missing int, err error) {
	m.mu.Lock()
	if m.fail != nil {
		defer m.mu.Unlock()
		return 0, m.fail
	}
	m.touched = make(map[UID]bool)
	known := m.stamp
	m.stamp = m.stampNow() // what changes from now on may not be in the scan
	foreign := m.stamp != known
	m.mu.Unlock()

	began := time.Now()
	scan, err := maildir.ReadScan(m.at.Load().dir, m.now())
	if err == nil {
		own, strays := m.sortScan(scan)
		if err = m.lockScan(0); err == nil {
			return m.mergeScan(scan, own, strays, foreign, began), nil
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touched, m.stamp, m.scan.pause = nil, unknownStamp, m.now().Add(slowScan)
	if m.fail != nil {
		err = m.fail
	}
	return 0, err
}

// mergeScan merges a scan into the index. With scanMu and mu held, of which it
// releases mu.
func (m *Mailbox) mergeScan(scan maildir.Scan, own []found, strays []stray, foreign bool, began time.Time) (missing int) {
	touched := m.touched
	m.touched = nil
	merge := merger{change: m.begin(), touched: touched, settled: scan.Settled, strays: strays}
	merge.run(own)
	merge.commit()
	m.scanned(began)
	m.scan.loose = len(touched) > 0 || !scan.Settled
	m.scan.young = foreign && !scan.Settled
	missing = m.scan.missing
	m.mu.Unlock()
	m.settleStrays(merge.strays, merge.twins)
	return missing
}

// scanned notes that a scan ended. With mu held.
func (m *Mailbox) scanned(began time.Time) {
	m.scan.ended, m.scan.took = m.now(), time.Since(began)
	m.scan.pause = m.scan.ended.Add(9 * m.scan.took)
}

func fileExists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
