package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// What ends a SASL exchange early, besides an error of ask.
var (
	ErrCancelled = errors.New("auth: the client cancelled the SASL exchange")
	ErrBase64    = errors.New("auth: a SASL response that is not base64")
	ErrResponse  = errors.New("auth: a SASL response that the mechanism does not have")
	ErrProxy     = errors.New("auth: a login for somebody else")
	ErrMechanism = errors.New("auth: an unknown SASL mechanism")
)

// Exchange is the server's side of a SASL exchange (RFC 4422 3), base64 on the
// wire as in SMTP, POP3 and IMAP. The mechanisms are PLAIN (RFC 4616) and LOGIN
// (draft-murchison-sasl-login), in upper or lower case. initial is the initial
// response, "" without one and "=" for an empty one (RFC 4954 4, RFC 5034 4, RFC
// 4959 3). ask sends a challenge, and returns the line that answers it.
func Exchange(mechanism, initial string, ask func(challenge string) (string, error)) (name, password string, err error) {
	respond := func(challenge string) (string, error) {
		switch answer := initial; {
		case answer == "=":
			initial = ""
			return "", nil
		case answer != "":
			initial = ""
			return decode(answer)
		}
		line, err := ask(base64.StdEncoding.EncodeToString([]byte(challenge)))
		switch {
		case err != nil:
			return "", err
		case line == "*":
			return "", ErrCancelled
		}
		return decode(line)
	}
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		return plain(respond)
	case "LOGIN":
		return login(respond)
	}
	return "", "", ErrMechanism
}

func decode(line string) (string, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil {
		return "", ErrBase64
	}
	return string(b), nil
}

// plain is PLAIN (RFC 4616 2): authorization identity, name, password.
func plain(respond func(challenge string) (string, error)) (name, password string, err error) {
	message, err := respond("")
	if err != nil {
		return "", "", err
	}
	parts := strings.Split(message, "\x00")
	if len(parts) != 3 || parts[1] == "" || !utf8.ValidString(message) {
		return "", "", ErrResponse
	}
	if parts[0] != "" && !strings.EqualFold(parts[0], parts[1]) {
		return "", "", ErrProxy
	}
	return parts[1], parts[2], nil
}

// login is LOGIN: name and password, each asked for.
func login(respond func(challenge string) (string, error)) (name, password string, err error) {
	if name, err = respond("Username:"); err != nil {
		return "", "", err
	}
	if password, err = respond("Password:"); err != nil {
		return "", "", err
	}
	if name == "" || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", "", ErrResponse
	}
	return name, password, nil
}
