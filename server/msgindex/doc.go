// Package msgindex keeps the index of one mailbox: what is known of each
// message without opening its file. It knows nothing of Maildir directories; the
// owner of an Index (package mailbox) compares the stamps and fills it.
//
// In memory a mailbox is a Snapshot, which never changes: chunks of records that
// are copied when something in them changes, and a tail to which new messages
// are appended in place, beyond what older snapshots show. Appending costs the
// same whatever the size. Diff tells two snapshots apart by which chunks are the
// same, so that each session can find out what it was not told of.
//
// On disk it is two files, both caches, never synced:
//
//	list   a table of all records, then a log of batches, each with a CRC that
//	       goes on from the one before. When the log has outgrown the table,
//	       both are written anew in the background and renamed into place.
//	cache  entries (file name and message summary) of which records hold the
//	       place; each has a CRC and names its message.
//
// A batch is written to the log with one write before it is published, so that
// after the end of the process, by whatever means, the list has all that any
// session was told of. After a power cut it may not: Found tells the two apart by
// the id of the boot. A power cut may also leave a list that was closed before
// the last run of the server, and so is Clean: the owner must compare
// Found.HighestModSeq and Found.UIDNext with what it keeps durably. Damage in the
// table makes the index Empty; damage in the log ends it at the batch before, and
// it is neither Clean nor SameBoot. An entry of the cache that is damaged is as
// if it were not there.
//
// No error of the files is one of the index: the list is removed, for it would
// be out of date, and is written anew when a later Commit finds that 5 seconds
// have passed. The files may be removed, cut or overwritten at any time.
//
// Locks: the caller sees to it that there is one writer at a time (Begin to
// Commit, Stamp); readers load the newest snapshot without a lock. Index.mu
// guards the list and is held over a write to the page cache or a rename, never
// over a sync or the writing of a table. Index.cacheMu guards the cache in the
// same way; neither is taken with the other held.
//
// The modification sequences and the log of vanished UIDs are for CONDSTORE and
// QRESYNC (RFC 7162 3.1, 3.2). They are given by the owner; nothing here hands
// out UIDs or ModSeqs.
package msgindex
