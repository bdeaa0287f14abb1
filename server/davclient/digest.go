package davclient

import (
	"crypto/md5" // RFC 7616 3.2: servers that know nothing else are the ones in use
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
)

// challenge is what a server wants that takes no password as it stands (RFC 7616 3.3).
type challenge struct {
	realm, nonce, opaque string
	algorithm            string // as it was named; "": MD5
	qop                  bool   // auth; else as RFC 2069 had it
	count                int    // of the requests with this nonce
}

// digestOf finds a challenge that can be met, in an answer that does not offer Basic.
func digestOf(h http.Header) *challenge {
	var found *challenge
	for _, one := range challenges(strings.Join(h.Values("WWW-Authenticate"), ", ")) {
		switch one.scheme {
		case "basic":
			return nil // which was refused
		case "digest":
			c := &challenge{realm: one.params["realm"], nonce: one.params["nonce"], opaque: one.params["opaque"], algorithm: one.params["algorithm"]}
			qop, named := one.params["qop"]
			c.qop = slices.ContainsFunc(strings.Split(qop, ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "auth") })
			if found == nil && c.nonce != "" && c.hash() != nil && (c.qop || !named) {
				found = c // the one that the server likes most comes first (RFC 7616 3.7)
			}
		}
	}
	return found
}

func (c *challenge) hash() hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(c.algorithm), "-SESS") {
	case "", "MD5":
		return md5.New()
	case "SHA-256":
		return sha256.New()
	}
	return nil
}

// answer is the value of Authorization for a request (RFC 7616 3.4).
func (c *challenge) answer(r *http.Request, login, password string) string {
	var random [16]byte
	rand.Read(random[:]) // it never fails (crypto/rand)
	return c.answerWith(hex.EncodeToString(random[:]), r.Method, r.URL.RequestURI(), login, password)
}

func (c *challenge) answerWith(cnonce, method, uri, login, password string) string {
	sum := func(parts ...string) string {
		h := c.hash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	c.count++
	nc := fmt.Sprintf("%08x", c.count)
	secret, request := sum(login, c.realm, password), sum(method, uri)
	if strings.HasSuffix(strings.ToUpper(c.algorithm), "-SESS") {
		secret = sum(secret, c.nonce, cnonce)
	}
	response := sum(secret, c.nonce, request)
	if c.qop {
		response = sum(secret, c.nonce, nc, cnonce, "auth", request)
	}
	var b strings.Builder
	quoted := func(name, value string) {
		fmt.Fprintf(&b, `, %s="%s"`, name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
	}
	quoted("username", login)
	quoted("realm", c.realm)
	quoted("nonce", c.nonce)
	quoted("uri", uri)
	quoted("response", response)
	if c.opaque != "" {
		quoted("opaque", c.opaque)
	}
	if c.algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", c.algorithm)
	}
	if c.qop {
		fmt.Fprintf(&b, ", qop=auth, nc=%s", nc)
		quoted("cnonce", cnonce)
	}
	return "Digest " + b.String()[2:]
}

// offered is one way to log in that a server offers.
type offered struct {
	scheme string            // in lower case
	params map[string]string // names in lower case
}

// challenges reads WWW-Authenticate: schemes with parameters, all between commas (RFC 9110
// 11.6.1). What is no parameter is passed over.
func challenges(s string) (out []offered) {
	for s = strings.TrimLeft(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
		end := strings.IndexAny(s, " \t,=")
		if end < 0 {
			end = len(s)
		}
		name := strings.ToLower(s[:end])
		rest := strings.TrimLeft(s[end:], " \t")
		if value, ok := strings.CutPrefix(rest, "="); ok {
			value, s = token(strings.TrimLeft(value, " \t"))
			if len(out) > 0 {
				out[len(out)-1].params[name] = value
			}
			continue
		}
		out = append(out, offered{name, make(map[string]string)})
		s = rest
	}
	return out
}

// token cuts a value off, which may stand in quotes.
func token(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t,")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
