package trial

import (
	"slices"
	"strings"

	"facteur/server/hook"
)

// Place is where delivery puts a message, as the actions of the stage deliver say
// when each of them succeeds.
type Place struct {
	Folders []string // none: it is kept nowhere
	Create  []string // those that are made when they are not there
	Added   map[string][]string
	Removed []string
	Snoozed bool          // it comes later
	Others  []hook.Action // what else was asked for, in order
}

// Inbox is where a message goes of which nothing else is said.
const Inbox = "INBOX"

// PlaceOf carries the actions over as package deliver does. keepIn is where what
// is kept goes: INBOX, or Junk.
func PlaceOf(actions []hook.Action, keepIn string) Place {
	p := Place{Added: make(map[string][]string)}
	keep, explicit, reject, held := true, false, false, false
	var flags, keepFlags []string
	for _, a := range actions {
		switch a.Kind {
		case hook.FileInto:
			p.into(a.Folder, a.Flags)
			if a.Create {
				p.Create = append(p.Create, a.Folder)
			}
			keep, held = keep && a.Copy, true
		case hook.Keep:
			explicit, held = true, true
			keepFlags = append(keepFlags, a.Flags...)
		case hook.Discard:
			keep = false
		case hook.Flag:
			flags = append(flags, a.Flags...)
			p.Removed = without(p.Removed, a.Flags)
		case hook.Unflag:
			p.Removed = append(p.Removed, a.Flags...)
			flags, keepFlags = without(flags, a.Flags), without(keepFlags, a.Flags)
			for folder := range p.Added {
				p.Added[folder] = without(p.Added[folder], a.Flags)
			}
		case hook.Stop:
		default:
			p.Others = append(p.Others, a)
			switch a.Kind {
			case hook.Redirect:
				keep, held = keep && a.Copy, true
			case hook.Snooze:
				keep, held, p.Snoozed = false, true, true
			case hook.Reject:
				reject = true
			}
		}
	}
	if explicit || keep && (held || !reject) {
		p.into(keepIn, keepFlags)
	}
	for _, folder := range p.Folders {
		p.into(folder, flags)
	}
	return p
}

func without(flags, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return containsFlag(gone, f) })
}

// into adds a folder, or flags in it.
func (p *Place) into(folder string, flags []string) {
	if !slices.Contains(p.Folders, folder) {
		p.Folders = append(p.Folders, folder)
	}
	for _, f := range flags {
		if !containsFlag(p.Added[folder], f) {
			p.Added[folder] = append(p.Added[folder], f)
		}
	}
}

// containsFlag compares flags without case (RFC 9051 2.3.2), and without the
// backslash of a system flag.
func containsFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(f string) bool {
		return strings.EqualFold(strings.TrimPrefix(f, `\`), strings.TrimPrefix(flag, `\`))
	})
}
