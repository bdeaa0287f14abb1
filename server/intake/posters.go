package intake

import (
	"slices"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/message"
	"facteur/server/senderauth"
)

// mayPost refuses those who may not write to an alias (posters), by the login or by the
// reverse-path. Mail of this server itself may go anywhere.
func (tx *Transaction) mayPost(live *Settings, to address.Address) error {
	list, closed := live.Directory.Closed(to)
	switch {
	case !closed || tx.injected != "", list.Admits(tx.account), list.Admits(tx.sender.ReversePath):
		return nil
	}
	return notPoster(list)
}

// notPoster is the answer to who may not write to an alias (RFC 3463 3.8: X.7.2).
func notPoster(list directory.ClosedList) error {
	who := map[directory.PosterRule]string{
		directory.PostersMembers: "its members",
		directory.PostersDomain:  "addresses of " + string(list.Address.Domain),
		directory.PostersListed:  "certain people",
	}[list.Rule]
	return fault.Reply(fault.Policy, 550, "5.7.2", "Only "+who+" may write to "+list.Address.String())
}

// checkAuthor refuses mail to a closed alias that says to be from one who may write to it,
// when nothing shows that it is: a reverse-path alone can be made up. A login was checked
// already (checkHeader); who is exempt from the policies of others, and a program on this
// machine (LMTP), is believed.
func (tx *Transaction) checkAuthor(live *Settings, h *message.Header) error {
	lists := slices.Clone(tx.closed)
	for _, r := range tx.rcpts {
		if list, closed := live.Directory.Closed(r.ForwardPath); closed {
			lists = append(lists, list)
		}
	}
	if len(lists) == 0 || tx.injected != "" || !tx.account.IsZero() || tx.sess.Listener == lmtp {
		return nil
	}
	authors, ok := h.Addresses("From")
	var author address.Address
	if ok && len(authors) == 1 {
		author = authors[0]
	}
	for _, list := range lists {
		if !list.Admits(author) {
			return notPoster(list)
		}
	}
	if !tx.verified() || tx.facts(live).Exempt {
		return nil
	}
	r := tx.auth
	switch {
	case r.DMARC.Result == senderauth.Pass, r.DMARC.SPFAligned, r.DMARC.DKIMAligned, r.ARC.Trusted:
		return nil
	case r.DMARC.Result == senderauth.TempError, r.SPF.Result == senderauth.TempError:
		return fault.Reply(fault.TryLater, 451, "4.7.0", "No answer from the DNS for "+string(author.Domain)+", try again later")
	}
	return fault.Reply(fault.Policy, 550, "5.7.2", "Nothing shows that this is from "+author.String()+
		": neither SPF nor DKIM passes for "+string(author.Domain)+", and only certain people may write to "+lists[0].Address.String())
}
