// Package wire reads and writes the lines of a mail protocol: bounded, CRLF
// only, and with a tap for a trace. SMTP, LMTP, POP3 and IMAP share it.
//
// A line ends in CRLF and nowhere else (RFC 5321 2.3.8). A CR or LF that
// stands alone is never taken for a line end: in a command it makes the line
// malformed, in a text it makes the text malformed. So two servers can't
// disagree on where a message ends (SMTP smuggling). NUL is refused too: no
// kind of mail text may hold it (RFC 2045 2.7 and 2.8), and an IMAP literal
// can't carry it (RFC 9051 9, CHAR8).
//
// Text is the content of a message. (*Reader).Dot reads one that ends in
// CRLF.CRLF and takes the dots of RFC 5321 4.5.2 out in the same pass; octets
// counted elsewhere (BDAT, RFC 3030) are written to a Text directly. A text
// with a mistake is read to its real end all the same, so that the connection
// stays in step.
//
// Nothing here locks: a Reader, a Writer and a Text belong to one goroutine.
// Deadlines are those of the connection below.
package wire
