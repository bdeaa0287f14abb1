package auth

import (
	"encoding/base64"
	"errors"
	"testing"
)

func TestExchange(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	broken := errors.New("the connection is gone")
	for _, c := range []struct {
		name, mechanism, initial string
		lines                    []string // what the client answers; none left: broken
		user, password           string
		err                      error
	}{
		{"plain", "PLAIN", "", []string{b64("\x00tim\x00tanstaaftanstaaf")}, "tim", "tanstaaftanstaaf", nil}, // RFC 4616 4
		{"plain at once", "plain", b64("\x00tim\x00x"), nil, "tim", "x", nil},
		{"plain as oneself", "PLAIN", b64("Tim\x00tim\x00x"), nil, "tim", "x", nil},
		{"plain for another", "PLAIN", b64("Ursel\x00Kurt\x00xipj3plmq"), nil, "", "", ErrProxy}, // RFC 4616 4
		{"plain, empty", "PLAIN", "=", nil, "", "", ErrResponse},
		{"plain, two parts", "PLAIN", b64("tim\x00x"), nil, "", "", ErrResponse},
		{"plain, four parts", "PLAIN", b64("\x00tim\x00x\x00y"), nil, "", "", ErrResponse},
		{"plain, no name", "PLAIN", b64("\x00\x00x"), nil, "", "", ErrResponse},
		{"plain, no UTF-8", "PLAIN", b64("\x00tim\x00\xff"), nil, "", "", ErrResponse},
		{"plain, no base64", "PLAIN", "???", nil, "", "", ErrBase64},
		{"plain, loose base64", "PLAIN", "AHRpbQB4eB==", nil, "", "", ErrBase64},
		{"plain, cancelled", "PLAIN", "", []string{"*"}, "", "", ErrCancelled},
		{"plain, broken", "PLAIN", "", nil, "", "", broken},
		{"login", "LOGIN", "", []string{b64("tim"), b64("x")}, "tim", "x", nil},
		{"login, name at once", "login", b64("tim"), []string{b64("x")}, "tim", "x", nil},
		{"login, empty password", "LOGIN", "", []string{b64("tim"), ""}, "tim", "", nil},
		{"login, empty name", "LOGIN", "=", []string{b64("x")}, "", "", ErrResponse},
		{"login, NUL in the name", "LOGIN", b64("ti\x00m"), []string{b64("x")}, "", "", ErrResponse},
		{"login, cancelled", "LOGIN", b64("tim"), []string{"*"}, "", "", ErrCancelled},
		{"unknown", "CRAM-MD5", "", nil, "", "", ErrMechanism},
	} {
		t.Run(c.name, func(t *testing.T) {
			challenges := map[string]string{"PLAIN": "", "LOGIN": "VXNlcm5hbWU6"}
			user, password, err := Exchange(c.mechanism, c.initial, func(challenge string) (string, error) {
				if want, ok := challenges[c.mechanism]; ok && c.initial == "" && challenge != want {
					t.Errorf("challenge %q, want %q", challenge, want)
				}
				challenges["LOGIN"] = "UGFzc3dvcmQ6"
				if len(c.lines) == 0 {
					return "", broken
				}
				line := c.lines[0]
				c.lines = c.lines[1:]
				return line, nil
			})
			if user != c.user || password != c.password || err != c.err {
				t.Errorf("%q, %q, %v", user, password, err)
			}
		})
	}
}
