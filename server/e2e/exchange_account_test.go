package e2e

import (
	"io"
	"mime/quotedprintable"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"facteur/server/testkit"
)

// ticket is a message for one of its recipients.
type ticket struct {
	number int
	to     string
}

// ledger is what became of the messages.
type ledger struct {
	copies    map[ticket]int
	bounces   map[ticket]int
	handovers map[ticket][]testkit.Handover // in their order

	delivered, bounced, both, unsure int // tickets
	unanswered, uncounted            int // copies too many: no answer came; the sender was killed then
}

// account compares what was taken with what is there.
func (x *exchange) account() {
	l := x.ledger()
	for _, s := range x.sites {
		for _, p := range s.parcels {
			for _, to := range p.to {
				x.settle(l, s, p, ticket{p.number, to})
			}
		}
	}
	x.tb.Logf("%s", x.weather())
	x.tb.Logf("of %d messages for one recipient each: %d delivered, %d refused and reported, %d both (no answer, then a refusal), %d never taken; "+
		"delivered again: %d because no answer came, %d because the sender was killed before it could note the answer",
		l.delivered+l.bounced+l.both+l.unsure, l.delivered, l.bounced, l.both, l.unsure, l.unanswered, l.uncounted)
	if l.delivered == 0 {
		x.tb.Fatal("the exchange came to nothing")
	}
}

// ledger reads all mailboxes and the notes of the proxies.
func (x *exchange) ledger() *ledger {
	l := &ledger{copies: make(map[ticket]int), bounces: make(map[ticket]int), handovers: make(map[ticket][]testkit.Handover)}
	for _, s := range x.sites {
		mail, err := s.host.mail()
		if err != nil {
			x.tb.Fatal(err)
		}
		for address, texts := range mail {
			for _, text := range texts {
				x.enter(l, address, text)
			}
		}
		for _, p := range s.proxies {
			for _, h := range p.Handovers() {
				if n, err := strconv.Atoi(h.ID); err == nil {
					l.handovers[ticket{n, h.To}] = append(l.handovers[ticket{n, h.To}], h)
				}
			}
		}
	}
	for _, list := range l.handovers {
		slices.SortFunc(list, func(a, b testkit.Handover) int { return a.At.Compare(b.At) })
	}
	return l
}

var finalRecipient = regexp.MustCompile(`(?m)^Final-Recipient: rfc822; *(\S+?)\r?$`)

// enter counts a message in a mailbox.
func (x *exchange) enter(l *ledger, address, text string) {
	m := parcelNumber.FindStringSubmatch(text)
	if m == nil {
		x.tb.Errorf("a message of nobody in the mailbox of %s:\n%s", address, text)
		return
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n >= len(x.posts) {
		x.tb.Errorf("a message with the number %s in the mailbox of %s", m[1], address)
		return
	}
	p := x.posts[n]
	if address != p.from {
		if l.copies[ticket{n, address}]++; !p.is(text) {
			x.tb.Errorf("number %d for %s is not as it was sent:\n%.3000s", n, address, text)
		}
		return
	}
	failed := finalRecipient.FindAllStringSubmatch(text, -1)
	if len(failed) == 0 || !strings.Contains(strings.Join(strings.Fields(text), " "), testkit.Weather) {
		x.tb.Errorf("%s got this, not a report of a refusal:\n%s", address, text)
	}
	for _, to := range failed {
		l.bounces[ticket{n, to[1]}]++
	}
}

// is tells whether a text in a mailbox is the message: its own header at the end of
// the header, its body as it was sent, or quoted where a server was on the way that
// did not take 8 bits (RFC 6152 3).
func (p *parcel) is(text string) bool {
	if strings.HasSuffix(text, p.text()) {
		return true
	}
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	ownHead, ownBody, _ := strings.Cut(p.text(), "\r\n\r\n")
	ownHead = strings.Replace(ownHead, "8bit", "quoted-printable", 1)
	plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	return err == nil && strings.HasSuffix(head, ownHead) && string(plain) == ownBody
}

// settle compares what became of a message for one recipient with what may.
func (x *exchange) settle(l *ledger, from *site, p *parcel, t ticket) {
	copies, bounces, handovers := l.copies[t], l.bounces[t], l.handovers[t]
	wrong := func(what string) {
		x.tb.Errorf("%s: number %d from %s to %s: %d copies, %d reports, state %d, handed over %+v", what, t.number, p.from, t.to, copies, bounces, p.state, handovers)
	}
	switch {
	case p.state == taken && copies+bounces == 0:
		wrong("LOST")
	case bounces > 1:
		wrong("reported twice")
	case copies > len(handovers):
		wrong("made by the receiver")
	}
	acknowledged, again := 0, max(copies-1, 0)
	for i, h := range handovers {
		if strings.HasPrefix(h.Reply, "2") {
			acknowledged++
		}
		last := i == len(handovers)-1 && bounces == 0
		switch {
		case last:
		case h.Answered.IsZero():
			l.unanswered += min(again, 1)
			again--
		case strings.HasPrefix(h.Reply, "2") && from.host.killed(h.Since, h.Answered):
			l.uncounted += min(again, 1)
			again--
		case strings.HasPrefix(h.Reply, "2"):
			wrong("sent again although it was answered")
		}
	}
	if copies < acknowledged {
		wrong("LOST by the receiver")
	}
	switch {
	case copies > 0 && bounces > 0:
		l.both++
	case copies > 0:
		l.delivered++
	case bounces > 0:
		l.bounced++
	default:
		l.unsure++
	}
}
