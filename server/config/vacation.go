package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
)

// maxLetter is the greatest length of a text in mail.toml that has several lines, in octets.
const maxLetter = 64 << 10

var letterForm = texts("a text", func(s, _ string) (any, error) {
	switch {
	case len(s) > maxLetter:
		return nil, fmt.Errorf("this is longer than %d octets", maxLetter)
	case strings.TrimSpace(s) == "":
		return nil, hinted{"this is empty", "take the line out, or write something"}
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' }):
		return nil, errors.New("this holds a control character")
	}
	return s, nil
})

// dateForm reads a local date (RFC 3339 5.6 full-date).
var dateForm = &form{is: "a date such as 2027-01-04", kind: date, read: func(n *node, _ string) (any, error) {
	t, err := time.Parse(time.DateOnly, n.text)
	if err != nil {
		return nil, hinted{"this is no date", "write a day of the calendar without a time, 2027-01-04"}
	}
	y, m, d := t.Date()
	return hook.Date{Year: y, Month: int(m), Day: d}, nil
}}

// vacations reads the vacation of each account. The accounts are read by then.
func (a *assembler) vacations() map[address.Key]hook.AutoReply {
	made := make(map[address.Key]hook.AutoReply)
	var dir *directory.Directory // once it is needed
	for account, of := range entries[address.Address](a.root, "accounts") {
		n := of.get("vacation")
		if n == nil || n.kind != table {
			continue
		}
		v := hook.AutoReply{
			Text:      or(n, "", "text"),
			HTML:      or(n, "", "html"),
			Subject:   or(n, "", "subject"),
			From:      or(n, address.Address{}, "from"),
			Days:      or(n, -1, "days"),
			Addresses: all[address.Address](n, "addresses"),
			Handle:    or(n, "", "handle"),
			Start:     or(n, hook.Date{}, "start"),
			Stop:      or(n, hook.Date{}, "stop"),
		}
		if from := v.From; !from.IsZero() {
			if dir == nil {
				dir = directory.New(a.config.Directory)
			}
			if box, ok := dir.SoleBox(from); (!ok || box.Key() != account.Key()) && !dir.MaySendAs(account, from) {
				a.report.add(n.get("from").valueAt, fmt.Sprintf("%s may not send as %s", account, from), "write its own address or one of its aliases, or take the line out")
			}
		}
		a.checkVacation(of, n, v)
		made[account.Key()] = v
	}
	return made
}

// checkVacation tells what can't be meant.
func (a *assembler) checkVacation(account, n *node, r hook.AutoReply) {
	if n.get("text") == nil && n.get("html") == nil {
		a.report.add(n.keyAt, "this vacation has no text", `add a line vacation.text = "I read mail again on Monday."`)
	}
	if !r.Start.IsZero() && !r.Stop.IsZero() && r.Stop.String() < r.Start.String() {
		a.report.add(n.get("stop").valueAt, fmt.Sprintf("the vacation stops on %s, before it starts", r.Stop), "both days are included; write them in their order")
	}
	if account.get("redirect") != nil && !or(account, true, "keep") {
		a.report.add(n.keyAt, "nobody would be answered: with keep = false no mail arrives in this mailbox", "take keep = false out, or the vacation")
	}
}
