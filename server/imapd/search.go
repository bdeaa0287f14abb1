package imapd

import (
	"context"
	"errors"
	"strings"
	"time"

	"facteur/server/fault"
	"facteur/server/imapsearch"
	"facteur/server/imapwire"
	"facteur/server/mailbox"
)

func (s *session) cmdSearch(c *call) error { return s.search(c, imapsearch.Search) }
func (s *session) cmdSort(c *call) error   { return s.search(c, imapsearch.Sort) }
func (s *session) cmdThread(c *call) error { return s.search(c, imapsearch.Thread) }

// parseSearch reads the arguments of a searching command.
func (s *session) parseSearch(c *call, verb imapsearch.Verb) (*imapsearch.Command, error) {
	cmd, err := imapsearch.Parse(c.dec, verb, imapsearch.Options{UTF8: s.has(utf8Accept), UIDOnly: s.has(uidOnly)})
	var charset *imapsearch.CharsetError
	if errors.As(err, &charset) {
		err = no(charset.Code(), charset.Error())
	}
	var syntax *imapwire.SyntaxError
	if err != nil && cmd.Return.Save && !errors.As(err, &syntax) {
		s.saved = nil // RFC 5182 2.1: NO empties "$", BAD does not
	}
	if err == nil && cmd.Program.ModSeq() {
		s.enable(condstore)
	}
	return cmd, err
}

// search is SEARCH, SORT and THREAD, and their forms with UID (RFC 9051 6.4.4,
// RFC 5256 3).
func (s *session) search(c *call, verb imapsearch.Verb) error {
	cmd, err := s.parseSearch(c, verb)
	if err != nil {
		return err
	}
	if s.has(uidOnly) && !c.uid {
		return errUIDRequired
	}
	if s.tell(c.uid); s.over { // so that the newest flags are searched
		return errLater
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	answer, err := cmd.Run(ctx, s.searchEnv(c, s.sel.box, s.sel.seen, cancel))
	if err == nil && c.lowest != 0 && verb != imapsearch.Search { // RFC 9738 3.3
		err = no(s.limitCode(c), "These are too many messages to sort at once")
	}
	if err != nil {
		if cmd.Return.Save {
			s.saved = nil // RFC 5182 2.1
		}
		return err
	}
	if saved, ok := answer.Saved(); ok {
		s.saved = saved
	}
	answer.Write(s.enc, imapsearch.Form{Tag: c.tag, UID: c.uid, Extended: s.has(rev2)})
	return nil
}

// searchEnv is what a search of a mailbox is run on. stop is called when nobody
// waits for it any more.
func (s *session) searchEnv(c *call, box *mailbox.Mailbox, in *mailbox.Snapshot, stop func()) imapsearch.Env {
	env := imapsearch.Env{
		Box: box, Snapshot: in, Now: time.Now(),
		Limit: s.options().MessageLimit, Limited: func(lowest mailbox.UID) { c.lowest = lowest },
		Progress: func(done, total int) {
			if s.tellProgress(c, done, total) != nil {
				stop()
			}
		},
	}
	env.ProgressEvery = s.srv.progressEvery
	if s.sel != nil && s.sel.box == box {
		env.Saved, env.Recent = s.saved, imapwire.NumSet(s.sel.recent)
		if s.sel.now != in {
			env.Newest = s.sel.now
		}
	}
	return env
}

// tellProgress writes INPROGRESS (RFC 9585 3). Its error is that of the connection.
func (s *session) tellProgress(c *call, done, total int) error {
	s.enc.Raw("* OK [INPROGRESS (").String(c.tag).SP().Number(uint64(done)).SP().Number(uint64(total)).Raw(")] Still searching\r\n")
	return s.flush()
}

// cmdMultiSearch is ESEARCH (RFC 7377): a search in several mailboxes.
func (s *session) cmdMultiSearch(c *call) error {
	cmd, err := s.parseSearch(c, imapsearch.MultiSearch)
	if err != nil {
		return err
	}
	boxes, err := s.searched(cmd.Sources)
	if err != nil {
		return err
	}
	if s.tell(false); s.over {
		return errLater
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	for _, box := range boxes {
		in, err := s.searchedNow(box)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		answer, err := cmd.Run(ctx, s.searchEnv(c, box, in, cancel))
		if err != nil {
			return err
		}
		if saved, ok := answer.Saved(); ok {
			s.saved = saved
		}
		answer.Write(s.enc, imapsearch.Form{Tag: c.tag, Mailbox: s.wireName(box), UIDValidity: box.UIDValidity()})
	}
	return nil
}

// searchedNow returns what of a mailbox is searched: of the selected one the
// messages that the client knows, whose numbers the search may name.
func (s *session) searchedNow(box *mailbox.Mailbox) (*mailbox.Snapshot, error) {
	if s.sel != nil && box == s.sel.box {
		return s.sel.seen, nil
	}
	return box.Snapshot()
}

// searched returns the mailboxes that the sources name, each once. Those that
// are not there or may not be read are left out (RFC 7377 2.2).
func (s *session) searched(sources []imapsearch.Source) ([]*mailbox.Mailbox, error) {
	var boxes []*mailbox.Mailbox
	listed := make(map[*mailbox.Mailbox]bool)
	add := func(box *mailbox.Mailbox) {
		if !listed[box] {
			listed[box] = true
			boxes = append(boxes, box)
		}
	}
	var names *tree // all that the session may see, shared ones too
	for _, src := range sources {
		if src.Kind == imapsearch.Selected {
			if s.sel == nil {
				return nil, bad("", "No mailbox is selected")
			}
			add(s.sel.box)
			continue
		}
		if names == nil {
			var err error
			if names, err = s.tree(&listing{patterns: []string{"*"}}); err != nil {
				return nil, err
			}
		}
		for _, name := range sourceNames(src, names.entries) {
			box, err := s.mailbox(name, rightRead)
			switch {
			case err == nil:
				add(box)
			case !fault.Is(err, fault.NotFound) && !errors.Is(err, errNoRight):
				return nil, err
			}
		}
	}
	return boxes, nil
}

// sourceNames returns the names of the mailboxes of a source.
func sourceNames(src imapsearch.Source, entries []entry) []string {
	var names []string
	switch src.Kind {
	case imapsearch.Inboxes:
		return []string{"INBOX"}
	case imapsearch.Mailboxes:
		return src.Mailboxes
	case imapsearch.Subtree, imapsearch.SubtreeOne:
		names = append(names, src.Mailboxes...)
	}
	for _, f := range entries {
		take := f.Exists
		switch src.Kind {
		case imapsearch.Personal:
			take = take && !strings.HasPrefix(f.Name, sharedPrefix)
		case imapsearch.Subscribed:
			take = take && f.Subscribed
		case imapsearch.Subtree, imapsearch.SubtreeOne:
			take = take && below(f.Name, src.Mailboxes, src.Kind == imapsearch.SubtreeOne)
		}
		if take {
			names = append(names, f.Name)
		}
	}
	return names
}

// below tells whether a mailbox is below one of others; one: right below.
func below(name string, others []string, one bool) bool {
	for _, o := range others {
		rest, ok := strings.CutPrefix(name, o+string(separator))
		if ok && !(one && strings.Contains(rest, string(separator))) {
			return true
		}
	}
	return false
}
