package testkit

import (
	"encoding/base64"
	"strings"
)

// mechanisms are those of AUTH: both, or what an extension "X-AUTH ..." says instead.
func (p *Peer) mechanisms() string {
	for _, e := range p.opts.Extensions {
		if m, ok := strings.CutPrefix(e, "X-AUTH "); ok {
			return m
		}
	}
	return "PLAIN LOGIN"
}

// auth is AUTH with PLAIN or LOGIN (RFC 4954 4).
func (s *peerSession) auth(arg string) bool {
	mechanism, initial, _ := strings.Cut(arg, " ")
	name, password, ok := "", "", true
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		if initial == "" {
			initial, ok = s.challenge("")
		}
		parts := strings.Split(decoded(initial), "\x00")
		if len(parts) == 3 {
			name, password = parts[1], parts[2]
		}
	case "LOGIN":
		if name, ok = s.challenge("Username:"); ok {
			password, ok = s.challenge("Password:")
		}
		name, password = decoded(name), decoded(password)
	default:
		_, ok = s.say("504 5.5.4 What?")
		return ok
	}
	if !ok {
		return false
	}
	usual := "535 5.7.8 Wrong name or password"
	if want, there := s.peer.opts.Logins[name]; there && want == password {
		usual = "235 2.7.0 Welcome"
	}
	good, ok := s.reply(Auth, name, usual)
	if good {
		s.now.Login = name
	}
	return ok
}

func (s *peerSession) challenge(text string) (answer string, ok bool) {
	if _, ok := s.say("334 " + base64.StdEncoding.EncodeToString([]byte(text))); !ok {
		return "", false
	}
	line, err := s.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

func decoded(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
