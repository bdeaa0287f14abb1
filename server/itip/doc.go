// Package itip knows what people who share calendar objects tell each other: iTIP (RFC 5546)
// as CalDAV does it by itself (RFC 6638 3 and 4), and its messages as mail (RFC 6047).
//
//   - Change.Plan says what follows from a client's PUT or DELETE: what has to be kept, and
//     which messages leave; of an organizer REQUEST and CANCEL, of an attendee REPLY.
//   - Delivery.Apply works a message that arrived into the object that is stored, or makes a
//     new one, and says what happened: applied, ignored because it is older, refused because
//     who sent it may not.
//   - Mail.Write makes the mail of a message, and Find finds the message in a mail.
//   - FreeBusy reads the question of when people are busy, and answers it.
//
// Components are looked at instance by instance. Who is invited to some instances of a
// recurring event alone gets those alone (RFC 6638 3.2.6). SEQUENCE and DTSTAMP never go
// back: neither in an object that a client writes, nor by a message.
//
// Where the RFCs leave a choice:
//
//   - Of an exception that changed only the exception is sent; of an instance that is excluded
//     or has STATUS:CANCELLED a CANCEL. What is cancelled is taken out of the attendee's
//     calendar. A client's SEQUENCE is raised where RFC 5546 2.1.4 asks for it.
//   - A reply to an older SEQUENCE counts when the time that it answers for is still the
//     same. From when the last reply is stays in the organizer's object, in a parameter of
//     ATTENDEE that leaves it in no message.
//   - A COUNTER changes nothing. Another organizer is never taken on (RFC 5546 4.2.11): that
//     can't be proven.
//   - Attendees may change more than RFC 6638 3.2.2.1 lists, but nothing that others see.
//     What of the organizer's a client writes anew or leaves out is put back.
//   - What an attendee has added to his copy stays when the organizer changes the meeting:
//     alarms, TRANSP, COLOR and what programs note for themselves, always; CLASS, CATEGORIES,
//     ATTACH, COMMENT, RELATED-TO and other X- properties where he changed or added them, which
//     the parameter X-FACTEUR-OWN tells, and which leaves his copy in no message. It stays for
//     single instances, too, as long as the series has them. Alarms of the organizer reach nobody,
//     and a TRANSP or COLOR of his only with the first invitation.
//   - A date that an attendee takes out (EXDATE) stays out, and what he declined and removed stays
//     away, unless it is at another time or he is asked anew.
//   - Who accepts a series but for some of its instances (Answer.Declined) says so in one REPLY.
//   - A delegate is invited in the organizer's name, when the reply that names him arrives.
//
// Everything is a value, and nothing given is changed: calendars share what did not
// change. There is no I/O here, no clock, and no state. It knows no mailbox: who is who is
// a Person of the caller's.
package itip
