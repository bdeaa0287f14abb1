package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// width is that of the lines of a text for people.
const width = 76

// Subject is that of the mail with the digest.
func (d *Digest) Subject(hostname string) string {
	state := "nothing to do"
	switch n := d.troubles(); {
	case n == 1:
		state = "1 thing to look at"
	case n > 1:
		state = fmt.Sprintf("%d things to look at", n)
	}
	return fmt.Sprintf("Mail report of %s, %s: %s", hostname, d.days(), state)
}

func (d *Digest) days() string {
	last := d.To.Add(-time.Second)
	if first := d.From.Format("2 January 2006"); first == last.Format("2 January 2006") {
		return first
	}
	switch {
	case d.From.Format("2006 1") == last.Format("2006 1"):
		return d.From.Format("2") + " to " + last.Format("2 January 2006")
	case d.From.Year() != last.Year():
		return d.From.Format("2 January 2006") + " to " + last.Format("2 January 2006")
	}
	return d.From.Format("2 January") + " to " + last.Format("2 January 2006")
}

// Text says all of it in plain words, with LF line ends.
func (d *Digest) Text(hostname string) string {
	w := &writer{}
	w.par("", "This is what happened to your mail on "+hostname+", "+d.days()+".")
	d.authors(w)
	d.tlsIn(w)
	d.tlsOut(w)
	d.here(w)
	w.par("", "Other mail servers send such reports by themselves; the originals are in the folder "+Folder+" of the postmaster. `facteur report` prints this at any time, `facteur dns DOMAIN` checks what your domain says in the DNS.")
	return w.String()
}

// writer writes paragraphs.
type writer struct{ bytes.Buffer }

func (w *writer) title(s string) { fmt.Fprintf(w, "\n%s\n%s\n", s, strings.Repeat("-", len(s))) }

// par writes a paragraph, each line behind an indent.
func (w *writer) par(indent, text string) {
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
	w.line(indent, text)
}

// line is par without an empty line before it.
func (w *writer) line(indent, text string) { w.wrap(indent, indent, text) }

// item writes an item of a list.
func (w *writer) item(text string) { w.wrap("  - ", "    ", text) }

// wrap writes lines of a width, the first behind an indent of its own.
func (w *writer) wrap(first, indent, text string) {
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
			w.WriteString(first)
			column = len(first)
		case column+1+len(word) > width:
			w.WriteString("\n" + indent)
			column = len(indent)
		default:
			w.WriteByte(' ')
			column++
		}
		w.WriteString(word)
		column += len(word)
	}
	w.WriteByte('\n')
}

// count returns "1 message", "1,234 messages".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// listed returns "a, b and c", at most four by name.
func listed(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}

// authors tells who sends as our domains.
func (d *Digest) authors(w *writer) {
	w.title("Who sends mail in your name")
	if len(d.Domains) == 0 {
		w.par("", "No other server has told of mail with a sender at your domains. When you send mail to the big providers, they report within a day or two, if your DMARC record asks them to: `facteur dns DOMAIN` shows the record.")
	}
	for i := range d.Domains {
		d.Domains[i].words(w)
	}
}

func (d *DomainDigest) words(w *writer) {
	w.par("", fmt.Sprintf("%s: %s told of %s. %s.", d.Domain, listed(d.Orgs), count(d.Messages, "message"), d.share()))
	if d.SPFOnly > 0 {
		w.par("  ", fmt.Sprintf("%s of those had no good signature (DKIM), only the right sending server (SPF). Forwarded mail loses that: look for a program or service that sends past this server, and let it send through an account here.", grouped(d.SPFOnly)))
	}
	for i := range d.Failed {
		d.Failed[i].words(w, d)
	}
	if d.MoreFrom > 0 {
		w.par("  ", fmt.Sprintf("And %s with fewer messages.", count(int64(d.MoreFrom), "more server")))
	}
	if len(d.Failed) > 0 {
		w.par("  ", d.advice())
	}
}

// share says how many passed.
func (d *DomainDigest) share() string {
	switch {
	case d.Passed == 0:
		return "Nothing of that is proven to come from you"
	case d.Passed == d.Messages:
		return "All of that came from you"
	}
	return grouped(d.Passed) + " of them are proven to come from you"
}

// advice says what the policy does with what failed.
func (d *DomainDigest) advice() string {
	switch d.Policy {
	case "reject", "quarantine":
		return fmt.Sprintf("Your DMARC record (p=%s) asks other servers not to deliver what does not come from you, and most obey.", d.Policy)
	}
	return "Your DMARC record (p=none) lets other servers deliver what does not come from you. Once all that is really yours passes, write p=quarantine into it, and a month later p=reject."
}

func (s *Source) words(w *writer, d *DomainDigest) {
	who := s.IP
	if s.Name != "" {
		who += " (" + s.Name + ")"
	}
	fate := "delivered all the same"
	switch {
	case s.Stopped == s.Messages:
		fate = "refused or put into the spam folder"
	case s.Stopped > 0:
		fate = fmt.Sprintf("%s refused or put into the spam folder", grouped(s.Stopped))
	}
	w.WriteByte('\n')
	w.item(fmt.Sprintf("%s from %s did not pass: %s.", count(s.Messages, "message"), who, fate))
	switch {
	case s.Own:
		w.line("    ", fmt.Sprintf("This is your own server: its signature or its SPF record is wrong. Run `facteur dns %s` and publish what it says.", d.Domain))
	case s.Forwarded == s.Messages:
		w.line("    ", "They were forwarded, or came by a mailing list: nothing to do.")
	case len(s.Signed) > 0:
		w.line("    ", fmt.Sprintf("They were signed by %s. If that is a service you use (a newsletter, a shop, a printer), set it up to sign as %s; a mailing list is harmless.", listed(s.Signed), d.Domain))
	default:
		w.line("    ", "If you know this server, let it send through an account here; if not, somebody uses your name.")
	}
}

// tlsIn tells how others reached us.
func (d *Digest) tlsIn(w *writer) {
	if len(d.TLSIn) == 0 {
		return
	}
	w.title("How other servers reached you")
	for _, t := range d.TLSIn {
		w.par("", fmt.Sprintf("%s: %s with encryption, %s.", t.Domain, count(t.Good, "connection"), failures(t.Bad)))
		t.words(w, meaningToUs)
	}
}

// tlsOut tells how we reached others.
func (d *Digest) tlsOut(w *writer) {
	if len(d.TLSOut) == 0 {
		return
	}
	w.title("Trouble that this server had with the encryption of others")
	for _, t := range d.TLSOut {
		w.par("", fmt.Sprintf("%s: %s.", t.Domain, failures(t.Bad)))
		t.words(w, meaningToThem)
	}
	w.par("", "Mail that could not leave for such a reason waits in the queue, and its sender is told when it takes long. It is for the others to put right.")
}

func failures(n int64) string {
	if n == 0 {
		return "none failed"
	}
	return grouped(n) + " failed"
}

func (t *TLSDigest) words(w *writer, meaning map[string]string) {
	for _, f := range t.Trouble {
		line := fmt.Sprintf("%s times", grouped(f.Count))
		if f.Count == 1 {
			line = "once"
		}
		if f.MX != "" {
			line += " with " + f.MX
		}
		if f.Org != "" {
			line += ", says " + f.Org
		}
		text := meaning[f.Type]
		if text == "" {
			text = "the connection failed (" + f.Type + ")."
		}
		w.item(line + ": " + text)
		if f.Detail != "" {
			w.line("    ", "Detail: "+f.Detail)
		}
	}
}

// meaningToUs says what a failure (RFC 8460 4.3) means when others had it with us.
var meaningToUs = map[string]string{
	"starttls-not-supported":    "your server did not offer encryption. Is something between it and the world, or is another machine your MX?",
	"certificate-host-mismatch": "your certificate is for another name than your MX record has. Get one for the name of the server.",
	"certificate-expired":       "your certificate had ended. Renew it: a new file is read by itself.",
	"certificate-not-trusted":   "your certificate is not from an authority that others trust. With MTA-STS it must be.",
	"validation-failure":        "the check of your certificate failed.",
	"tlsa-invalid":              "your TLSA record does not fit your certificate. `facteur dns` shows the right one: publish it soon, for mail is held back.",
	"dnssec-invalid":            "the DNSSEC signatures of your domain are broken. Tell whoever runs your DNS; mail is held back.",
	"dane-required":             "they ask for DANE, which your domain does not have.",
	"sts-policy-fetch-error":    "your MTA-STS policy could not be fetched from the web server.",
	"sts-policy-invalid":        "your MTA-STS policy has a mistake.",
	"sts-webpki-invalid":        "the certificate of the web server with your MTA-STS policy is wrong.",
	"unspecified":               "they do not say why.",
}

// meaningToThem says what a failure means when we had it with others.
var meaningToThem = map[string]string{
	"starttls-not-supported":    "their server offers no encryption.",
	"certificate-host-mismatch": "their certificate is for another name.",
	"certificate-expired":       "their certificate has ended.",
	"certificate-not-trusted":   "their certificate is not from an authority that is trusted here.",
	"validation-failure":        "the encrypted connection could not be made.",
	"tlsa-invalid":              "their certificate is not the one that their DNS names (DANE).",
	"dnssec-invalid":            "the DNSSEC signatures of their domain are broken.",
	"dane-required":             "DANE is asked for, and they have none.",
	"sts-policy-fetch-error":    "their MTA-STS policy could not be fetched.",
	"sts-policy-invalid":        "their MTA-STS policy has a mistake.",
	"sts-webpki-invalid":        "the certificate of the web server with their MTA-STS policy is wrong.",
}

// here tells of this server now.
func (d *Digest) here(w *writer) {
	w.title("This server now")
	if d.Queue.Waiting == 0 {
		w.par("", "The queue is empty.")
	} else {
		w.par("", fmt.Sprintf("%s in the queue, the oldest since %s: `facteur queue list` says why.",
			count(int64(d.Queue.Waiting), "recipient"), d.Queue.Oldest.In(d.To.Location()).Format("2 January 15:04")))
	}
	if d.Queue.Held > 0 {
		w.line("", fmt.Sprintf("%s held back until you decide: `facteur queue release ID` sends one, `facteur queue drop ID` deletes it.", count(int64(d.Queue.Held), "message")))
	}
	for _, line := range d.Limits {
		w.line("", line)
	}
	if d.Sent > 0 {
		w.line("", fmt.Sprintf("%s went to others who asked for them.", count(int64(d.Sent), "report")))
	}
}
