package trace

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"facteur/server/wire"
)

// Print writes a story for people, times in a location.
func (s Story) Print(w io.Writer, loc *time.Location) error {
	var b strings.Builder
	day := ""
	for _, e := range s.Events {
		at := e.At.In(loc)
		if d := at.Format(time.DateOnly); d != day {
			day = d
			if s.ID != "" {
				fmt.Fprintf(&b, "%s  %s%s\n", day, s.ID, with("  connection ", s.connection()))
			} else {
				fmt.Fprintf(&b, "%s  (no message; connection %s)\n", day, s.Session)
			}
		}
		lines := s.tell(e, loc)
		for i, line := range lines {
			line = wire.Seen(line, "")
			if i == 0 {
				fmt.Fprintf(&b, "  %s  %s\n", at.Format(time.TimeOnly), line)
			} else {
				fmt.Fprintf(&b, "            %s\n", line)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary is a story in one line.
func (s Story) Summary(loc *time.Location) string {
	var from string
	var to, fates []string
	for _, e := range s.Events {
		switch e.Kind {
		case In, Refused:
			from = cmp.Or(from, e.From)
			for _, a := range e.To {
				to = add(to, a)
			}
			switch {
			case e.Kind == Refused && strings.HasPrefix(e.Why, "4"):
				fates = add(fates, "told to try later")
			case e.Kind == Refused:
				fates = add(fates, "refused")
			}
		case Filed:
			fates = add(fates, "in "+e.Folder)
		case Discarded, Redirected, Queued, Sent, Deferred, Bounced:
			fates = add(fates, string(e.Kind))
		}
	}
	if len(to) > 3 {
		to = append(to[:3:3], fmt.Sprintf("%d more", len(to)-3))
	}
	return wire.Seen(fmt.Sprintf("%s  %-16s  %s -> %s: %s", s.Events[0].At.In(loc).Format(time.DateTime), cmp.Or(s.ID, s.Session, "-"), path(from),
		cmp.Or(strings.Join(to, ", "), "?"), cmp.Or(strings.Join(fates, ", "), "no more is known")), "")
}

// connection is that by which the message came: what scripts did before it was there, is
// told of that one.
func (s Story) connection() string {
	for _, e := range s.Events {
		if e.Kind == In {
			return e.Session
		}
	}
	return ""
}

func add(list []string, s string) []string {
	for _, old := range list {
		if old == s {
			return list
		}
	}
	return append(list, s)
}

func path(a string) string { return "<" + a + ">" }

// tell returns the lines of an event.
func (s Story) tell(e Event, loc *time.Location) []string {
	to := strings.Join(e.To, ", ")
	switch e.Kind {
	case In:
		return e.tellIn(to)
	case Refused:
		return []string{fmt.Sprintf("refused%s%s: %s", with(" at ", e.Stage), e.tellClient(), e.Why), "from " + path(e.From) + with(" to ", to)}
	case Discarded:
		return []string{prefixed(e.Box, "discarded by a script")}
	case Ran:
		return e.tellScripts()
	case Filed:
		return []string{prefixed(e.Box, "filed into "+e.Folder+with(" with ", strings.Join(e.Flags, " "))+s.by(e)+junk(e))}
	case Redirected:
		return []string{prefixed(e.Box, "sent on to "+to)}
	case NotSentOn:
		return []string{prefixed(e.Box, "not sent on to "+to+with(": ", e.Why))}
	case Replied:
		return []string{prefixed(e.Box, e.What+" sent to "+to)}
	case NotReplied:
		return []string{prefixed(e.Box, "no "+e.What+with(" to ", to)+with(": ", e.Why))}
	case Queued:
		if e.Why != "" {
			return []string{to + ": held in the queue" + entry(e) + ": " + e.Why}
		}
		return []string{to + ": put into the queue" + entry(e)}
	case Sent:
		return []string{to + ": sent" + with(" to ", e.Remote) + with(", ", e.TLS) + with(", which said ", e.Reply)}
	case Deferred:
		next := ""
		if e.Next != nil {
			next = ", the next try is at " + e.Next.In(loc).Format(time.DateTime)
		}
		return []string{to + ": not yet" + with(" at ", e.Remote) + with(": ", e.Reply) + next}
	case Bounced:
		return []string{to + ": given up" + with(" at ", e.Remote) + with(": ", e.Reply)}
	}
	return []string{prefixed(e.Box, cmp.Or(e.Why, string(e.Kind)))}
}

func (e Event) tellIn(to string) []string {
	lines := []string{"came in" + e.tellClient() + " for " + cmp.Or(to, "nobody")}
	lines = append(lines, fmt.Sprintf("from %s, %d octets%s", path(e.From), e.Size, with(", Message-ID ", e.MessageID)))
	if a := e.Auth; a != nil {
		lines = append(lines, strings.TrimSpace(with("spf=", a.SPF)+with(" dkim=", a.DKIM)+with(" dmarc=", a.DMARC)+with(" arc=", a.ARC)))
	}
	if e.Score != 0 {
		lines = append(lines, "spam score "+strconv.FormatFloat(e.Score, 'f', -1, 64))
	}
	if e.Why != "" {
		lines = append(lines, e.Why)
	}
	return lines
}

func (e Event) tellClient() string {
	c := e.Client
	switch {
	case c == nil:
		return ""
	case c.Listener == "":
		return " from this server"
	case c.User != "":
		return " of " + c.User + " over " + c.Listener + bracketed(c.IP)
	}
	return " from " + cmp.Or(c.RDNS, c.Helo, "a program here") + bracketed(c.IP) + with(", ", c.TLS)
}

func (e Event) tellScripts() []string {
	var lines []string
	for _, s := range e.Scripts {
		line := fmt.Sprintf("%s (%s, %s) at %s", s.Name, cmp.Or(s.Hash, "built in"), took(s.Micros), e.Stage)
		if s.Err != "" {
			line += " failed: " + s.Err
		} else if len(s.Lines) == 0 {
			line += ": nothing"
		}
		lines = append(lines, prefixed(e.Box, line))
		for _, l := range s.Lines {
			if l.Line > 0 {
				lines = append(lines, fmt.Sprintf("  line %d: %s", l.Line, l.Do))
			} else {
				lines = append(lines, "  "+l.Do)
			}
		}
	}
	return lines
}

// by names the line of a script that asked for a filing, where one did.
func (s Story) by(filed Event) string {
	want := fmt.Sprintf("fileinto %q", filed.Folder)
	for _, e := range s.Events {
		if e.Kind != Ran || e.Box != filed.Box {
			continue
		}
		for _, sc := range e.Scripts {
			for _, l := range sc.Lines {
				if strings.HasPrefix(l.Do, want) {
					return fmt.Sprintf(" by %s line %d", sc.Name, l.Line)
				}
			}
		}
	}
	return ""
}

func took(micros int64) string {
	if micros < 1000 {
		return strconv.FormatInt(micros, 10) + " µs"
	}
	return strconv.FormatFloat(float64(micros)/1000, 'f', 1, 64) + " ms"
}

func junk(e Event) string {
	if e.Junk {
		return ", for its author's domain asks for that"
	}
	return ""
}

func entry(e Event) string {
	if e.Entry == "" || e.Entry == e.ID {
		return ""
	}
	return " as " + e.Entry
}

func bracketed(ip string) string {
	if ip == "" {
		return ""
	}
	return " [" + ip + "]"
}

func with(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func prefixed(box, text string) string {
	if box == "" {
		return text
	}
	return box + ": " + text
}
