package imapd

import (
	"errors"
	"maps"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
	"facteur/server/wire"
)

// command is how one command is carried out.
type command struct {
	states state // where it is allowed
	// run reads the arguments up to and including CRLF, and then acts. Its error
	// is the tagged reply: a *imapwire.SyntaxError is BAD, a *reply as it says, a
	// fault NO with the code of its kind.
	run func(*session, *call) error
	uid bool // there is a form with UID before it (RFC 9051 6.4.9)
	// keepsNumbers: while it runs no message number may change, so that its
	// reply has no EXPUNGE before it (RFC 9051 7.5.1). The form with UID is free.
	keepsNumbers bool
	// grouped: its reply may come later, with those of others of its kind.
	grouped bool
}

// call is one command of a client.
type call struct {
	tag  string
	name string // without UID
	uid  bool
	goes int64 // octets that REPLACE will remove: the quota does not count them (RFC 8508 3.4)
	dec  *imapwire.Decoder

	code, text string      // of the tagged OK, "" for the usual
	lowest     mailbox.UID // of the messages that were worked on, when there were too many; else 0
}

// end reads the end of the command, and tells what was wrong with it.
func (c *call) end() error {
	c.dec.CRLF()
	return c.dec.Err()
}

// done sets the tagged OK of a command. code is without brackets.
func (s *session) done(c *call, code, text string) { c.code, c.text = code, text }

var errUnknown = bad("", "There is no such command")

// commands are all that there are: those of this table and those on messages.
func commands() map[string]command {
	all := map[string]command{
		"CAPABILITY":     {states: anyState, run: (*session).cmdCapability},
		"NOOP":           {states: anyState, run: (*session).cmdNoop},
		"LOGOUT":         {states: anyState, run: (*session).cmdLogout},
		"ID":             {states: anyState, run: (*session).cmdID},
		"STARTTLS":       {states: notAuthenticated, run: (*session).cmdStartTLS},
		"LOGIN":          {states: notAuthenticated, run: (*session).cmdLogin},
		"AUTHENTICATE":   {states: notAuthenticated, run: (*session).cmdAuthenticate},
		"UNAUTHENTICATE": {states: loggedIn, run: (*session).cmdUnauthenticate},
		"ENABLE":         {states: loggedIn, run: (*session).cmdEnable},
		"COMPRESS":       {states: loggedIn, run: (*session).cmdCompress},
		"NOTIFY":         {states: loggedIn, run: (*session).cmdNotify},
		"IDLE":           {states: loggedIn, run: (*session).cmdIdle},
		"NAMESPACE":      {states: loggedIn, run: (*session).cmdNamespace},
		"CREATE":         {states: loggedIn, run: (*session).cmdCreate},
		"DELETE":         {states: loggedIn, run: (*session).cmdDelete},
		"RENAME":         {states: loggedIn, run: (*session).cmdRename},
		"SUBSCRIBE":      {states: loggedIn, run: (*session).cmdSubscribe},
		"UNSUBSCRIBE":    {states: loggedIn, run: (*session).cmdUnsubscribe},
		"LIST":           {states: loggedIn, run: (*session).cmdList},
		"LSUB":           {states: loggedIn, run: (*session).cmdLsub},
		"STATUS":         {states: loggedIn, run: (*session).cmdStatus},
		"GETQUOTA":       {states: loggedIn, run: (*session).cmdGetQuota},
		"GETQUOTAROOT":   {states: loggedIn, run: (*session).cmdGetQuotaRoot},
		"SETQUOTA":       {states: loggedIn, run: (*session).cmdSetQuota},
		"GETACL":         {states: loggedIn, run: (*session).cmdGetACL},
		"SETACL":         {states: loggedIn, run: (*session).cmdSetACL},
		"DELETEACL":      {states: loggedIn, run: (*session).cmdDeleteACL},
		"LISTRIGHTS":     {states: loggedIn, run: (*session).cmdListRights},
		"GETMETADATA":    {states: loggedIn, run: (*session).cmdGetMetadata},
		"SETMETADATA":    {states: loggedIn, run: (*session).cmdSetMetadata},
		"MYRIGHTS":       {states: loggedIn, run: (*session).cmdMyRights},
	}
	maps.Copy(all, messageCommands())
	return all
}

// command reads one command, carries it out and answers it.
func (s *session) command() {
	c := &call{dec: s.dec}
	c.tag = s.dec.Tag()
	if c.tag == "" && s.dec.Err() == nil { // an empty line
		return
	}
	s.dec.SP()
	c.name = s.dec.Keyword()
	cmd, known := s.srv.commands[c.name]
	if c.name == "UID" {
		s.dec.SP()
		c.name, c.uid = s.dec.Keyword(), true
		cmd, known = s.srv.commands[c.name]
		known = known && cmd.uid
	}
	if s.sel != nil {
		s.sel.holds = false
	}
	if !cmd.grouped {
		s.settle()
	}
	if s.over { // the selected mailbox is gone
		s.more = true
		return
	}
	err := s.dec.Err()
	switch {
	case err != nil:
	case !known:
		err = errUnknown
	case cmd.states&s.state == 0:
		err = bad("CLIENTBUG", "This command is not allowed now")
	case !s.mayRead():
		s.more = true
		return
	default:
		err = cmd.run(s, c)
	}
	s.answer(c, cmd, err)
}

// answer writes the tagged reply of a command.
func (s *session) answer(c *call, cmd command, err error) {
	if s.log.Enabled(s.ctx, wire.LevelTrace) {
		s.log.Log(s.ctx, wire.LevelTrace, "imapd.command", "command", c.name, "uid", c.uid, "error", err)
	}
	if broken := s.dec.Err(); s.dec.Broken() {
		if errors.Is(broken, imapwire.ErrEndless) && c.tag != "" {
			s.tagged(c.tag, "BAD", "TOOBIG", "The command is too long")
		}
		s.broken(broken)
		return
	}
	if skip := s.dec.Discard(); skip != nil {
		s.reject(c, err) // the client may have stopped sending to read it
		s.broken(skip)
		return
	}
	switch {
	case errors.Is(err, errLater):
		return
	case err != nil:
		s.reject(c, err)
		return
	}
	s.mistakes = 0
	if s.state == inMailbox {
		s.tell(c.uid || !cmd.keepsNumbers)
	}
	s.observe()
	s.tellLimited(c)
	if c.text == "" {
		c.text = c.name + " completed"
		if c.uid {
			c.text = "UID " + c.text
		}
	}
	s.tagged(c.tag, "OK", c.code, c.text)
}

// tagged writes a tagged reply.
func (s *session) tagged(tag, kind, code, text string) {
	if tag == "" {
		tag = "*"
	}
	s.enc.Raw(tag).Raw(" ").Raw(kind).Raw(" ")
	s.reason(code, text)
}

// reject answers a command that failed, and counts mistakes.
func (s *session) reject(c *call, err error) {
	if err == nil {
		return
	}
	var r *reply
	var syntax *imapwire.SyntaxError
	switch {
	case errors.As(err, &r):
	case errors.As(err, &syntax):
		r = &reply{"BAD", syntax.Code, syntax.Text}
	default:
		r = s.failure(c.name, err)
	}
	if r.kind == "NO" && s.state == inMailbox {
		s.tell(false)
	}
	if r.kind == "NO" {
		s.observe()
	}
	s.tagged(c.tag, r.kind, r.code, r.text)
	if r.kind != "BAD" {
		return
	}
	s.mistakes++
	// Before the login an unknown command may be another protocol.
	if s.mistakes >= maxMistakes || s.state == notAuthenticated && err == errUnknown || s.state == notAuthenticated && s.mistakes >= maxMistakesPreAuth {
		s.bye("CLIENTBUG", "Too many mistakes")
		s.more = true
	}
}

// cmdNoop is NOOP (RFC 9051 6.1.2): answer tells what is new.
func (s *session) cmdNoop(c *call) error { return c.end() }

// cmdLogout is LOGOUT (RFC 9051 6.1.3).
func (s *session) cmdLogout(c *call) error {
	if err := c.end(); err != nil {
		return err
	}
	s.enc.Raw("* BYE Goodbye\r\n")
	s.tagged(c.tag, "OK", "", "LOGOUT completed")
	s.over = true
	return errLater
}
