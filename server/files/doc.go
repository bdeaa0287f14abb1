// Package files is a store of plain folders and files: what a person keeps beside
// mail, calendars and contacts, in files/ (Options.Folder) of the account's folder, as deep as one likes.
// Programs may read and write these files too.
//
// A Store has a Tree for each account. A Path is a list of names of any octets; on disk
// each is written as safefile.Escape does, so that none leaves the tree or is hidden.
// Only folders and regular files are seen: symbolic links and devices are not, and
// nothing leads through them. (Who may put such things there while a request runs is
// whoever runs the server.)
//
// A file is written aside, synced, and renamed into its place with the lock of its tree
// held, where Check is asked once more; then its directory is synced. A copy is made
// aside as a whole too, so that COPY is done or not done. What is removed moves to
// deleted/ when Options.Bins say so. A strong ETag (RFC 9110 8.8.3) is made of inode,
// size and time: each Put has a time of its own. A file that another program changes twice
// in place within one tick of the system's clock (some ms) may keep its tag.
//
// Dead properties of a file are a hidden file beside it, those of a folder a hidden file in it.
//
// Locks: Tree.propsMu, then Tree.mu (who changes a tree; of two the one with the lower serial
// first), then Tree.usageMu, for a moment. Options.Room is called with
// none of the latter three held. No lock is held while octets are written or a
// directory is synced.
//
// Not here: WebDAV, access rights, locks of clients.
package files
