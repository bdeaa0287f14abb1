package hook

import (
	"fmt"
	"strings"
	"time"
)

// String tells an action to people: what would happen.
func (a Action) String() string {
	var b strings.Builder
	b.WriteString(string(a.Kind))
	if details := a.details(); details != "" {
		b.WriteString(" " + details)
	}
	if len(a.Flags) > 0 {
		fmt.Fprintf(&b, " with %s", strings.Join(a.Flags, " "))
	}
	if a.Create {
		b.WriteString(", made when it is not there")
	}
	if a.Copy {
		b.WriteString(", and go on as if not")
	}
	return b.String()
}

// details is what an action is done with, "" for those that need no more than
// their name.
func (a Action) details() string {
	switch a.Kind {
	case Reject, Tempfail:
		if a.Fault == nil {
			return fmt.Sprintf("%q", a.Text)
		}
		return fmt.Sprintf("%d %s %q", a.Fault.Code, a.Fault.Enhanced(), a.Fault.Text)
	case Delay:
		return "the greeting by " + Period(a.For)
	case Greylist:
		return "for " + Period(a.For)
	case Quarantine, Hold, SubjectPrefix:
		return fmt.Sprintf("%q", a.Text)
	case Route:
		return "through " + a.Relay
	case Score:
		if a.Text != "" {
			return fmt.Sprintf("%+g %s (%s)", a.Points, a.Rule, a.Text)
		}
		return fmt.Sprintf("%+g %s", a.Points, a.Rule)
	case AddHeader:
		return a.Name + ": " + a.Value
	case RemoveHeader:
		return a.Name
	case FileInto:
		return fmt.Sprintf("%q", a.Folder)
	case Redirect, Rewrite, AddRcpt:
		return fmt.Sprintf("<%s>", a.Address)
	case Vacation, Reply:
		return a.Reply.String()
	case Notify:
		return a.Notice.String()
	case Snooze:
		return "until " + a.Until.Format("2006-01-02 15:04 -0700")
	case Learn:
		return "as " + a.Text
	case Expire:
		return fmt.Sprintf("what is older than %s in %q", Period(a.For), a.Folder)
	case Accept, Decline:
		if a.Text != "" {
			return fmt.Sprintf("(%s)", a.Text)
		}
	}
	return ""
}

// String tells to people what an answer says.
func (r *AutoReply) String() string {
	if r == nil {
		return ""
	}
	text := r.Text
	if text == "" {
		text = r.HTML
	}
	parts := []string{fmt.Sprintf("%q", shorten(text))}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("subject", quoted(r.Subject))
	if !r.From.IsZero() {
		add("from", fmt.Sprintf("<%s>", r.From))
	}
	if r.Days >= 0 {
		add("every", Period(time.Duration(r.Days)*24*time.Hour))
	}
	for _, a := range r.Addresses {
		add("for", fmt.Sprintf("<%s>", a))
	}
	add("handle", quoted(r.Handle))
	add("from", r.Start.String())
	add("until", r.Stop.String())
	return strings.Join(parts, ", ")
}

// String tells to people what a notification says.
func (n *Notification) String() string {
	if n == nil {
		return ""
	}
	var parts []string
	if !n.To.IsZero() {
		parts = append(parts, fmt.Sprintf("<%s>", n.To))
	}
	for _, text := range []string{n.Subject, n.Text} {
		if text != "" {
			parts = append(parts, quoted(shorten(text)))
		}
	}
	return strings.Join(parts, ", ")
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

// shorten cuts a text for one line.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Period tells a length of time in words, by its largest unit that fits: "30 days".
func Period(d time.Duration) string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if d >= u.size && d%u.size == 0 {
			if d == u.size {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", d/u.size, u.name)
		}
	}
	if d == 0 {
		return "0 seconds"
	}
	return d.String()
}
