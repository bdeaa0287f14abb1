package imapd

import (
	"errors"
	"io"
	"net"

	"facteur/server/fault"
)

// reply is an error that says how a command is answered.
type reply struct {
	kind string // NO or BAD
	code string // response code without brackets, or ""
	text string
}

// Error returns the text.
func (r *reply) Error() string { return r.text }

func no(code, text string) error { return &reply{"NO", code, text} }

func bad(code, text string) error { return &reply{"BAD", code, text} }

// errLater says that the tagged reply comes with settle.
var errLater = errors.New("the reply comes later")

// codes are the response codes (RFC 9051 7.1) for the kinds of faults. A kind
// that is not here is a bug of this server.
var codes = map[fault.Kind]string{
	fault.Unavailable:  "UNAVAILABLE",
	fault.OverQuota:    "OVERQUOTA",
	fault.TooLarge:     "TOOBIG",
	fault.TooMany:      "LIMIT",
	fault.TryLater:     "UNAVAILABLE",
	fault.Policy:       "NOPERM",
	fault.AuthFailed:   "AUTHENTICATIONFAILED",
	fault.AuthRequired: "AUTHORIZATIONFAILED",
	fault.NotFound:     "NONEXISTENT",
	fault.Exists:       "ALREADYEXISTS",
	fault.NotPossible:  "CANNOT",
	fault.Malformed:    "CANNOT",
}

// failure returns err as a reply, and logs what the peer must not see.
func (s *session) failure(what string, err error) *reply {
	f := fault.As(err)
	code, ok := codes[f.Kind]
	if !ok {
		code = "SERVERBUG"
	}
	switch {
	case (!ok || f.Cause != nil) && !clientGone(err):
		s.log.Warn("imapd.failed", "command", what, "error", err)
	default:
		s.log.Debug("imapd.refused", "command", what, "error", err)
	}
	return &reply{"NO", code, f.Text}
}

// clientGone tells an end of the connection from a failure of this server.
func clientGone(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// tryCreate is for commands that put something into a mailbox: when it is not
// there the client may make it (RFC 9051 7.1, TRYCREATE).
func tryCreate(err error) error {
	if fault.Is(err, fault.NotFound) {
		return no("TRYCREATE", fault.As(err).Text)
	}
	return err
}
