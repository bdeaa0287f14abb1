package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// stormClient is a client that believes what it is told, and checks that it may.
type stormClient struct {
	*link
	id       int
	box      *stormBox // selected, nil: none
	readOnly bool
	view     view
	qresync  bool
	modseq   uint64 // up to which all is known
	resync   bool   // a SELECT with QRESYNC runs: the view is the old one
	tags     int
}

// answer is what a command led to, beside changes of the view.
type stormAnswer struct {
	tagged  string // without the tag
	search  []uint32
	status  string
	fetched map[uint32]string // whole FETCH responses by UID
	highest uint64            // HIGHESTMODSEQ, when told
	exists  int
}

func (a stormAnswer) ok() bool { return strings.HasPrefix(a.tagged, "OK") }

// start sends a command and returns its tag.
func (c *stormClient) start(command string) (string, error) {
	c.tags++
	tag := "c" + strconv.Itoa(c.tags)
	return tag, c.send([]byte(tag + " " + command + "\r\n"))
}

// run sends a command and takes in all that is said until it is done.
func (c *stormClient) run(command string) (stormAnswer, error) {
	return c.runWith(command, func(string) {})
}

// runWith is run that shows each line, too.
func (c *stormClient) runWith(command string, each func(line string)) (stormAnswer, error) {
	a := stormAnswer{fetched: make(map[uint32]string), exists: -1}
	tag, err := c.start(command)
	if err != nil {
		return a, err
	}
	for {
		line, err := c.reply()
		if err != nil {
			return a, err
		}
		each(line)
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			a.tagged = rest
			a.note(rest)
			return a, nil
		}
		if err := c.take(line, &a); err != nil {
			return a, fmt.Errorf("client %d: after %.200q: %.200q: %w", c.id, command, line, err)
		}
	}
}

var (
	existsLine   = regexp.MustCompile(`^\* (\d+) EXISTS$`)
	expungeLine  = regexp.MustCompile(`^\* (\d+) EXPUNGE$`)
	vanishedLine = regexp.MustCompile(`^\* VANISHED (\(EARLIER\) )?([\d:,]+)$`)
	fetchLine    = regexp.MustCompile(`(?s)^\* (\d+) FETCH \((.*)\)$`)
	searchLine   = regexp.MustCompile(`^\* SEARCH((?: \d+)*)(?: \(MODSEQ \d+\))?$`)
	uidItem      = regexp.MustCompile(`\bUID (\d+)`)
	flagsItem    = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
	highestCode  = regexp.MustCompile(`\[HIGHESTMODSEQ (\d+)\]`)
	validityCode = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	appendCode   = regexp.MustCompile(`\[APPENDUID \d+ (\d+)\]`)
	copyCode     = regexp.MustCompile(`\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]`)
)

func (a *stormAnswer) note(line string) {
	if m := highestCode.FindStringSubmatch(line); m != nil {
		a.highest, _ = strconv.ParseUint(m[1], 10, 64) // digits: it can only be too large, and is compared
	}
}

// take takes in an untagged response.
func (c *stormClient) take(line string, a *stormAnswer) error {
	a.note(line)
	switch {
	case existsLine.MatchString(line):
		n := stormNumber(existsLine.FindStringSubmatch(line)[1])
		a.exists = n
		if c.resync {
			return nil // VANISHED and FETCH tell the rest
		}
		if n < len(c.view) {
			return fmt.Errorf("%d messages were there", len(c.view))
		}
		for len(c.view) < n {
			c.view = append(c.view, told{})
		}
	case expungeLine.MatchString(line):
		n := stormNumber(expungeLine.FindStringSubmatch(line)[1])
		if n < 1 || n > len(c.view) || c.qresync {
			return fmt.Errorf("not possible with %d messages", len(c.view))
		}
		c.view = slices.Delete(c.view, n-1, n)
	case vanishedLine.MatchString(line):
		return c.vanish(vanishedLine.FindStringSubmatch(line))
	case fetchLine.MatchString(line):
		return c.fetched(fetchLine.FindStringSubmatch(line), a)
	case searchLine.MatchString(line):
		for _, s := range strings.Fields(searchLine.FindStringSubmatch(line)[1]) {
			a.search = append(a.search, uint32(stormNumber(s)))
		}
	case strings.HasPrefix(line, "* STATUS "):
		a.status = line
	case strings.HasPrefix(line, "* BYE"):
		return fmt.Errorf("the server says good bye")
	}
	return nil
}

// stormNumber reads digits.
func stormNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// vanish takes UIDs out of the view. Those before a resynchronization may be of
// messages that the client never knew.
func (c *stormClient) vanish(m []string) error {
	uids, err := expandSet(m[2])
	if err != nil {
		return err
	}
	for _, uid := range uids {
		i := c.view.find(uid)
		if i >= 0 {
			c.view = slices.Delete(c.view, i, i+1)
		} else if m[1] == "" {
			return fmt.Errorf("UID %d is not known", uid)
		}
	}
	return nil
}

// fetched takes in what a FETCH response tells of a message.
func (c *stormClient) fetched(m []string, a *stormAnswer) error {
	n := stormNumber(m[1])
	if c.resync {
		return c.resynced(m[2])
	}
	if n < 1 || n > len(c.view) {
		return fmt.Errorf("there are %d messages", len(c.view))
	}
	have := &c.view[n-1]
	if u := uidItem.FindStringSubmatch(m[2]); u != nil {
		uid := uint32(stormNumber(u[1]))
		if have.uid != 0 && have.uid != uid {
			return fmt.Errorf("number %d is UID %d", n, have.uid)
		}
		have.uid = uid
		a.fetched[uid] = m[2]
	}
	if f := flagsItem.FindStringSubmatch(m[2]); f != nil {
		have.flags = newFlagSet(strings.Fields(f[1])...)
	}
	return nil
}

// awaitGone waits in IDLE until the messages that FETCH said nothing of are told
// to be gone: a kill between a rename and the index leaves a message whose file is
// missing, and that counts as gone only when two scans of a settled directory
// missed it.
func (c *stormClient) awaitGone() error {
	missing := 0
	for _, m := range c.view {
		if m.uid == 0 {
			missing++
		}
	}
	if missing == 0 {
		return nil
	}
	tag, err := c.start("IDLE")
	if err != nil {
		return err
	}
	var a stormAnswer
	for want := len(c.view) - missing; len(c.view) > want; {
		line, err := c.reply()
		if err != nil {
			return err
		}
		if err := c.take(line, &a); err != nil {
			return err
		}
	}
	if err := c.send([]byte("DONE\r\n")); err != nil {
		return err
	}
	return c.expect(tag+" OK*", nil)
}

// resynced takes in a FETCH response that tells what changed while the client was
// away (RFC 7162 3.2.5.1).
func (c *stormClient) resynced(items string) error {
	u, f := uidItem.FindStringSubmatch(items), flagsItem.FindStringSubmatch(items)
	if u == nil || f == nil {
		return fmt.Errorf("no UID or no FLAGS")
	}
	m := told{uid: uint32(stormNumber(u[1])), flags: newFlagSet(strings.Fields(f[1])...)}
	i, known := slices.BinarySearchFunc(c.view, m.uid, func(t told, uid uint32) int { return int(t.uid) - int(uid) })
	if known {
		c.view[i] = m
	} else {
		c.view = slices.Insert(c.view, i, m)
	}
	return nil
}

// expandSet returns the numbers of a set such as "1:3,7".
func expandSet(set string) ([]uint32, error) {
	var all []uint32
	for _, part := range strings.Split(set, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		a, b := stormNumber(from), stormNumber(to)
		if a < 0 || b < a || b-a > 1<<20 {
			return nil, fmt.Errorf("a set %q", set)
		}
		for ; a <= b; a++ {
			all = append(all, uint32(a))
		}
	}
	return all, nil
}
