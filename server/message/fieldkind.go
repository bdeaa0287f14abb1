package message

// fieldKind tells fields apart that mean something here.
type fieldKind uint8

const (
	kindOther fieldKind = iota
	kindListed
	kindDate
	kindSubject
	kindFrom
	kindSender
	kindReplyTo
	kindTo
	kindCc
	kindBcc
	kindInReplyTo
	kindMessageID
	kindContentType
	kindContentEncoding
	kindContentDisposition
	kindContentID
	kindContentDescription
	kindContentLanguage
	kindContentLocation
	kindContentMD5
	fieldKinds
)

// maxListedName is at least the length of the longest name in kindOf.
const maxListedName = 32

// kindOf returns the kind of the field of that name; names have no case
// (RFC 5322 1.2.2). Those of kindListed are what mail clients ask for when they
// list a mailbox (Thunderbird, Apple Mail, Outlook, K-9, mutt, mbsync, imapflow,
// Roundcube), and what SORT, THREAD and filters look at.
func kindOf[T string | []byte](name T) fieldKind {
	var lowered [maxListedName]byte
	if len(name) > len(lowered) {
		return kindOther
	}
	for i := range len(name) {
		lowered[i] = lower(name[i])
	}
	switch string(lowered[:len(name)]) {
	case "date":
		return kindDate
	case "subject":
		return kindSubject
	case "from":
		return kindFrom
	case "sender":
		return kindSender
	case "reply-to":
		return kindReplyTo
	case "to":
		return kindTo
	case "cc":
		return kindCc
	case "bcc":
		return kindBcc
	case "in-reply-to":
		return kindInReplyTo
	case "message-id":
		return kindMessageID
	case "content-type":
		return kindContentType
	case "content-transfer-encoding":
		return kindContentEncoding
	case "content-disposition":
		return kindContentDisposition
	case "content-id":
		return kindContentID
	case "content-description":
		return kindContentDescription
	case "content-language":
		return kindContentLanguage
	case "content-location":
		return kindContentLocation
	case "content-md5":
		return kindContentMD5
	case "references", "newsgroups", "mime-version", "content-class", "organization",
		"priority", "x-priority", "x-msmail-priority", "importance", "sensitivity", "keywords",
		"list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-unsubscribe-post", "list-archive", "list-owner",
		"return-path", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "resent-to", "resent-from", "resent-date",
		"disposition-notification-to", "return-receipt-to", "x-confirm-reading-to", "mail-followup-to", "mail-reply-to", "followup-to",
		"auto-submitted", "precedence", "x-auto-response-suppress", "authentication-results", "archived-at", "thread-topic", "thread-index",
		"x-spam-status", "x-spam-flag", "x-spam-score", "x-spam-level", "x-spam", "x-spamd-bar", "x-label", "x-keywords", "x-mailer", "user-agent",
		"x-mozilla-status", "x-mozilla-keys", "x-identity-key", "x-account-key", "x-draft-info", "x-uniform-type-identifier",
		"x-universally-unique-identifier", "x-loop", "x-bogosity", "x-msg-ref", "x-tuid", "supersedes", "expires", "xref", "lines", "bimi-indicator":
		return kindListed
	}
	return kindOther
}

// Listed tells whether a Summary keeps the fields of that name.
func Listed(name string) bool { return kindOf(name) != kindOther }
