package password

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
)

// An app password is deviceLength digits of base 32 (RFC 4648 6, in lower
// case), 5 bits each. Its line in mail.toml is
//
//	sha256:<the first deviceID digits>:<SHA-256 of all digits, in base64url>
//
// A fast hash is enough: 110 bits are left for who knows the line.
const (
	deviceAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	deviceLength   = 26
	deviceID       = 4
	deviceGroup    = 5
	deviceScheme   = "sha256:"
)

// NewDevice makes an app password. It returns what the person types, in groups,
// and the line for mail.toml.
func NewDevice() (password, line string) {
	random := make([]byte, deviceLength)
	rand.Read(random) // never fails (crypto/rand)
	digits := make([]byte, deviceLength)
	for i, b := range random {
		digits[i] = deviceAlphabet[b%32]
	}
	return grouped(string(digits)), deviceLine(string(digits))
}

func grouped(digits string) string {
	var b strings.Builder
	for i := range digits {
		// The last group takes the one digit that is left over.
		if i > 0 && i%deviceGroup == 0 && i < len(digits)-1 {
			b.WriteByte('-')
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}

func deviceLine(digits string) string {
	sum := sha256.Sum256([]byte(digits))
	return deviceScheme + digits[:deviceID] + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// DeviceDigits returns the digits of what may be an app password: without
// dashes and spaces, in lower case. ok is false when it can't be one.
func DeviceDigits(password string) (digits string, ok bool) {
	if len(password) > 2*deviceLength {
		return "", false
	}
	digits = strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(password))
	ok = len(digits) == deviceLength && strings.Trim(digits, deviceAlphabet) == ""
	return digits, ok
}

// MatchDevice tells whether line is of the app password with these digits.
func MatchDevice(line, digits string) bool {
	if len(digits) != deviceLength || !strings.HasPrefix(line, deviceScheme+digits[:deviceID]+":") {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(line), []byte(deviceLine(digits))) == 1
}

// CheckDevice tells what is wrong with the line of an app password.
func CheckDevice(line string) error {
	rest, ok := strings.CutPrefix(line, deviceScheme)
	id, sum, colon := strings.Cut(rest, ":")
	hash, err := base64.RawURLEncoding.DecodeString(sum)
	if !ok || !colon || err != nil || len(id) != deviceID || strings.Trim(id, deviceAlphabet) != "" || len(hash) != sha256.Size {
		return errors.New("this is not the line of an app password")
	}
	return nil
}
