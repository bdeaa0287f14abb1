// Package senderauth says who a message really comes from, and signs what leaves.
//
// Verify checks SPF (RFC 7208), DKIM (RFC 6376, with RFC 8301 and RFC 8463), ARC
// (RFC 8617), the name of the client (iprev, RFC 8601 3) and what the author's domain
// asks for (DMARC, RFC 7489); Results.Field writes it down (RFC 8601). Keys has the keys
// of our domains, signs with them, and seals what is passed on.
//
// DKIM and ARC share one engine: the parts of a signature, key records, and both
// canonicalizations. The body is read once, whatever the number of signatures, and never
// held. A message is bounded in what it can make us do: signatures looked at, questions
// asked, and one deadline for all.
//
// A question that got no answer is a temporary error, and never taken for "there is
// none". What is refused, filed as junk or put off because of the results is told by
// Judge alone; packages intake and deliver carry it out.
//
// Results are plain values. A Verifier and Keys may be used by several at once; the lock
// of Keys is held over its table only, not while keys are made or used.
//
// It does not send reports (package report) or decide which domain signs what (package
// deliver).
package senderauth
