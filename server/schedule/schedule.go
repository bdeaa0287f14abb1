// Package schedule has what is about times: messages that come back later (snooze), and
// the invitations that mail brings, with the answers to them.
//
// A snoozed message lies in the folder Snoozed with the keyword $Snoozed, and its
// INTERNALDATE is when it comes back (snooze.go): that is all there is to know, so
// nothing can get lost beside the mail, and every client shows it.
//
// Invitations are iTIP (RFC 5546) in mail (iMIP, RFC 6047). Read reads one, bounded, out
// of iCalendar (RFC 5545); Answer makes the REPLY of one attendee; Memory keeps what was
// done, so that nothing is twice.
//
// Only Memory has state, in state.db, and it holds no lock.
//
// Not here: calendars, and which mail may be believed (package follow).
package schedule
