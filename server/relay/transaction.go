package relay

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/message"
)

// transaction is the state of an attempt.
type transaction struct {
	msg        Message
	results    []Result
	told       []bool // a result was set
	open       []int  // recipients that are not done
	fresh      []int  // recipients that are done and of which tell has not told
	utf8Header bool   // the header can only travel with SMTPUTF8
	waivesTLS  bool   // the author prefers delivery to encryption (RFC 8689 5)
	seven      seven  // the message without 8-bit content
}

func newTransaction(m Message) *transaction {
	t := &transaction{msg: m, results: make([]Result, len(m.Recipients)), told: make([]bool, len(m.Recipients))}
	for i := range m.Recipients {
		t.open = append(t.open, i)
	}
	// A header that can't be read is sent as it is; it has come here so.
	if h, err := message.ReadHeader(m.Body); err == nil {
		t.utf8Header = m.Sender.SMTPUTF8 && slices.ContainsFunc(h.Bytes(), func(c byte) bool { return c >= utf8.RuneSelf })
		// RFC 8689 5: REQUIRETLS takes precedence.
		t.waivesTLS = !m.Sender.RequireTLS && slices.ContainsFunc(h.RawValues("TLS-Required"), func(v string) bool {
			return strings.EqualFold(strings.TrimSpace(v), "no")
		})
	}
	return t
}

// final ends a recipient.
func (t *transaction) final(i int, r Result) {
	t.soft(i, r)
	t.open = slices.DeleteFunc(t.open, func(j int) bool { return i == j })
	t.fresh = append(t.fresh, i)
}

// tell tells what is done for good.
func (t *transaction) tell() {
	done := make(map[int]Result)
	for _, i := range t.fresh {
		if r := t.results[i]; r.Fault == nil || !fault.Temporary(r.Fault) {
			done[i] = r
		}
	}
	t.fresh = nil
	if len(done) > 0 && t.msg.Done != nil {
		t.msg.Done(done)
	}
}

// soft sets what becomes of a recipient if no other server takes it.
func (t *transaction) soft(i int, r Result) { t.results[i], t.told[i] = r, true }

// refused takes the refusal of a recipient.
func (t *transaction) refused(i int, r Result) {
	if fault.Temporary(r.Fault) {
		t.soft(i, r)
		return
	}
	t.final(i, r)
}

// hostFailed takes the failure of a server as a whole. The next may do better, so
// it ends no recipient; and one failure for the moment outweighs those for good.
func (t *transaction) hostFailed(r Result) {
	for _, i := range t.open {
		if !t.told[i] || fault.Temporary(r.Fault) || !fault.Temporary(t.results[i].Fault) {
			t.soft(i, r)
		}
	}
}

// finish returns the results.
func (t *transaction) finish() []Result {
	for i := range t.results {
		if !t.told[i] {
			t.results[i].Fault = fault.New(fault.Undeliverable, "The attempt was cut short").AsTemporary()
		}
	}
	return t.results
}

// run carries out the mail transaction with a server for the open recipients. again
// tells that a session that had been kept ended before its server took up the
// message: that is no failure, and a new session is to be tried.
func (t *transaction) run(c *client) (again bool) {
	recipients := t.acceptable(c)
	if len(recipients) == 0 {
		return false
	}
	kept := c.uses > 0
	c.uses++
	lines := t.commands(c, recipients)
	d := &dialog{c: c, lines: lines}
	if c.dirty {
		d.lines = slices.Insert(d.lines, 0, "RSET")
		if r, err := d.next(); err != nil || r.code != 250 {
			return t.unfit(c, recipients, r, err, kept)
		}
	}
	c.dirty = true
	r, err := d.next() // to MAIL
	if err != nil || r.code/100 != 2 {
		if kept && (err != nil || r.code/100 == 4) {
			c.broken = true
			return true
		}
		t.refusedAll(recipients, c.result(r, err))
		d.giveUp()
		return false
	}
	if recipients = t.rcpt(d, recipients); len(recipients) == 0 {
		d.giveUp()
		return false
	}
	if r, err := d.next(); err != nil || r.code != 354 { // to DATA
		if err == nil && r.code < 400 {
			err = errProtocol
		}
		t.refusedAll(recipients, c.result(r, err))
		return false
	}
	t.data(c, recipients)
	return false
}

// unfit ends a session that can't even be reset.
func (t *transaction) unfit(c *client, recipients []int, r reply, err error, kept bool) bool {
	if err == nil && r.code < 400 {
		err = errProtocol
	}
	if !kept {
		t.refusedAll(recipients, c.result(r, err))
	}
	c.broken = true
	return kept
}

// commands are those of a transaction up to DATA.
func (t *transaction) commands(c *client, recipients []int) []string {
	lines := make([]string, 0, len(recipients)+3)
	lines = append(lines, t.mailCommand(c, recipients))
	for _, i := range recipients {
		lines = append(lines, t.rcptCommand(c, t.msg.Recipients[i]))
	}
	return append(lines, "DATA")
}

// refusedAll takes the refusal of several recipients.
func (t *transaction) refusedAll(recipients []int, r Result) {
	for _, i := range recipients {
		t.refused(i, r)
	}
}

// rcpt takes the answers to RCPT and returns the recipients that the server takes.
func (t *transaction) rcpt(d *dialog, recipients []int) []int {
	var taken []int
	for n, i := range recipients {
		reply, err := d.next()
		res := d.c.result(reply, err)
		if d.c.broken { // for those before and those to come too
			t.refusedAll(append(slices.Clone(recipients[n:]), taken...), res)
			return nil
		}
		if res.Fault == nil {
			taken = append(taken, i)
			continue
		}
		if tooMany(reply) {
			res.Fault = res.Fault.AsTemporary()
		}
		t.refused(i, res)
	}
	return taken
}

// tooMany tells whether a reply to RCPT means "too many recipients", which some
// servers say as if for good (RFC 5321 4.5.3.1.10).
func tooMany(r reply) bool {
	return r.code == 552 && (r.enhanced() == "" || r.enhanced() == "5.5.3")
}

// earlyReply is how long to wait for the reason of a server that broke off.
const earlyReply = 5 * time.Second

// data sends the content and takes the answer for all recipients.
func (t *transaction) data(c *client, recipients []int) {
	if c.r.Buffered() > 0 { // an answer to what was not sent yet
		c.broken = true
		t.refusedAll(recipients, c.result(reply{}, errProtocol))
		return
	}
	sent, err := c.content(t.body(c))
	var answer reply
	switch {
	case fault.Is(err, fault.Internal):
		c.broken = true // the content is not complete and must not be ended
		t.refusedAll(recipients, Result{Fault: fault.As(err)})
		return
	case err == nil:
		if answer, err = c.reply(c.timeouts.Final); err == nil && answer.code/100 == 3 {
			err = errProtocol // whatever that means
		}
	default:
		// A server that has enough may say why before it closes.
		if early, readErr := c.reply(earlyReply); readErr == nil && early.code >= 400 {
			answer, err = early, nil
		}
		c.broken = true
	}
	c.dirty = false // RFC 5321 4.1.1.4: whatever the answer, the buffers are cleared
	res := c.result(answer, err)
	if res.Fault == nil || err != nil && sent {
		for _, i := range recipients {
			t.final(i, res) // taken, or perhaps taken (RFC 5321 4.5.3.2.6): no other server
		}
		return
	}
	t.refusedAll(recipients, res)
}

// acceptable returns the open recipients to which the server can take the message
// at all, and ends the others.
func (t *transaction) acceptable(c *client) []int {
	var recipients []int
	for _, i := range slices.Clone(t.open) {
		if f := t.impossible(c, t.msg.Recipients[i]); f != nil {
			t.final(i, Result{Fault: f, TLS: c.tls})
			continue
		}
		recipients = append(recipients, i)
	}
	return recipients
}

// impossible tells why the server can't take the message for a recipient.
func (t *transaction) impossible(c *client, rcpt envelope.Recipient) *fault.Fault {
	if f := t.convertible(c); f != nil {
		return f
	}
	octets := t.body(c).Size()
	if size, err := strconv.ParseInt(c.ext["SIZE"], 10, 64); err == nil && size > 0 && octets > size {
		return fault.Reply(fault.TooLarge, 552, "5.3.4", "The message has "+strconv.FormatInt(octets, 10)+" octets; "+c.host+" takes at most "+strconv.FormatInt(size, 10))
	}
	if c.offers("SMTPUTF8") {
		return nil
	}
	switch { // RFC 6531 3.5
	case t.msg.Sender.ReversePath.NeedsUTF8():
		return fault.Reply(fault.Unsupported, 553, "5.6.7", c.host+" does not support addresses like that of the sender (SMTPUTF8)")
	case rcpt.ForwardPath.NeedsUTF8():
		return fault.Reply(fault.Unsupported, 553, "5.6.7", c.host+" does not support addresses like this one (SMTPUTF8)")
	case t.utf8Header:
		return fault.Reply(fault.Unsupported, 554, "5.6.9", c.host+" does not support headers like that of this message (SMTPUTF8)")
	}
	return nil
}
