package imapd

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/emersion/go-imap/v2"

	"facteur/server/fault"
)

func no(code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

func bad(text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeBad, Code: imap.ResponseCodeClientBug, Text: text}
}

const useAttr imap.ResponseCode = "USEATTR" // RFC 6154 3

var (
	errReadOnly   = no(imap.ResponseCodeNoPerm, "The mailbox is selected read-only")
	errUnknownCTE = no(imap.ResponseCodeUnknownCTE, "The part can't be decoded") // RFC 3516 4.3
)

// codes are the response codes (RFC 9051 7.1) for the kinds of faults. A kind
// that is not here is a bug of this server.
var codes = map[fault.Kind]imap.ResponseCode{
	fault.Unavailable:  imap.ResponseCodeUnavailable,
	fault.OverQuota:    imap.ResponseCodeOverQuota,
	fault.TooLarge:     imap.ResponseCodeTooBig,
	fault.TooMany:      imap.ResponseCodeLimit,
	fault.TryLater:     imap.ResponseCodeUnavailable,
	fault.Policy:       imap.ResponseCodeNoPerm,
	fault.AuthFailed:   imap.ResponseCodeAuthenticationFailed,
	fault.AuthRequired: imap.ResponseCodeAuthorizationFailed,
	fault.NotFound:     imap.ResponseCodeNonExistent,
	fault.Exists:       imap.ResponseCodeAlreadyExists,
	fault.NotPossible:  imap.ResponseCodeCannot,
	fault.Malformed:    imap.ResponseCodeCannot,
}

// failure returns err as a reply, and logs what the peer must not see.
func (s *session) failure(what string, err error) error {
	f := fault.As(err)
	code, ok := codes[f.Kind]
	if !ok {
		code = imap.ResponseCodeServerBug
	}
	switch {
	case (!ok || f.Cause != nil) && !clientGone(err):
		s.log.Warn("imapd.failed", "command", what, "error", err)
	default:
		s.log.Debug("imapd.refused", "command", what, "error", err)
	}
	return no(code, f.Text)
}

// clientGone tells an end of the connection from a failure of this server.
func clientGone(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// tryCreate is failure for commands that put something into a mailbox
// (RFC 9051 7.1, TRYCREATE).
func (s *session) tryCreate(what string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return no(imap.ResponseCodeTryCreate, fault.As(err).Text)
	}
	return s.failure(what, err)
}

const (
	flagRecent  = "\\Recent" // of IMAP4rev1
	flagSeen    = "\\Seen"
	flagDeleted = "\\Deleted"
)

// systemFlags are those that can be stored (RFC 9051 2.3.2).
var systemFlags = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}

// storable turns the flags of a command into those of a message. \Recent is not
// the client's to change (RFC 3501 2.3.2) and is left out.
func storable(flags []imap.Flag) ([]string, error) {
	list := make([]string, 0, len(flags))
	for _, f := range flags {
		name := string(f)
		switch {
		case strings.EqualFold(name, flagRecent):
			continue
		case strings.HasPrefix(name, `\`) && !isSystemFlag(f):
			return nil, bad("There is no such system flag")
		}
		list = append(list, name)
	}
	return list, nil
}

func isSystemFlag(f imap.Flag) bool {
	for _, known := range systemFlags {
		if f == known {
			return true
		}
	}
	return false
}

// wireFlags turns the flags of a message into those of a reply. What is no flag
// (RFC 9051 9, flag) would end the connection and is left out: another program
// may have written it.
func wireFlags(flags []string) []imap.Flag {
	list := make([]imap.Flag, 0, len(flags)+1)
	for _, f := range flags {
		if isFlag(f) {
			list = append(list, imap.Flag(f))
		}
	}
	return list
}

func isFlag(f string) bool {
	f = strings.TrimPrefix(f, `\`)
	for i := 0; i < len(f); i++ {
		if c := f[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return f != ""
}
