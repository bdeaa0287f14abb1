package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const stormConfig = `
hostname   = "mail.example.org"
postmaster = "a@example.org"
[listen]
imap = "127.0.0.1:0"
[domains."example.org"]
[accounts."a@example.org"]
password = "` + demoHash + `"
`

// TestStorm gives random commands in eight sessions over two mailboxes, one after
// the other, and compares with a model what each client is told and what there
// is. Now and then the server is killed, within a command or between two; half of
// the clients then resynchronize with QRESYNC and must know all as if they had
// been there.
//
// STORM_COMMANDS is the number of commands, STORM_SEED repeats a run.
func TestStorm(t *testing.T) {
	commands := numberFrom(t, "STORM_COMMANDS", 2500)
	seed := numberFrom(t, "STORM_SEED", int(time.Now().UnixNano()&0xffffff))
	t.Logf("%d commands, STORM_SEED=%d", commands, seed)
	s := &storm{T: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(uint64(seed), 0)), done: make(map[string]int)}
	writeAll(t, map[string]string{filepath.Join(s.dir, "mail.toml"): stormConfig})
	for _, name := range []string{"INBOX", "Other"} {
		s.boxes = append(s.boxes, &stormBox{name: name, messages: make(map[uint32]stormMessage)})
	}
	for i := range 8 {
		s.clients = append(s.clients, &stormClient{id: i, qresync: i%2 == 0})
	}
	s.begin()
	for i := range commands {
		var err error
		if s.random.IntN(700) == 0 {
			err = s.crash()
		} else {
			err = s.step()
		}
		if err != nil {
			s.t("after %d commands: %v\n%s", i, err, strings.Join(s.last, "\n"))
		}
	}
	s.end()
	t.Logf("%v, %d kills", s.done, s.kills)
}

// storm is a run of TestStorm.
type storm struct {
	*testing.T
	dir     string
	random  *rand.Rand
	log     *events
	server  *server
	boxes   []*stormBox
	clients []*stormClient
	numbers int
	kills   int
	done    map[string]int // commands by name
	last    []string       // what was said last, for a failure
	command string         // the last one
}

func (s *storm) t(format string, args ...any) {
	s.Helper()
	s.server.kill()
	s.Fatalf(format, args...)
}

// begin starts the server and connects all clients.
func (s *storm) begin() {
	s.Helper()
	s.log = newEvents()
	var err error
	if s.server, err = launch(s.dir, os.Environ(), s.log); err != nil {
		s.Fatal(err)
	}
	if _, ok := s.log.wait(ready, s.server.gone); !ok {
		s.t("the server did not start:\n%s", s.log.text())
	}
	st, err := askStatus(s.dir)
	if err != nil {
		s.t("%v", err)
	}
	if err := s.truth(addresses(st.Listeners)["imap"]); err != nil {
		s.t("after kill %d: %v\n%s", s.kills, err, strings.Join(s.last, "\n"))
	}
	for _, c := range s.clients {
		if err := s.connect(c, addresses(st.Listeners)["imap"]); err != nil {
			s.t("client %d: %v", c.id, err)
		}
	}
}

func (s *storm) connect(c *stormClient, address string) (err error) {
	if c.link, err = login(address); err != nil {
		return err
	}
	c.log = func(format string, args ...any) { s.keep(fmt.Sprintf("  %d "+format, append([]any{c.id}, args...)...)) }
	if c.qresync {
		if a, err := c.run("ENABLE QRESYNC"); err != nil || !a.ok() {
			return fmt.Errorf("ENABLE: %q %w", a.tagged, err)
		}
	}
	box := c.box
	if box == nil {
		box = s.boxes[c.id%2]
	}
	return s.choose(c, box, c.readOnly)
}

// login connects to IMAP and logs in.
func login(address string) (*link, error) {
	l, err := dial("imap", address, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	if err := l.expect("* OK*", nil); err != nil {
		return nil, err
	}
	return l, l.login("a@example.org demo")
}

func (s *storm) end() {
	for _, c := range s.clients {
		if err := s.noop(c); err != nil {
			s.t("at the end: %v\n%s", err, strings.Join(s.last, "\n"))
		}
	}
	if err := s.server.terminate(); err != nil {
		s.Errorf("the server ended badly: %v", err)
	}
}

// note keeps a command for the report of a failure.
func (s *storm) note(c *stormClient, command string) {
	name, _, _ := strings.Cut(strings.TrimPrefix(command, "UID "), " ")
	s.done[name]++
	s.command = command
	s.keep(fmt.Sprintf("client %d (%s): %s", c.id, c.box.name, command))
}

// keep keeps a line for the report of a failure.
func (s *storm) keep(line string) {
	s.last = append(s.last, fmt.Sprintf("%.300s", line))
	if len(s.last) > 150 {
		s.last = slices.Delete(s.last, 0, 50)
	}
}

// say runs a command that may be refused only when refusable.
func (s *storm) say(c *stormClient, command string, refusable bool) (stormAnswer, error) {
	s.note(c, command)
	a, err := c.run(command)
	if err == nil && !a.ok() && !refusable {
		err = fmt.Errorf("client %d: %.200q: %s", c.id, command, a.tagged)
	}
	return a, err
}

// step gives one random command.
func (s *storm) step() error {
	c := s.clients[s.random.IntN(len(s.clients))]
	n := s.random.IntN(100)
	switch {
	case n < 30:
		return s.store(c)
	case n < 45:
		return s.appendOne(c)
	case n < 55:
		return s.copy(c)
	case n < 63:
		return s.expunge(c)
	case n < 75:
		return s.fetch(c)
	case n < 83:
		return s.search(c)
	case n < 87:
		return s.status(c)
	case n < 93:
		return s.choose(c, s.boxes[s.random.IntN(2)], s.random.IntN(5) == 0)
	}
	return s.noop(c)
}

// choose selects a mailbox; with QRESYNC the client says what it knows of it.
func (s *storm) choose(c *stormClient, box *stormBox, readOnly bool) error {
	command, params := "SELECT ", ""
	if readOnly {
		command = "EXAMINE "
	}
	c.resync = c.qresync && c.box == box && c.modseq > 0
	if c.resync {
		params = fmt.Sprintf(" (QRESYNC (%s %d))", box.validity, c.modseq)
	} else {
		c.view = nil
	}
	c.box, c.readOnly = box, readOnly
	a, err := s.say(c, command+box.name+params, false)
	resync := c.resync
	c.resync = false
	if err != nil {
		return err
	}
	if a.exists != len(c.view) {
		return fmt.Errorf("client %d: %d EXISTS, but %d messages are known after %s", c.id, a.exists, len(c.view), command+box.name+params)
	}
	c.modseq = a.highest
	if resync {
		return c.view.agree(box, true)
	}
	return s.learn(c, true)
}

// learn has a client ask for what it was not told of the messages that are new to
// it, and compares.
func (s *storm) learn(c *stormClient, all bool) error {
	first := slices.IndexFunc(c.view, func(m told) bool { return m.uid == 0 })
	if first >= 0 {
		if _, err := s.say(c, fmt.Sprintf("FETCH %d:%d (UID FLAGS)", first+1, len(c.view)), false); err != nil {
			return err
		}
	}
	if err := c.view.agree(c.box, all); err != nil {
		return fmt.Errorf("client %d: %w", c.id, err)
	}
	return nil
}

// noop has a client be told of everything.
func (s *storm) noop(c *stormClient) error {
	if _, err := s.say(c, "NOOP", false); err != nil {
		return err
	}
	if err := s.learn(c, true); err != nil {
		return err
	}
	return s.settle(c)
}

// settle notes the MODSEQ up to which a client knows all, when it does.
func (s *storm) settle(c *stormClient) error {
	if !c.qresync {
		return nil
	}

	a, err := s.say(c, "STATUS "+c.box.name+" (HIGHESTMODSEQ)", false)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(a.status, "HIGHESTMODSEQ ")
	c.modseq, err = strconv.ParseUint(strings.TrimRight(rest, ")"), 10, 64)
	return err
}

// crash kills the server, half of the time within a command, and starts it again.
func (s *storm) crash() error {
	s.kills++
	c := s.clients[s.random.IntN(len(s.clients))]
	if s.random.IntN(2) == 0 {
		s.interrupt(c)
	}
	s.server.kill()
	for _, c := range s.clients {
		c.conn.Close()
	}
	s.begin()
	return nil
}
