// Package imapsearch is SEARCH, SORT, THREAD and ESEARCH: it reads their
// arguments, finds, sorts and threads the messages of a mailbox, and writes the
// response.
//
//	cmd, err := imapsearch.Parse(dec, imapsearch.Search, imapsearch.Options{})
//	// a *imapwire.SyntaxError: BAD; a *CharsetError: NO with its Code; a fault: NO
//	answer, err := cmd.Run(ctx, imapsearch.Env{Box: box, Snapshot: seen, Saved: saved, Recent: recent, Now: now})
//	if uids, ok := answer.Saved(); ok {
//		saved = uids // when Run fails, and cmd.Return.Save is set: the empty set
//	}
//	answer.Write(enc, imapsearch.Form{Tag: tag, UID: uid, Extended: rev2})
//
// A caller that announces CONDSTORE enables it when cmd.Program.ModSeq() is true
// (RFC 7162 3.1). For ESEARCH (RFC 7377) it finds the mailboxes that cmd.Sources
// names, and runs the command and writes the answer for each.
//
// It does: all search keys of RFC 3501 and RFC 9051 6.4.4; OLDER and YOUNGER
// (WITHIN, RFC 5032); MODSEQ (RFC 7162 3.1.5); "$" and SAVE (SEARCHRES, RFC
// 5182); EMAILID and THREADID (OBJECTID, RFC 8474: no message has a THREADID);
// SAVEDATE (RFC 8514); the return options of ESEARCH (RFC 4731) and PARTIAL
// (RFC 9394); SORT and THREAD (RFC 5256), SORT=DISPLAY (RFC 5957), ESORT (RFC
// 5267 3); MULTISEARCH (RFC 7377). Strings are compared as message.Fold says,
// and come in any charset that go-message knows.
//
// Answers are exact at any time. What the index of the text can't tell is read:
// messages that it does not cover yet, and texts of fewer than three octets. The
// messages that it names are read too, for it may name too many.
//
// There are no locks here: a Program and a Snapshot do not change, and what is
// cached of messages is the business of package mailbox. Run has at most two
// goroutines, which end before it returns.
//
// It does not do CONTEXT (RFC 5267 4) and FUZZY (RFC 6203).
package imapsearch
