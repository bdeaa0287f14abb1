// Package itip knows what people who share calendar objects tell each other: iTIP (RFC 5546)
// as CalDAV does it by itself (RFC 6638 3 and 4), and its messages as mail (RFC 6047).
//
//   - Change.Plan says what follows from a client's PUT or DELETE: what has to be kept, and
//     which messages leave; of an organizer REQUEST and CANCEL, of an attendee REPLY.
//   - Delivery.Apply works a message that arrived into the object that is stored, or makes a
//     new one, and says what happened: applied, ignored because it is older, refused because
//     who sent it may not.
//   - Mail.Write makes the mail of a message, and Find finds the message in a mail.
//
// Components are looked at instance by instance. Who is invited to some instances of a
// recurring event alone gets those alone (RFC 6638 3.2.6). SEQUENCE and DTSTAMP never go
// back: neither in an object that a client writes, nor by a message.
//
// Everything is a value, and nothing given is changed: calendars share what did not
// change. There is no I/O here, no clock, and no state. It knows no mailbox: who is who is
// a Person of the caller's.
package itip
