package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var stormFlags = append([]string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `$Forwarded`, "work"}, manyKeywords()...)

// manyKeywords are more than a Maildir has letters for.
func manyKeywords() []string {
	var all []string
	for i := range 35 {
		all = append(all, "keyword"+strconv.Itoa(i))
	}
	return all
}

// someFlags returns a few flags, mostly those that mean something.
func (s *storm) someFlags() flagSet {
	var names []string
	for range s.random.IntN(4) {
		n := 7
		if s.random.IntN(4) == 0 {
			n = len(stormFlags)
		}
		names = append(names, stormFlags[s.random.IntN(n)])
	}
	return newFlagSet(names...)
}

// some returns a set of places in a view, as a set for the wire too. byUID tells
// which numbers stand in it.
func (s *storm) some(c *stormClient) (places []int, set string, byUID bool) {
	byUID = s.random.IntN(2) == 0
	var parts []string
	chosen := make(map[int]bool)
	for range 1 + s.random.IntN(3) {
		from := s.random.IntN(len(c.view))
		to := min(from+s.random.IntN(1+len(c.view)/4), len(c.view)-1)
		a, b := strconv.Itoa(from+1), strconv.Itoa(to+1)
		if byUID {
			a, b = fmt.Sprint(c.view[from].uid), fmt.Sprint(c.view[to].uid)
		}
		switch {
		case from == to:
			parts = append(parts, a)
		case s.random.IntN(8) == 0:
			parts = append(parts, b+":"+a) // the order does not matter
		default:
			parts = append(parts, a+":"+b)
		}
		for i := from; i <= to; i++ {
			chosen[i] = true
		}
	}
	for i := range c.view {
		if chosen[i] {
			places = append(places, i)
		}
	}
	return places, strings.Join(parts, ","), byUID
}

func uidPrefix(byUID bool) string {
	if byUID {
		return "UID "
	}
	return ""
}

// store changes flags.
func (s *storm) store(c *stormClient) error {
	if len(c.view) == 0 {
		return s.noop(c)
	}
	places, set, byUID := s.some(c)
	op := []string{"+FLAGS", "-FLAGS", "FLAGS"}[s.random.IntN(3)]
	flags, silent := s.someFlags(), s.random.IntN(3) == 0
	command := fmt.Sprintf("%sSTORE %s %s%s (%s)", uidPrefix(byUID), set, op, map[bool]string{true: ".SILENT"}[silent], flags)
	uids := make([]uint32, len(places))
	for n, i := range places {
		uids[n] = c.view[i].uid
		if silent && !c.readOnly {
			c.view[i].flags = c.view[i].flags.apply(op, flags) // the server tells when it is otherwise
		}
	}
	a, err := s.say(c, command, true)
	if err != nil {
		return err
	}
	if !a.ok() && !c.readOnly && !strings.Contains(a.tagged, "EXPUNGEISSUED") {
		return fmt.Errorf("client %d: %s: %s", c.id, command, a.tagged)
	}
	if c.readOnly {
		if a.ok() {
			return fmt.Errorf("client %d: %s in a mailbox that was opened with EXAMINE", c.id, command)
		}
		return s.learn(c, false)
	}
	for _, uid := range uids {
		if m, ok := c.box.messages[uid]; ok {
			m.flags = m.flags.apply(op, flags)
			c.box.messages[uid] = m
		}
	}
	return s.learn(c, false)
}

func stormText(number int) string {
	return fmt.Sprintf("From: a@example.org\r\nSubject: Number %d\r\nX-Number: %d\r\n\r\n%s\r\n", number, number, strings.Repeat("x", number%3000))
}

// appendCommand returns an APPEND, without its last CRLF.
func (s *storm) appendCommand(box *stormBox) (command string, m stormMessage) {
	s.numbers++
	m = stormMessage{flags: s.someFlags(), number: s.numbers}
	text := stormText(m.number)
	return fmt.Sprintf("APPEND %s (%s) {%d+}\r\n%s", box.name, m.flags, len(text), text), m
}

func (s *storm) appendOne(c *stormClient) error {
	box := s.boxes[s.random.IntN(2)]
	if len(box.messages) > 150 {
		return s.expunge(c)
	}
	command, m := s.appendCommand(box)
	a, err := s.say(c, command, false)
	if err != nil {
		return err
	}
	code := appendCode.FindStringSubmatch(a.tagged)
	if code == nil {
		return fmt.Errorf("no APPENDUID: %s", a.tagged)
	}
	m.uid = uint32(stormNumber(code[1]))
	if err := box.add(m); err != nil {
		return err
	}
	return s.learn(c, true)
}

// copy copies or moves to one of the mailboxes.
func (s *storm) copy(c *stormClient) error {
	dst := s.boxes[s.random.IntN(2)]
	if len(c.view) == 0 || len(dst.messages) > 150 {
		return s.noop(c)
	}
	_, set, byUID := s.some(c)
	name := "COPY"
	if s.random.IntN(2) == 0 {
		name = "MOVE"
	}
	command := fmt.Sprintf("%s%s %s %s", uidPrefix(byUID), name, set, dst.name)
	var code []string
	s.note(c, command)
	// MOVE tells COPYUID before the end (RFC 6851 4.3).
	a, err := c.runWith(command, func(line string) {
		if m := copyCode.FindStringSubmatch(line); m != nil {
			code = m
		}
	})
	if err != nil {
		return err
	}
	if !a.ok() {
		if name == "MOVE" && c.readOnly || !byUID && strings.Contains(a.tagged, "EXPUNGEISSUED") {
			return s.learn(c, false)
		}
		return fmt.Errorf("client %d: %s: %s", c.id, command, a.tagged)
	}
	if code != nil {
		if err := s.transferred(c.box, dst, code, name == "MOVE"); err != nil {
			return err
		}
	}
	return s.learn(c, true)
}

// transferred does in the model what COPYUID tells.
func (s *storm) transferred(src, dst *stormBox, code []string, move bool) error {
	from, err := expandSet(code[1])
	if err != nil {
		return err
	}
	to, err := expandSet(code[2])
	if err != nil || len(to) != len(from) {
		return fmt.Errorf("COPYUID %s %s", code[1], code[2])
	}
	for i, uid := range from {
		m, ok := src.messages[uid]
		if !ok {
			return fmt.Errorf("%s: UID %d was copied, and is not there", src.name, uid)
		}
		m.uid = to[i]
		if err := dst.add(m); err != nil {
			return err
		}
		if move {
			delete(src.messages, uid)
		}
	}
	return nil
}

// expunge removes what is marked, or some of it.
func (s *storm) expunge(c *stormClient) error {
	if c.readOnly || len(c.view) == 0 {
		return s.noop(c)
	}
	// First it is told of all: whether a message that it does not know of goes too
	// is left to the server.
	if err := s.noop(c); err != nil || len(c.view) == 0 {
		return err
	}
	command, among := "EXPUNGE", c.box.uids()
	if s.random.IntN(2) == 0 {
		places, _, _ := s.some(c)
		among = among[:0]
		var set []string
		for _, i := range places {
			among = append(among, c.view[i].uid)
			set = append(set, fmt.Sprint(c.view[i].uid))
		}
		command = "UID EXPUNGE " + strings.Join(set, ",")
	}
	if _, err := s.say(c, command, false); err != nil {
		return err
	}
	for _, uid := range among {
		if c.box.messages[uid].flags.has(`\Deleted`) {
			delete(c.box.messages, uid)
		}
	}
	return s.learn(c, true)
}

// fetch asks for what the client knows already.
func (s *storm) fetch(c *stormClient) error {
	if len(c.view) == 0 {
		return s.noop(c)
	}
	places, set, byUID := s.some(c)
	uids := make([]uint32, len(places))
	for n, i := range places {
		uids[n] = c.view[i].uid
	}
	items := []string{"(UID FLAGS)", "(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (X-NUMBER)])", "(UID ENVELOPE FLAGS)"}[s.random.IntN(3)]
	a, err := s.say(c, uidPrefix(byUID)+"FETCH "+set+" "+items, true)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		m, there := c.box.messages[uid]
		text, said := a.fetched[uid]
		switch {
		case there && !said && a.ok():
			return fmt.Errorf("client %d: FETCH %s says nothing of UID %d", c.id, set, uid)
		case there && strings.Contains(items, "X-NUMBER") && !strings.Contains(text, fmt.Sprintf("X-Number: %d\r\n", m.number)):
			return fmt.Errorf("client %d: UID %d is not number %d: %q", c.id, uid, m.number, text)
		}
	}
	if byUID && strings.Contains(items, "BODY") && !c.qresync { // flags that changed are told later
		return s.noop(c)
	}
	return s.learn(c, false)
}

// search looks for a flag among what the client knows.
func (s *storm) search(c *stormClient) error {
	flag, key := `\Seen`, "SEEN"
	if s.random.IntN(2) == 0 {
		flag, key = "work", "KEYWORD work"
	}
	byUID := s.random.IntN(2) == 0
	before := slices.Clone(c.view)
	a, err := s.say(c, uidPrefix(byUID)+"SEARCH "+key, false)
	if err != nil {
		return err
	}
	var want []uint32
	for i, m := range before {
		if have, there := c.box.messages[m.uid]; there && have.flags.has(flag) {
			want = append(want, map[bool]uint32{true: m.uid, false: uint32(i + 1)}[byUID])
		}
	}
	// What is gone, and what came since the client was told last, may be in it.
	found := slices.DeleteFunc(slices.Sorted(slices.Values(a.search)), func(n uint32) bool {
		i := int(n) - 1
		if byUID {
			i = before.find(n)
		}
		return i < 0 || i >= len(before) || c.box.messages[before[i].uid].uid == 0
	})
	if !slices.Equal(found, want) {
		return fmt.Errorf("client %d: SEARCH %s found %v, should be %v", c.id, key, found, want)
	}
	return s.learn(c, false)
}

var statusItems = regexp.MustCompile(`MESSAGES (\d+) UNSEEN (\d+)`)

// status asks for numbers.
func (s *storm) status(c *stormClient) error {
	box := s.boxes[s.random.IntN(2)]
	a, err := s.say(c, "STATUS "+box.name+" (MESSAGES UNSEEN)", false)
	if err != nil {
		return err
	}
	unseen := 0
	for _, m := range box.messages {
		if !m.flags.has(`\Seen`) {
			unseen++
		}
	}
	m := statusItems.FindStringSubmatch(a.status)
	if m == nil || stormNumber(m[1]) != len(box.messages) || stormNumber(m[2]) != unseen {
		return fmt.Errorf("%s: %d messages, %d unseen: %s", box.name, len(box.messages), unseen, a.status)
	}
	return s.learn(c, true)
}

// interrupt sends a command that the kill comes into, or after.
func (s *storm) interrupt(c *stormClient) {
	if c.readOnly || len(c.view) == 0 {
		return
	}
	_, set, byUID := s.some(c)
	dst := s.boxes[s.random.IntN(2)]
	appending, _ := s.appendCommand(dst)
	command := []string{
		appending,
		uidPrefix(byUID) + "STORE " + set + " +FLAGS (" + string(s.someFlags()) + ")",
		uidPrefix(byUID) + "MOVE " + set + " " + dst.name,
		uidPrefix(byUID) + "COPY " + set + " " + dst.name,
		"EXPUNGE",
	}[s.random.IntN(5)]
	s.note(c, "(killed) "+command)
	if _, err := c.start(command); err == nil {
		time.Sleep(time.Duration(s.random.IntN(3000)) * time.Microsecond) // any moment will do
	}
}

var (
	numberField = regexp.MustCompile(`X-Number: (\d+)`)
	fetchedAll  = "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (X-NUMBER)])"
)

// truth reads what there is after a kill, compares it with the model as far as
// the interrupted command leaves no doubt, and takes it for the model.
func (s *storm) truth(address string) error {
	l, err := login(address)
	if err != nil {
		return err
	}
	defer l.conn.Close()
	c := &stormClient{link: l, id: -1}
	_, err = c.run("CREATE Other") // there from the second time on
	if err != nil {
		return err
	}
	before := make(map[int]int) // copies of each number
	after := make(map[int]int)
	for _, box := range s.boxes {
		for _, m := range box.messages {
			before[m.number]++
		}
		if err := s.read(c, box); err != nil {
			return err
		}
		for _, m := range box.messages {
			after[m.number]++
		}
	}
	return s.compare(before, after)
}

// read takes a mailbox over into the model.
func (s *storm) read(c *stormClient, box *stormBox) error {
	c.view, c.box = nil, box
	var validity string
	if _, err := c.runWith("SELECT "+box.name, func(line string) {
		if m := validityCode.FindStringSubmatch(line); m != nil {
			validity = m[1]
		}
	}); err != nil {
		return err
	}
	if box.validity != "" && box.validity != validity {
		return fmt.Errorf("%s: the UIDVALIDITY was %s, is %s", box.name, box.validity, validity)
	}
	box.validity = validity
	a, err := c.run(fetchedAll)
	if err != nil {
		return err
	}
	if err := c.awaitGone(); err != nil {
		return err
	}
	old := box.messages
	box.messages = make(map[uint32]stormMessage)
	for i, t := range c.view {
		n := numberField.FindStringSubmatch(a.fetched[t.uid])
		if n == nil || t.uid == 0 {
			return fmt.Errorf("%s: message %d of %d was not told: %q", box.name, i+1, len(c.view), a.fetched[t.uid])
		}
		m := stormMessage{uid: t.uid, flags: t.flags, number: stormNumber(n[1])}
		if was, there := old[t.uid]; there && was.number != m.number {
			return fmt.Errorf("%s: UID %d was number %d, is number %d", box.name, t.uid, was.number, m.number)
		} else if there && was.flags != m.flags && !s.interrupted("STORE") {
			return fmt.Errorf("%s: UID %d had the flags (%s), has (%s)", box.name, t.uid, was.flags, m.flags)
		}
		if _, there := old[t.uid]; !there && t.uid <= box.highest {
			return fmt.Errorf("%s: UID %d was given twice", box.name, t.uid)
		}
		box.highest = max(box.highest, t.uid)
		box.messages[t.uid] = m
	}
	return nil
}

// interrupted tells whether the command that the kill came into has that name.
func (s *storm) interrupted(name string) bool {
	return strings.HasPrefix(s.command, "(killed)") && strings.Contains(s.command, name)
}

// compare counts the copies of each message before and after a kill.
func (s *storm) compare(before, after map[int]int) error {
	if s.kills == 0 {
		return nil
	}
	for n, count := range before {
		switch lost := count - after[n]; {
		case lost > 0 && !s.interrupted("EXPUNGE"):
			return fmt.Errorf("number %d was there %d times, is %d times", n, count, after[n])
		case -lost > count, lost < 0 && !s.interrupted("COPY"):
			return fmt.Errorf("number %d was there %d times, is %d times", n, count, after[n])
		}
	}
	for n := range after {
		if before[n] == 0 && !(s.interrupted("APPEND") && n == s.numbers) {
			return fmt.Errorf("number %d is back", n)
		}
	}
	return nil
}
