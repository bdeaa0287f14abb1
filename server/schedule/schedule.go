// Package schedule has what is about times: messages that come back later (snooze), and the
// memory of what is done once.
//
// A snoozed message lies in the folder Snoozed with the keyword $Snoozed, and its
// INTERNALDATE is when it comes back (snooze.go): that is all there is to know, so
// nothing can get lost beside the mail, and every client shows it.
//
// Memory is the only state, in state.db, and it holds no lock.
//
// Not here: invitations (packages itip and scheduling).
package schedule
