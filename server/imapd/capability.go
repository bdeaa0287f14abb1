package imapd

import (
	"strconv"
	"strings"
)

// extension is a set of extensions that change how the server answers, once the
// client has enabled them (RFC 9051 6.3.1).
type extension uint8

// The extensions that can be enabled.
const (
	condstore       extension = 1 << iota // RFC 7162 3.1
	qresync                               // RFC 7162 3.2
	utf8Accept                            // RFC 6855
	rev2                                  // RFC 9051
	uidOnly                               // RFC 9586
	metadataEnabled                       // RFC 5464 4.4
)

// has tells whether all of e are enabled.
func (s *session) has(e extension) bool { return s.enabled&e == e }

// capability is a word of CAPABILITY.
type capability struct {
	name   string
	states state // where it is of use
	// when is a further condition, nil: none.
	when func(*session) bool
	// value follows the name, nil: nothing.
	value func(*session) string
	// enable is what ENABLE does with it, 0: nothing.
	enable extension
}

// capabilities are those that this package's connection and folder commands
// make (RFC 9051 7.2.2). messageCapabilities are the others.
var capabilities = []capability{
	{name: "IMAP4rev1", states: anyState}, // RFC 3501
	{name: "IMAP4rev2", states: anyState, enable: rev2},
	{name: "LITERAL+", states: anyState},        // RFC 7888
	{name: "SASL-IR", states: notAuthenticated}, // RFC 4959
	{name: "STARTTLS", states: notAuthenticated, when: (*session).canStartTLS},
	{name: "LOGINDISABLED", states: notAuthenticated, when: func(s *session) bool { return !s.mayLogIn() }},
	{name: "AUTH=PLAIN", states: notAuthenticated, when: (*session).mayLogIn},
	{name: "AUTH=LOGIN", states: notAuthenticated, when: (*session).mayLogIn},
	{name: "ID", states: anyState},                                                                    // RFC 2971
	{name: "ENABLE", states: anyState},                                                                // RFC 5161
	{name: "IDLE", states: anyState},                                                                  // RFC 2177
	{name: "UNAUTHENTICATE", states: loggedIn},                                                        // RFC 8437
	{name: "UTF8=ACCEPT", states: loggedIn, enable: utf8Accept},                                       // RFC 6855
	{name: "COMPRESS=DEFLATE", states: loggedIn, when: func(s *session) bool { return s.zip == nil }}, // RFC 4978
	{name: "NAMESPACE", states: loggedIn},                                                             // RFC 2342
	{name: "CHILDREN", states: loggedIn},                                                              // RFC 3348
	{name: "LIST-EXTENDED", states: loggedIn},                                                         // RFC 5258
	{name: "LIST-STATUS", states: loggedIn},                                                           // RFC 5819
	{name: "LIST-MYRIGHTS", states: loggedIn},                                                         // RFC 8440
	{name: "SPECIAL-USE", states: loggedIn},                                                           // RFC 6154
	{name: "CREATE-SPECIAL-USE", states: loggedIn},
	{name: "STATUS=SIZE", states: loggedIn}, // RFC 8438
	{name: "ACL", states: loggedIn},         // RFC 4314
	{name: "RIGHTS=kxte", states: loggedIn},
	{name: "QUOTA", states: loggedIn}, // RFC 9208
	{name: "QUOTA=RES-STORAGE", states: loggedIn},
	{name: "QUOTA=RES-MESSAGE", states: loggedIn},
	{name: "METADATA", states: loggedIn, enable: metadataEnabled}, // RFC 5464
	{name: "MESSAGELIMIT", states: loggedIn, value: messageLimit}, // RFC 9738
	{name: "NOTIFY", states: loggedIn},                            // RFC 5465
}

// eachCapability calls f with what is to be had now.
func (s *session) eachCapability(f func(*capability)) {
	for _, list := range [][]capability{capabilities, messageCapabilities} {
		for i := range list {
			if c := &list[i]; c.states&s.state != 0 && (c.when == nil || c.when(s)) {
				f(c)
			}
		}
	}
}

// appendCapabilities appends the words, a space before each.
func (s *session) appendCapabilities(dst []byte) []byte {
	s.eachCapability(func(c *capability) {
		dst = append(append(dst, ' '), c.name...)
		if c.value != nil {
			dst = append(dst, c.value(s)...)
		}
	})
	return dst
}

// capabilityCode is the response code CAPABILITY (RFC 9051 7.1).
func (s *session) capabilityCode() string {
	return "CAPABILITY" + string(s.appendCapabilities(nil))
}

// cmdCapability is CAPABILITY (RFC 9051 6.1.1).
func (s *session) cmdCapability(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.enc.Raw("* CAPABILITY").Append(s.appendCapabilities).CRLF()
	return nil
}

// cmdEnable is ENABLE (RFC 5161 3.1, RFC 9051 6.3.1). What is unknown is left
// out of the answer.
func (s *session) cmdEnable(c *call) error {
	var words []string
	for c.dec.SP(); ; c.dec.SP() {
		words = append(words, c.dec.Keyword())
		if c.dec.Peek() != ' ' {
			break
		}
	}
	if err := c.end(); err != nil {
		return err
	}
	var names []string
	var on extension
	s.eachCapability(func(can *capability) {
		for _, w := range words {
			if can.enable != 0 && strings.EqualFold(w, can.name) && (s.enabled|on)&can.enable == 0 {
				on |= can.enable
				names = append(names, can.name)
			}
		}
	})
	s.enc.Raw("* ENABLED")
	for _, n := range names {
		s.enc.SP().Raw(n)
	}
	s.enc.CRLF()
	s.enable(on)
	if on&metadataEnabled != 0 {
		s.observed()
	}
	return nil
}

// enable turns extensions on. QRESYNC brings CONDSTORE (RFC 7162 3.2.3), which
// makes FETCH responses hold MODSEQ from now on; when a mailbox is selected its
// HIGHESTMODSEQ is told (RFC 7162 3.1).
func (s *session) enable(e extension) {
	if e&qresync != 0 {
		e |= condstore
	}
	first := e&^s.enabled&condstore != 0
	s.enabled |= e
	s.dec.SetUTF8(s.enabled&(utf8Accept|rev2) != 0)
	s.enc.SetUTF8(s.enabled&(utf8Accept|rev2) != 0)
	if first && s.sel != nil {
		s.writeHighest()
	}
}

// maxIDs bounds the pairs of ID (RFC 2971 3.3).
const maxIDs = 30

// cmdID is ID (RFC 2971). What the client says goes to the log.
func (s *session) cmdID(c *call) error {
	c.dec.SP()
	var pairs []string
	if !c.dec.TryKeyword("NIL") {
		c.dec.List(func() {
			name := c.dec.String()
			c.dec.SP()
			value, _ := c.dec.NString()
			if len(pairs) == maxIDs {
				c.dec.Fail("ID takes %d fields", maxIDs)
				return
			}
			pairs = append(pairs, name+"="+strconv.Quote(value))
		})
	}
	if err := c.end(); err != nil {
		return err
	}
	s.log.Debug("imapd.id", "client", pairs)
	s.enc.Raw(`* ID ("name" "facteur")`).CRLF()
	return nil
}
