package deliver

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/hook"
	"facteur/server/message"
)

// taking is the actions of a mailbox's scripts on their way into its plan.
type taking struct {
	*boxPlan
	now         time.Time
	mayRedirect func(address.Address) bool

	keep       bool // nothing has cancelled the implicit keep
	explicit   bool // somebody said keep
	suppressed bool // a redirect may not be
	reject     *hook.Action
	flags      []string // for all copies
	keepFlags  []string // for that of keep
}

// take carries the actions of the scripts over into the plan, in this order:
//
//  1. fileinto, snooze, redirect, discard and keep, which decide where the message goes.
//     A redirect that may not be (a loop, a limit) is never a loss: when nothing else
//     holds the message, the keep comes back.
//  2. flag and unflag, in the order in which they were said. They are for all copies.
//  3. reject, when none of fileinto, snooze, redirect and keep holds the message: it
//     is not both kept and refused (RFC 5429 2.1). It wins over discard, and there is no
//     vacation and no reply beside it.
//  4. remove_header, then subject_prefix, then add_header: the form of the message in this
//     mailbox alone. What is redirected is not changed.
//
// The others wait until the message is durable: vacation, reply, notify (answer), learn,
// accept and decline (Options.Delivered).
func (p *boxPlan) take(now time.Time, actions []hook.Action, mayRedirect func(address.Address) bool) {
	t := taking{boxPlan: p, now: now, mayRedirect: mayRedirect, keep: true}
	for i := range actions {
		t.place(&actions[i])
		t.flag(&actions[i])
		t.shape(&actions[i])
		t.note(&actions[i])
	}
	t.end()
}

// place decides where the message goes.
func (t *taking) place(a *hook.Action) {
	switch a.Kind {
	case hook.FileInto:
		t.filings = append(t.filings, filing{folder: a.Folder, create: a.Create, flags: a.Flags})
		t.keep = t.keep && a.Copy
	case hook.Snooze:
		t.filings = append(t.filings, snoozeInto(t.now, a.Until))
		t.keep = false
	case hook.Redirect:
		if !t.mayRedirect(a.Address) {
			t.suppressed = true
			return
		}
		t.redirects = append(t.redirects, a.Address)
		t.keep = t.keep && a.Copy
	case hook.Discard:
		t.keep = false
	case hook.Reject:
		t.reject = a
	case hook.Keep:
		t.explicit = true
		t.keepFlags = union(t.keepFlags, a.Flags)
	}
}

// flag changes the flags that were said so far.
func (t *taking) flag(a *hook.Action) {
	switch a.Kind {
	case hook.Flag:
		t.flags = union(t.flags, a.Flags)
	case hook.Unflag:
		t.flags = without(t.flags, a.Flags)
		t.keepFlags = without(t.keepFlags, a.Flags)
		for i := range t.filings {
			t.filings[i].flags = without(t.filings[i].flags, a.Flags)
		}
	}
}

// shape changes the form of the message in this mailbox.
func (t *taking) shape(a *hook.Action) {
	switch a.Kind {
	case hook.AddHeader:
		if field, err := message.FormatField(a.Name, a.Value); err == nil {
			t.form.header = append(t.form.header, field...)
		}
	case hook.RemoveHeader:
		t.form.retouch.Remove = union(t.form.retouch.Remove, []string{strings.ToLower(a.Name)})
	case hook.SubjectPrefix:
		t.form.retouch.Prefix = a.Text + t.form.retouch.Prefix
	}
}

// note keeps what is done once the message is durable.
func (t *taking) note(a *hook.Action) {
	switch a.Kind {
	case hook.Vacation, hook.Reply, hook.Notify:
		t.replies = append(t.replies, *a)
	case hook.Learn, hook.Accept, hook.Decline:
		t.later = append(t.later, *a)
	}
}

// end makes the plan of what was said.
func (t *taking) end() {
	held := t.explicit || t.suppressed || len(t.filings)+len(t.redirects) > 0
	if t.reject != nil {
		if !held {
			t.refuse = t.reject
			return
		}
		t.overruled = t.reject
	}
	lost := t.suppressed && len(t.filings)+len(t.redirects) == 0
	if t.keep || t.explicit || lost {
		t.filings = append(t.filings, filing{folder: cmp.Or(t.keepIn, inbox), flags: t.keepFlags})
	}
	t.filings = merge(t.filings)
	for i := range t.filings {
		t.filings[i].flags = union(t.filings[i].flags, t.flags)
	}
}

// merge makes one filing of those into the same folder.
func merge(in []filing) []filing {
	var out []filing
next:
	for _, f := range in {
		for i := range out {
			if out[i].folder == f.folder {
				out[i].create = out[i].create || f.create
				out[i].flags = union(out[i].flags, f.flags)
				if !f.until.IsZero() {
					out[i].until = f.until
				}
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// without returns the flags of a that are not in b. Flags have no case (RFC 9051 2.3.2).
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		return slices.ContainsFunc(b, func(other string) bool { return strings.EqualFold(s, other) })
	})
}
