// Package attachments keeps managed attachments (RFC 8607): files that belong to calendar
// objects, and lie beside them.
//
// An attachment is in the home of the calendar in which it was put, as the file
// attachments/ID/NAME of the account's folder, in a store of package files: what is acknowledged
// is on disk, it counts towards the quota, and what is removed can be brought back. The
// folder has its media type as a property. Octets and name never change: an attachment that is
// updated is another one (RFC 8607 3.5). The ids are random, 128 bits.
//
// An attachment is there as long as an object that its home keeps names it. Others
// have the same object, as attendees, but do not keep it. Who may read it is asked of package homes
// (SeesAttached).
//
// Octets come first: Add returns when they are durable, and only then an object may name
// them. What may soon be named is held (Add, Hold), and not removed before Release. What
// nothing names goes to deleted/: at once when an object is changed here (Release), and else
// by Tidy, once it is seen for the second time, for another program may just write the object
// anew. What an object names again comes back: when somebody reads it, when it is held, or by
// Tidy. So an object that is undeleted has its attachments, as long as these are kept.
//
// After the end of the process by whatever means there may be attachments that nothing names,
// never an object that names what is not there; Tidy removes the former. What other programs,
// or a disk, did to attachments Verify tells.
//
// Locks: one for each home, held while it is looked which objects name what, and while
// something is removed or brought back; never while octets are written.
//
// This package changes the lines of objects too (edit.go), and makes them fit for readers
// elsewhere (elsewhere.go). Not here: HTTP (davd), mail (itip, scheduling).
package attachments
