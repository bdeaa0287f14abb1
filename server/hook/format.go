package hook

import (
	"fmt"
	"strings"
)

// String tells an action to people: what would happen.
func (a Action) String() string {
	var b strings.Builder
	b.WriteString(string(a.Kind))
	switch a.Kind {
	case Reject, Tempfail:
		fmt.Fprintf(&b, " %d %s %q", a.Fault.Code, a.Fault.Enhanced(), a.Fault.Text)
	case Score:
		fmt.Fprintf(&b, " %+g %s", a.Points, a.Rule)
		if a.Text != "" {
			fmt.Fprintf(&b, " (%s)", a.Text)
		}
	case AddHeader:
		fmt.Fprintf(&b, " %s: %s", a.Name, a.Value)
	case FileInto:
		fmt.Fprintf(&b, " %q", a.Folder)
		if a.Create {
			b.WriteString(", made when it is not there")
		}
	case Redirect:
		fmt.Fprintf(&b, " <%s>", a.Address)
	}
	if len(a.Flags) > 0 {
		fmt.Fprintf(&b, " with %s", strings.Join(a.Flags, " "))
	}
	if a.Copy {
		b.WriteString(", and go on as if not")
	}
	return b.String()
}
