package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"
)

// errResponse is the answer to a SASL response that can't be read.
var errResponse = &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Malformed SASL response"}

// plainServer is the mechanism PLAIN (RFC 4616).
type plainServer struct {
	login func(name, password string) error
}

// Next is that of sasl.Server.
func (p *plainServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil { // nil is the empty challenge; imapserver writes an empty slice as "="
		return nil, false, nil
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 {
		return nil, false, errResponse
	}
	authzID, authcID, password := parts[0], parts[1], parts[2]
	if authzID != "" && authzID != authcID {
		return nil, false, no(imap.ResponseCodeAuthorizationFailed, "Logging in for someone else is not possible")
	}
	return nil, true, p.login(authcID, password)
}

// loginServer is the mechanism LOGIN (draft-murchison-sasl-login).
type loginServer struct {
	login func(name, password string) error
	name  *string
}

// Next is that of sasl.Server.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.name == nil:
		name := string(response)
		l.name = &name
		return []byte("Password:"), false, nil
	}
	return nil, true, l.login(*l.name, string(response))
}
