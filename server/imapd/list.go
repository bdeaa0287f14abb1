package imapd

import (
	"slices"
	"strings"

	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

// listing is what LIST asks for (RFC 5258 3, RFC 9051 6.3.9).
type listing struct {
	reference string
	patterns  []string
	extended  bool // it has options or several patterns

	subscribed, recursive, specialUse bool // selection options

	returnSubscribed, myRights bool
	status                     []statusItem // nil: none
}

// entry is a name of the hierarchy, as the session sees it.
type entry struct {
	mailbox.Folder       // Name is the whole one
	place          place // zero for what is no mailbox
	have           bool  // there are mailboxes below
}

// cmdList is LIST (RFC 9051 6.3.9).
func (s *session) cmdList(c *call) error {
	l := parseList(c.dec)
	if err := c.end(); err != nil {
		return err
	}
	if len(l.patterns) == 1 && l.patterns[0] == "" && !l.extended { // asks for the separator
		root := ""
		if strings.HasPrefix(l.reference, sharedPrefix) {
			root = sharedPrefix
		}
		s.enc.Raw(`* LIST (\Noselect) "/" `).Quoted(root).CRLF()
		return nil
	}
	if err := l.join(); err != nil {
		return err
	}
	tree, err := s.tree(l)
	if err != nil {
		return err
	}
	s.enableFor(l.status)
	for i := range tree.entries {
		if err := s.listOne(l, tree, &tree.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// parseList reads the arguments of LIST.
func parseList(d *imapwire.Decoder) *listing {
	l := new(listing)
	d.SP()
	if d.Peek() == '(' {
		l.extended = true
		d.List(func() { l.selection(d) })
		d.SP()
		if l.recursive && !l.subscribed {
			d.Fail("RECURSIVEMATCH needs SUBSCRIBED beside it") // RFC 5258 3.1
		}
	}
	l.reference = d.Mailbox()
	d.SP()
	if d.Peek() == '(' {
		l.extended = true
		d.List(func() { l.patterns = append(l.patterns, d.ListMailbox()) })
	} else {
		l.patterns = []string{d.ListMailbox()}
	}
	if d.TrySP() {
		l.extended = true
		if !d.TryKeyword("RETURN") {
			d.Fail("LIST has RETURN here, or nothing")
		}
		d.SP()
		d.List(func() { l.returns(d) })
	}
	return l
}

func (l *listing) selection(d *imapwire.Decoder) {
	switch d.Keyword() {
	case "SUBSCRIBED":
		l.subscribed, l.returnSubscribed = true, true // RFC 5258 3.1
	case "REMOTE": // there are no remote mailboxes
	case "RECURSIVEMATCH":
		l.recursive = true
	case "SPECIAL-USE":
		l.specialUse = true
	default:
		d.Fail("LIST has no such selection option")
	}
}

func (l *listing) returns(d *imapwire.Decoder) {
	switch d.Keyword() {
	case "SUBSCRIBED":
		l.returnSubscribed = true
	case "CHILDREN", "SPECIAL-USE": // told in any case
	case "MYRIGHTS":
		l.myRights = true
	case "STATUS":
		d.SP()
		l.status = parseStatusItems(d)
	default:
		d.Fail("LIST has no such return option")
	}
}

// maxPatterns bounds what LIST has to compare with each name, in octets.
const maxPatterns = 2048

// join puts the reference before the patterns (RFC 9051 6.3.9).
func (l *listing) join() error {
	total := len(l.patterns) * len(l.reference)
	for _, p := range l.patterns {
		total += len(p)
	}
	if total > maxPatterns { // before they are made
		return no("LIMIT", "The patterns are too long")
	}
	for i := range l.patterns {
		l.patterns[i] = simple(l.reference + l.patterns[i])
	}
	return nil
}

func (l *listing) matches(name string) bool {
	return slices.ContainsFunc(l.patterns, func(p string) bool { return match(p, name) })
}

// selects tells whether the selection options take an entry by itself.
func (l *listing) selects(e *entry) bool {
	switch {
	case l.specialUse && e.Use == "":
		return false
	case l.subscribed:
		return e.Subscribed
	}
	return e.Exists || e.have // not what is only subscribed
}

// tree is all names, sorted, with what is below them.
type tree struct {
	entries []entry
	// hidden are names below which there is a subscribed one that the patterns
	// leave out; marked those below which there is one at all.
	hidden, marked map[string]bool
}

// tree collects the names that a listing may have to show.
func (s *session) tree(l *listing) (*tree, error) {
	t := &tree{hidden: make(map[string]bool), marked: make(map[string]bool)}
	own, err := s.home.Folders()
	if err != nil {
		return nil, err
	}
	subscribed := make(map[string]bool)
	for _, f := range own {
		f.Name = subscribedName(f.Name)
		if strings.HasPrefix(f.Name, sharedPrefix) {
			subscribed[f.Name] = f.Subscribed
			continue
		}
		t.entries = append(t.entries, entry{Folder: f, place: place{home: s.home, name: f.Name, owner: s.account, rights: allRights}})
	}
	if slices.ContainsFunc(l.patterns, mayBeShared) {
		if err := s.addShared(t, subscribed); err != nil {
			return nil, err
		}
	}
	t.addLevels()
	t.mark(l)
	return t, nil
}

// addLevels adds what is above names that are only subscribed to: LSUB and
// RECURSIVEMATCH may have to tell it (RFC 3501 6.3.9, RFC 5258 3.5).
func (t *tree) addLevels() {
	there := make(map[string]bool)
	for _, e := range t.entries {
		there[e.Name] = true
	}
	for _, e := range slices.Clone(t.entries) {
		if e.Exists || !e.Subscribed {
			continue
		}
		for name := e.Name; ; {
			i := strings.LastIndexByte(name, separator)
			if i < 0 {
				break
			}
			if name = name[:i]; !there[name] {
				there[name] = true
				t.entries = append(t.entries, entry{Folder: mailbox.Folder{Name: name}})
			}
		}
	}
}

// mayBeShared tells whether a pattern may match a shared mailbox.
func mayBeShared(pattern string) bool {
	fixed := pattern
	if i := strings.IndexAny(pattern, "*%"); i >= 0 {
		fixed = pattern[:i]
	}
	return strings.HasPrefix(fixed, sharedRoot) || len(fixed) < len(pattern) && strings.HasPrefix(sharedRoot, fixed)
}

// addShared adds the shared mailboxes that the session may see, and the
// subscriptions to those that are not there.
func (s *session) addShared(t *tree, subscribed map[string]bool) error {
	roles := s.options().Roles(s.account)
	if len(roles) > 0 && !slices.ContainsFunc(t.entries, func(e entry) bool { return e.Name == sharedRoot }) {
		t.entries = append(t.entries, entry{Folder: mailbox.Folder{Name: sharedRoot, Subscribed: subscribed[sharedRoot]}})
	}
	for _, role := range roles {
		if strings.IndexByte(role.Rights, rightLookup) < 0 {
			continue
		}
		home, err := s.homeOf(role.Address)
		if err != nil {
			return err
		}
		folders, err := home.Folders()
		if err != nil {
			return err
		}
		for _, f := range folders {
			at := place{home: home, name: f.Name, owner: role.Address, rights: role.Rights}
			f.Name = sharedName(role.Address, f.Name)
			f.Subscribed = subscribed[f.Name]
			f.Use = "" // Sent and Trash of a client are its own (RFC 6154 2)
			delete(subscribed, f.Name)
			t.entries = append(t.entries, entry{Folder: f, place: at})
		}
	}
	var missing []string
	for name, on := range subscribed {
		if on {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	for _, name := range missing {
		t.entries = append(t.entries, entry{Folder: mailbox.Folder{Name: name, Subscribed: true}})
	}
	return nil
}

// mark notes what is below each name.
func (t *tree) mark(l *listing) {
	have := make(map[string]bool)
	for i := range t.entries {
		e := &t.entries[i]
		out := e.Subscribed && !l.matches(e.Name)
		for name := e.Name; ; {
			i := strings.LastIndexByte(name, separator)
			if i < 0 {
				break
			}
			name = name[:i]
			have[name] = have[name] || e.Exists
			t.marked[name] = t.marked[name] || e.Subscribed
			t.hidden[name] = t.hidden[name] || out
		}
	}
	for i := range t.entries {
		t.entries[i].have = have[t.entries[i].Name]
	}
}

// listOne writes the responses for one name, if LIST has to show it.
func (s *session) listOne(l *listing, t *tree, e *entry) error {
	if !l.matches(e.Name) {
		return nil
	}
	if !l.selects(e) {
		// A name that is there for those below it only, while none of them is
		// shown by itself (RFC 5258 3.5).
		if !l.recursive || !t.hidden[e.Name] || l.specialUse && e.Use == "" {
			return nil
		}
	}
	s.enc.Raw("* LIST (").Append(func(dst []byte) []byte { return e.appendAttributes(dst, l.returnSubscribed) })
	s.enc.Raw(`) "/" `).Mailbox(e.Name)
	if l.recursive && t.marked[e.Name] {
		s.enc.Raw(` ("CHILDINFO" ("SUBSCRIBED"))`)
	}
	s.enc.CRLF()
	if !e.Exists {
		return nil
	}
	if l.myRights { // RFC 8440 3
		s.writeMyRights(e.Name, e.place.rights)
	}
	if l.status != nil && e.place.can(rightRead) {
		// RFC 5819 2: no STATUS for a mailbox that can't be had.
		if box, err := e.place.home.Mailbox(e.place.name); err == nil {
			_ = s.writeStatus(e.Name, box, l.status)
		}
	}
	return s.enc.Err()
}

// appendAttributes appends those of LIST (RFC 9051 7.3.1).
func (e *entry) appendAttributes(dst []byte, subscribed bool) []byte {
	if e.have {
		dst = append(dst, `\HasChildren`...)
	} else {
		dst = append(dst, `\HasNoChildren`...)
	}
	switch {
	case e.Exists:
	case e.have:
		dst = append(dst, ` \Noselect`...)
	default:
		dst = append(dst, ` \NonExistent \Noselect`...)
	}
	if e.Subscribed && subscribed {
		dst = append(dst, ` \Subscribed`...)
	}
	if e.Use != "" {
		dst = append(append(dst, ' '), e.Use...)
	}
	return dst
}

// cmdLsub is LSUB (RFC 3501 6.3.9): the names subscribed to. With "%" a level
// above one of them stands for it, with \Noselect.
func (s *session) cmdLsub(c *call) error {
	l := &listing{subscribed: true}
	c.dec.SP()
	l.reference = c.dec.Mailbox()
	c.dec.SP()
	l.patterns = []string{c.dec.ListMailbox()}
	if err := c.end(); err != nil {
		return err
	}
	if err := l.join(); err != nil {
		return err
	}
	t, err := s.tree(l)
	if err != nil {
		return err
	}
	for i := range t.entries {
		e := &t.entries[i]
		switch {
		case !l.matches(e.Name):
		case e.Subscribed:
			s.enc.Raw(`* LSUB () "/" `).Mailbox(e.Name).CRLF()
		case t.hidden[e.Name] && strings.HasSuffix(l.patterns[0], "%"):
			s.enc.Raw(`* LSUB (\Noselect) "/" `).Mailbox(e.Name).CRLF()
		}
	}
	return nil
}

// match tells whether a name matches a pattern, in which "*" stands for anything
// and "%" for anything within a level (RFC 9051 6.3.9). INBOX has no case. It
// takes a step for each octet of the name and each of the pattern, whatever they
// are, and none when the pattern is too long for the name.
func match(pattern, name string) bool {
	const inbox = "INBOX"
	if len(pattern) >= len(inbox) && strings.EqualFold(pattern[:len(inbox)], inbox) {
		pattern = inbox + pattern[len(inbox):]
	}
	if len(pattern)-strings.Count(pattern, "*")-strings.Count(pattern, "%") > len(name) {
		return false
	}
	// at[j]: the first j octets of the pattern match what was seen of the name.
	var room [256]bool
	at := room[:]
	if len(pattern) >= len(room) {
		at = make([]bool, len(pattern)+1)
	}
	at = at[:len(pattern)+1]
	at[0] = true
	for j := 0; j < len(pattern) && wildcard(pattern[j]); j++ {
		at[j+1] = true
	}
	for i := range len(name) {
		before := at[0]
		at[0] = false
		for j := range len(pattern) {
			was := at[j+1]
			switch p := pattern[j]; p {
			case '*':
				at[j+1] = was || at[j]
			case '%':
				at[j+1] = was && name[i] != separator || at[j]
			default:
				at[j+1] = before && p == name[i]
			}
			before = was
		}
	}
	return at[len(pattern)]
}

func wildcard(c byte) bool { return c == '*' || c == '%' }

// simple returns a pattern that matches the same without two wildcards in a row.
func simple(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		for ; wildcard(c) && i+1 < len(pattern) && wildcard(pattern[i+1]); i++ {
			if pattern[i+1] == '*' {
				c = '*'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
