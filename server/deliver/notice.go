package deliver

import (
	"fmt"

	"facteur/server/address"
	"facteur/server/redirect"
)

// overLimit tells an owner that some mail was kept instead of being sent on.
func overLimit(account address.Address) Notice {
	return Notice{
		To:      account,
		Subject: "Some mail was not sent on",
		Text: fmt.Sprintf("More mail came to %s than may be sent on from there: %d messages in an hour, %d in a day.\n"+
			"What is over that is kept in the mailbox here, and nothing is lost.\n\n"+
			"This notice comes at most once a day.\n", account, redirect.PerHour, redirect.PerDay),
	}
}

// Paused tells the owner of a redirection, or the postmaster, that its target is not sent
// to for now.
func Paused(p redirect.Pause, to address.Address) Notice {
	return Notice{
		To:      to,
		Subject: "Mail is not sent on to " + p.Target.String(),
		Text: fmt.Sprintf("%s sends mail on to %s, which has been refused since %s:\n\n    %s\n\n"+
			"Nothing is sent there for now but one message a day, which shows when it works again. Until then mail for an account is kept\n"+
			"in its mailbox here, and mail for an alias waits.\n\n"+
			"Please correct or remove the address.\n", p.Forwarder, p.Target, p.Since.Format("2 January 2006 15:04 MST"), p.Reply),
	}
}
