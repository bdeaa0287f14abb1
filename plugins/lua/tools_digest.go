package lua

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// digest returns the digest of a text, in hex.
func (s *state) digest(h hash.Hash, text string) int {
	s.work(len(text) / 32)
	_, _ = io.WriteString(h, text) // never fails
	return s.push(s.text(hex.EncodeToString(h.Sum(nil))))
}

// hashSHA256 is hash.sha256(s).
func hashSHA256(s *state) int { return s.digest(sha256.New(), s.str(1)) }

// hashSHA1 is hash.sha1(s): for protocols that ask for it.
func hashSHA1(s *state) int { return s.digest(sha1.New(), s.str(1)) }

// hashMD5 is hash.md5(s): for protocols that ask for it.
func hashMD5(s *state) int { return s.digest(md5.New(), s.str(1)) }

// hmacSHA256 is hmac.sha256(key, s) (RFC 2104).
func hmacSHA256(s *state) int {
	key := s.str(1)
	s.work(len(key) / 32)
	return s.digest(hmac.New(sha256.New, []byte(key)), s.str(2))
}

// base64Encode is base64.encode(s) (RFC 4648 4).
func base64Encode(s *state) int {
	text := s.str(1)
	s.build(base64.StdEncoding.EncodedLen(len(text)))
	return s.push(lua.LString(base64.StdEncoding.EncodeToString([]byte(text))))
}

// base64Decode is base64.decode(s): either alphabet (RFC 4648 4, 5), with or
// without padding and line breaks.
func base64Decode(s *state) int {
	text := s.str(1)
	s.need(2 * len(text))
	s.build(base64.StdEncoding.DecodedLen(len(text)))
	plain := strings.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case '\r', '\n', ' ', '\t':
			return -1
		}
		return r
	}, text)
	out, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain, "="))
	if err != nil {
		return s.failed(errors.New("not base64"))
	}
	return s.push(lua.LString(out))
}
