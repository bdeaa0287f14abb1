package message

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// wrapAt is the width of the text for people.
const wrapAt = 72

// text writes the part for people: what happened, why, and what to do.
func (w *dsnWriter) text() []byte {
	var b bytes.Buffer
	action := w.Recipients[0].Action
	wrap(&b, "", "This is the mail server "+traceName(w.Hostname)+".")
	b.WriteString("\r\n")
	wrap(&b, "", w.opening(action))
	if subject := strings.Map(unprintable, w.header.Subject()); subject != "" {
		b.WriteString("\r\n")
		wrap(&b, "    ", "Subject: "+clipBytes(subject, 300))
	}
	for _, r := range w.Recipients {
		b.WriteString("\r\n" + r.Address.String() + "\r\n")
		if reply := r.said(); reply != "" {
			wrap(&b, "    ", reply)
		}
		if r.GaveUp {
			wrap(&b, "    ", "This server tried again and again since "+w.day(w.Arrival)+", and has now given up.")
		}
		if r.Action == Failed {
			wrap(&b, "    ", "What to do: "+r.advice())
		}
	}
	b.WriteString("\r\n")
	wrap(&b, "", w.closing(action))
	return b.Bytes()
}

func (w *dsnWriter) opening(action Action) string {
	your := "Your message"
	if !w.Arrival.IsZero() {
		your += " of " + w.day(w.Arrival)
	}
	whom := "to the recipient below"
	if len(w.Recipients) > 1 {
		whom = fmt.Sprintf("to the %d recipients below", len(w.Recipients))
	}
	switch action {
	case Delayed:
		until := ""
		if t := w.Recipients[0].RetryUntil; !t.IsZero() {
			until = ", until " + w.day(t)
		}
		return your + " could not be delivered " + whom + " so far. This server keeps trying" + until + "; you need not send it again."
	case Delivered:
		return your + " has been delivered " + whom + "."
	case Relayed:
		return your + " has been passed on " + whom + ", to a server that does not report delivery. There will be no further confirmation."
	}
	return your + " could not be delivered " + whom + "."
}

func (w *dsnWriter) closing(action Action) string {
	switch {
	case action == Failed && w.Full:
		return "Recipients not named here are not affected. The message is attached."
	case action == Failed:
		return "Recipients not named here are not affected. The header of the message is attached."
	case action == Delayed:
		return "Recipients not named here are not affected. You will be told if it fails for good."
	}
	return "You get this report because your mail program asked for it."
}

// day is a date for people.
func (w *dsnWriter) day(t time.Time) string {
	return t.In(w.Date.Location()).Format("2 January 2006, 15:04 -0700")
}

// said is the answer that decided.
func (r *ReportRecipient) said() string {
	reply := clipBytes(strings.Map(unprintable, r.Reply), 500)
	switch {
	case reply == "" || r.Action == Delivered:
		return ""
	case r.Remote != "":
		return "The server " + traceName(r.Remote) + " answered: " + reply
	}
	return reply
}

// advice tells the sender of a failed message what to do about a recipient.
func (r *ReportRecipient) advice() string {
	text := advice(r.Status)
	if r.Forwarded && (text == checkAddress || text == checkDomain || text == noMail) {
		return tellForwarder
	}
	return text
}

// advice tells the sender of a failed message what to do, by status code (RFC
// 3463). The longest prefix of a status without its class counts.
func advice(status string) string {
	_, detail, _ := strings.Cut(status, ".")
	subject, _, _ := strings.Cut(detail, ".")
	if text, ok := advices[detail]; ok {
		return text
	}
	if text, ok := advices[subject]; ok {
		return text
	}
	return "try again later, or reach the recipient in another way. If it happens again, show this report to whoever runs your mail server."
}

const (
	checkAddress  = "check the address for mistakes, above all the part before the @. If it is right, ask the recipient in another way for the current one."
	checkDomain   = "check the part of the address after the @ for mistakes: mail can't be sent there."
	noMail        = "the part of the address after the @ takes no mail at all. Check it for mistakes."
	tellForwarder = "the address is right, but mail to it goes on to another one that is not. Tell whoever looks after the address, or your postmaster."
	tellPeople    = "this is a mistake in how mail is forwarded on the recipient's side or on ours. Show this report to whoever runs your mail server."
	tryAgain      = "their server could not be reached or had no time. Try again later, or reach the recipient in another way."
	tooLarge      = "the message is larger than their server takes. Send large files in another way, such as a link."
	fullMailbox   = "the recipient's mailbox is full. Reach the recipient in another way, or try again later."
	refused       = "their server refuses the message by its rules. Reach the recipient in another way and pass on the answer above, or show this report to whoever runs your mail server."
	noEightBit    = "their server takes messages in plain ASCII only, and yours can't be changed without breaking its signature or encryption. Send it without those, or reach the recipient in another way."
	notSecret     = "the recipient's domain asks for encrypted and proven connections, and its server fails to offer one. The people there have to repair that: reach the recipient in another way."
	requiresTLS   = "you asked for encryption all the way to the recipient, and their server can't promise that. Send the message without that wish, or reach the recipient in another way."
	ourMistake    = "this is a mistake in the settings of your mail server. Show this report to whoever runs it."
	needASCII     = "their server does not take addresses or headers with such letters. Ask the recipient for an address in plain letters (a-z), and send from such an address."
)

// advices is by subject and detail, or by subject alone.
var advices = map[string]string{
	"1":    checkAddress,
	"1.2":  checkDomain,
	"1.8":  refused, // the sender's domain
	"1.7":  refused,
	"1.10": noMail,
	"2":    "the recipient's mailbox takes no mail at the moment. Reach the recipient in another way, or try again later.",
	"2.2":  fullMailbox,
	"2.3":  tooLarge,
	"3":    tryAgain,
	"3.4":  tooLarge,
	"4":    tryAgain,
	"4.4":  checkDomain,
	"4.6":  tellPeople,
	"5":    tryAgain,
	"6":    "their server can't take a message of this form. Send it in another form, such as plain text without attachments.",
	"6.3":  noEightBit,
	"6.7":  needASCII,
	"6.9":  needASCII,
	"7":    refused,
	"7.4":  notSecret,
	"7.5":  notSecret,
	"7.8":  ourMistake, // the login at the server that sends our mail on
	"7.10": requiresTLS,
	"7.30": requiresTLS,
}

// wrap writes a paragraph in lines of at most wrapAt characters where its words
// allow it, each with the indent.
func wrap(b *bytes.Buffer, indent, text string) {
	line := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case line == 0:
			b.WriteString(indent)
			line = len(indent)
		case line+1+n > wrapAt:
			b.WriteString("\r\n" + indent)
			line = len(indent)
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += n
	}
	b.WriteString("\r\n")
}
