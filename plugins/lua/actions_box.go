package lua

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"facteur/server/hook"
)

// actFileInto is fileinto(folder[, {create=, flags=, copy=}]); without a mailbox,
// it is a copy in any case.
func actFileInto(s *state) int {
	s.allow(hook.FileInto)
	s.onlyArgs(2)
	a := hook.Action{Kind: hook.FileInto, Folder: s.folder(1)}
	s.options(2, append(s.orCopy(&a.Copy), s.isTrue("create", &a.Create), s.hasFlags(&a.Flags))...)
	return s.act(a)
}

// orCopy is the option copy, which says something where the message would
// otherwise be kept.
func (s *state) orCopy(to *bool) []option {
	if !s.call.Stage.HasBox() {
		return nil
	}
	return []option{s.isTrue("copy", to)}
}

// actKeep is box:keep([{flags=}]).
func actKeep(s *state) int {
	s.allow(hook.Keep)
	s.onlyArgs(1)
	a := hook.Action{Kind: hook.Keep}
	s.options(1, s.hasFlags(&a.Flags))
	return s.act(a)
}

// actFlags is box:flag(flags) and box:unflag(flags).
func actFlags(k hook.Kind) function {
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(1)
		flags := s.flags(1, s.L.Get(1))
		if len(flags) == 0 {
			s.argError(1, "no flag given")
		}
		return s.act(hook.Action{Kind: k, Flags: flags})
	}
}

// actRedirect is redirect(address[, {copy=}]).
func actRedirect(s *state) int {
	s.allow(hook.Redirect)
	s.onlyArgs(2)
	a := hook.Action{Kind: hook.Redirect, Address: s.address(1)}
	s.options(2, s.orCopy(&a.Copy)...)
	return s.act(a)
}

// RFC 5230 4.1: a server bounds the days.
const (
	minDays = 1
	maxDays = 60
)

// autoReply reads the table of box:vacation or box:reply; least is the least number of days.
func (s *state) autoReply(least int, more func(*hook.AutoReply) []option) *hook.AutoReply {
	r := &hook.AutoReply{Days: -1}
	options := []option{
		s.isText("text", &r.Text),
		s.isText("html", &r.HTML),
		s.isLine("subject", &r.Subject, maxHeaderValue),
		{"from", func(w where, v lua.LValue) { r.From = s.addressOf(w, v) }},
		s.isLine("handle", &r.Handle, maxHandle),
		{"days", func(w where, v lua.LValue) {
			n, ok := v.(lua.LNumber)
			if r.Days = int(n); !ok || lua.LNumber(r.Days) != n || r.Days < least || r.Days > maxDays {
				s.wrong(w, "must be a number of days from %d to %d", least, maxDays)
			}
		}},
		{"addresses", func(w where, v lua.LValue) { r.Addresses = s.addressesOf(w, v) }},
	}
	s.table(1)
	s.options(1, append(options, more(r)...)...)
	if (strings.TrimSpace(r.Text) == "") == (strings.TrimSpace(r.HTML) == "") {
		s.argError(1, "either text or html says what to answer")
	}
	return r
}

// actVacation is box:vacation{text= or html=, subject=, from=, days=, addresses=,
// handle=, start=, stop=} (RFC 5230).
func actVacation(s *state) int {
	s.allow(hook.Vacation)
	s.onlyArgs(1)
	r := s.autoReply(minDays, func(r *hook.AutoReply) []option {
		return []option{
			{"start", func(w where, v lua.LValue) { r.Start = s.date1(w, v) }},
			{"stop", func(w where, v lua.LValue) { r.Stop = s.date1(w, v) }},
		}
	})
	if !r.Start.IsZero() && !r.Stop.IsZero() && r.Stop.String() < r.Start.String() {
		s.argError(1, "it stops on %s, before it starts", r.Stop)
	}
	return s.act(hook.Action{Kind: hook.Vacation, Reply: r})
}

// actReply is box:reply{...}: as vacation, without start and stop; days = 0 answers each
// message.
func actReply(s *state) int {
	s.allow(hook.Reply)
	s.onlyArgs(1)
	r := s.autoReply(0, func(*hook.AutoReply) []option { return nil })
	return s.act(hook.Action{Kind: hook.Reply, Reply: r})
}

// actNotify is notify{to=, subject=, text=}.
func actNotify(s *state) int {
	s.allow(hook.Notify)
	s.onlyArgs(1)
	n := &hook.Notification{}
	s.table(1)
	s.options(1,
		option{"to", func(w where, v lua.LValue) { n.To = s.addressOf(w, v) }},
		s.isLine("subject", &n.Subject, maxHeaderValue),
		s.isText("text", &n.Text))
	if n.Subject == "" && n.Text == "" {
		s.argError(1, "neither subject nor text is given")
	}
	return s.act(hook.Action{Kind: hook.Notify, Notice: n})
}

const maxSnooze = 366 * 24 * time.Hour

// actSnooze is box:snooze(until). For a time that has passed nothing is done.
func actSnooze(s *state) int {
	s.allow(hook.Snooze)
	s.onlyArgs(1)
	until := s.moment(1)
	if until.After(s.call.Now.Add(maxSnooze)) {
		s.argError(1, "that is more than a year from now")
	}
	if !until.After(s.call.Now) {
		return 0
	}
	return s.act(hook.Action{Kind: hook.Snooze, Until: until})
}

// actAnswer is box:accept([comment]) and box:decline([comment]).
func actAnswer(k hook.Kind) function {
	return func(s *state) int {
		s.allow(k)
		s.onlyArgs(1)
		a := hook.Action{Kind: k}
		if s.L.Get(1) != lua.LNil {
			a.Text = s.line1(1, maxReason)
		}
		return s.act(a)
	}
}

// actLearn is box:learn("spam") or box:learn("ham").
func actLearn(s *state) int {
	s.allow(hook.Learn)
	s.onlyArgs(1)
	class := s.str(1)
	if class != "spam" && class != "ham" {
		s.argError(1, `it is "spam" or "ham"`)
	}
	return s.act(hook.Action{Kind: hook.Learn, Text: strings.Clone(class)})
}

const (
	minExpire = time.Hour
	maxExpire = 100 * 365 * 24 * time.Hour
)

// actExpire is box:expire(folder, age).
func actExpire(s *state) int {
	s.allow(hook.Expire)
	s.onlyArgs(2)
	a := hook.Action{Kind: hook.Expire, Folder: s.folder(1)}
	a.For = s.duration(here(2), s.L.Get(2), minExpire, maxExpire)
	return s.act(a)
}
