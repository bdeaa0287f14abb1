// Package collection is the store of calendars and address books: objects with
// strong ETags, a CTag and sync-tokens, over directories of files that other
// programs may change at any time (vdir: one .ics or .vcf a file, as khal, khard and
// vdirsyncer read it).
//
// A Store has a Home for each account, a Home a Collection for each directory below
// calendars/ and contacts/. All users of the process share these values. The octets
// of an object are kept as they were put. It does not know iCalendar and vCard:
// Options.Index tells what the index keeps of an object (Facts).
//
// The name of a file is made from the last segment of the href and leads back to it
// (name.go). A file of another program has its name as href.
//
// Each change of an object has a number, which goes up by one. A Snapshot is all
// objects after a change; it shares a list of records with later ones, never changes
// and needs no lock. A sync-token (RFC 6578 3.2) is the number of a change and the
// epoch of the index, which is random. So is the CTag.
//
// The index is in memory, and on disk a log of frames (codec.go) in index/, one file
// a collection: each change is written to it before it is told, with one write, not
// synced. It is a cache: lost or damaged, it is made from the files, with another
// epoch, so that old tokens are refused (DAV:valid-sync-token). After the end of the
// process by whatever means it has all that was told. After a power cut it may not:
// the boot under which it was opened stands in it, synced before the first change is
// told, and unless it was closed, one of another boot is given up. So is one whose
// directory is not the same any more, for a backup that was brought back has another
// history.
//
// An object is written to a file beside, synced, and renamed into its place with the
// Collection locked: there the Condition is looked at, the file compared with the
// index, so that what another program did an instant ago is not overwritten, and the
// log written. Then the lock is released and the directory synced; one sync serves
// all that wait for it (safefile.Syncer).
//
// What other programs do is seen by the mtime of the directory each time that a
// collection is looked at; files that are written in place, which leaves that as it
// was, when they are opened or changed here, and otherwise within 30 seconds. An
// object is compared by inode, size and mtime, and read when these differ. What
// Options.Index refuses is shown as Broken. An object is gone when its file is.
//
// The octets of small objects that were put or read last are in memory too, 4 MiB in a
// Store (contents.go). They are told only while their file looks as it did, by inode,
// size, mtime and ctime: the name is looked up each time. What is read from a file is
// compared with its tag, so the octets and the tag of an object always belong
// together.
//
// Some of the facts of objects are counted (Counted), so that who asks whether any object has one
// need not look at all.
//
// What is deleted moves to deleted/ when Options.Bins say so. Properties of an object
// are a hidden file beside it.
//
// Locks, in this order: that of Home.bin (package retention), Home.admin (operations on
// collections and their properties), Collection.scanMu (one scan, load or rewriting
// of the log at a time; it keeps the index in memory), Collection.mu (what changes
// objects; of two the one with the lower id first), Collection.viewMu (the newest
// table, for a moment), then Home.mu and contents.mu, likewise. From
// Collection.mu on none is held over a sync. A place changes with scanMu and mu held, so that either
// keeps it.
//
// Not here: WebDAV, access rights, quotas (Usage counts, Options.Room decides).
package collection
