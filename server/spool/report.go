package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

// housekeep writes a record that could not be written, and sends the reports that an
// entry owes. It returns when to do so again, zero when there is nothing more to do.
func (s *Spool) housekeep(sl *slot) time.Time {
	r, err := s.writeUnsaved(sl.item)
	if errors.Is(err, fs.ErrNotExist) {
		return s.unreadable(sl.item, err)
	}
	var next time.Time
	if err == nil {
		next, err = s.sendReports(sl.item, r)
	}
	switch {
	case err == nil:
		return next
	case errors.Is(err, errGone):
		return time.Time{}
	case errors.Is(err, errBad):
		return s.unreadable(sl.item, err)
	case s.ctx.Err() != nil:
		return s.now().Add(afterError) // closing
	}
	s.log.Error("spool.unreported", "id", sl.item.id, "err", err)
	sl.tries++
	return s.now().Add(s.housekeepingDelay(sl.tries))
}

func (s *Spool) housekeepingDelay(tries int) time.Duration {
	s.mu.Lock()
	delays := s.opts.Schedule.Local
	s.mu.Unlock()
	return delays[min(tries, len(delays))-1]
}

// writeUnsaved writes the record if it is not written, ends the entry if it is
// finished, and returns the record.
func (s *Spool) writeUnsaved(it *item) (*record, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	r, err := s.currentLocked(it)
	if err != nil {
		return nil, err
	}
	if it.unsaved != nil || r.finished() {
		events, err := s.keep(it, r, nil)
		if err != nil {
			return r, fmt.Errorf("write the record: %v", err) // not that it is not there
		}
		s.tell(events)
	}
	return r, nil
}

// sendReports sends the reports that are owed, one after the other. It returns when
// to go on, zero when all is done.
func (s *Spool) sendReports(it *item, r *record) (time.Time, error) {
	for {
		rcpts := r.nextReport()
		if len(rcpts) == 0 {
			return time.Time{}, nil
		}
		to := r.reader()
		until := s.readers.take(to, s.now())
		switch {
		case until.IsZero():
			if err := s.sendReport(it, r, rcpts); err != nil {
				s.readers.giveBack(to)
				return time.Time{}, err
			}
		case to.own:
			s.log.Info("spool.report_waits", "id", it.id, "to", r.Sender.ReversePath.String(), "until", until)
			return until, nil
		default:
			s.log.Warn("spool.report_suppressed", "id", it.id, "action", string(rcpts[0].Report), "to", r.Sender.ReversePath.String(),
				"recipients", len(rcpts), "reason", "too many reports to this address in an hour")
		}
		var err error
		if r, err = s.reported(it, rcpts[0].ReportID); err != nil {
			return time.Time{}, err
		}
	}
}

// nextReport returns the recipients of one report that is owed.
func (r *record) nextReport() []rcptRecord {
	var rcpts []rcptRecord
	for _, to := range r.Recipients {
		if to.Report != "" && (len(rcpts) == 0 || to.ReportID == rcpts[0].ReportID) {
			rcpts = append(rcpts, to)
		}
	}
	return rcpts
}

// reported notes that a report is on its way.
func (s *Spool) reported(it *item, reportID string) (*record, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	r, err := s.currentLocked(it)
	if err != nil {
		return nil, err
	}
	for i := range r.Recipients {
		if to := &r.Recipients[i]; to.ReportID == reportID {
			to.Report, to.ReportID = "", ""
		}
	}
	events, err := s.keep(it, r, nil)
	s.tell(events)
	return r, err
}

// sendReport makes a delivery status notification and sends it on its way.
func (s *Spool) sendReport(it *item, r *record, rcpts []rcptRecord) error {
	b, err := s.store.open(it.id, r)
	if err != nil {
		return err
	}
	defer b.Close()
	s.mu.Lock()
	hostname, schedule := s.opts.Hostname, s.opts.Schedule
	s.mu.Unlock()
	now := s.now()
	report := message.Report{
		ID: rcpts[0].ReportID, Hostname: hostname, Date: now, To: address.Address(r.Sender.ReversePath), UTF8: r.Sender.SMTPUTF8,
		EnvID: r.Sender.EnvID, Arrival: r.Received, HoldUntil: r.Sender.HoldUntil, Message: b,
		// What was to travel under TLS alone must not come back in full (RFC 8689 5).
		Full: r.Sender.Ret == "FULL" && !r.Sender.RequireTLS,
	}
	for i := range rcpts {
		told := rcpts[i].report()
		if told.Action == message.Delayed {
			told.RetryUntil = r.began().Add(schedule.Expire) // RFC 3464 2.3.9
		}
		report.Recipients = append(report.Recipients, told)
	}
	dsn, err := message.FormatDSN(report)
	if err != nil {
		return err
	}
	env := dsnEnvelope(report, dsn, now)
	env.Sender.RequireTLS = r.Sender.RequireTLS // RFC 8689 5
	err = s.opts.Inject(s.ctx, env, dsn)
	switch {
	case err != nil && s.hopeless(r, err, now):
		s.log.Error("spool.unreported", "id", it.id, "report", report.ID, "to", report.To.String(), "err", err, "result", "given up")
		return nil
	case err != nil:
		return fmt.Errorf("send the report %s: %w", report.ID, err)
	}
	s.log.Info("spool.reported", "id", it.id, "report", report.ID, "action", string(rcpts[0].Report), "to", report.To.String(), "recipients", len(rcpts))
	return nil
}

// hopeless tells whether a report that was refused is to be dropped: for good, since
// its reader is gone, or for as long again as a message is tried.
func (s *Spool) hopeless(r *record, err error, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	schedule := s.opts.Schedule
	return !fault.Temporary(err) || schedule.expired(r.began().Add(schedule.Expire), now)
}

// dsnEnvelope is that of a notification: from nobody, about which nothing is to be
// reported (RFC 3461 6.1, RFC 3464 2).
func dsnEnvelope(report message.Report, dsn *message.DSN, now time.Time) envelope.Envelope {
	env := envelope.Envelope{
		ID: report.ID, Received: now,
		Sender:     envelope.Sender{Size: dsn.Size(), SMTPUTF8: dsn.SMTPUTF8},
		Recipients: []envelope.Recipient{{ForwardPath: report.To, Notify: envelope.NotifyNever}},
	}
	if dsn.EightBits {
		env.Sender.Body = "8BITMIME"
	}
	return env
}

// report returns what the sender is told of a recipient.
func (to *rcptRecord) report() message.ReportRecipient {
	r := message.ReportRecipient{Address: address.Address(to.Address), ORcpt: to.ORcpt, Action: to.Report, Status: "2.0.0"}
	hide := func(s string) string { return s }
	if !to.Forwarder.IsZero() {
		// Where the mail of someone is forwarded to is not the sender's business (RFC
		// 3464 4.2).
		r.Address, r.Forwarded = address.Address(to.Forwarder), true
		hide = strings.NewReplacer(to.Address.String(), r.Address.String(), strings.ToLower(to.Address.String()), r.Address.String()).Replace
	}
	l := to.Last
	if l == nil {
		return r
	}
	r.Attempted, r.Remote, r.Reply = l.At, l.Remote, hide(l.reply())
	if l.Code != 0 {
		r.Status = l.Status
		r.GaveUp = to.Failed && fault.Temporary(fault.Reply(fault.Undeliverable, l.Code, "", ""))
	}
	return r
}
