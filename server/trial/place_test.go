package trial

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/hook"
)

// Where a message goes, as package deliver has it.
func TestPlace(t *testing.T) {
	file := func(folder string, flags ...string) hook.Action {
		return hook.Action{Kind: hook.FileInto, Folder: folder, Flags: flags}
	}
	flag := func(k hook.Kind, flags ...string) hook.Action { return hook.Action{Kind: k, Flags: flags} }
	copied := file("X")
	copied.Copy = true
	onward := hook.Action{Kind: hook.Redirect}
	onwardToo := hook.Action{Kind: hook.Redirect, Copy: true}
	for name, c := range map[string]struct {
		actions []hook.Action
		want    string
	}{
		"nothing":                   {nil, "INBOX []"},
		"fileinto":                  {[]hook.Action{file("X")}, "X []"},
		"fileinto twice":            {[]hook.Action{file("X", "a"), file("X", "b"), file("Y")}, "X [a b], Y []"},
		"copy":                      {[]hook.Action{copied}, "X [], INBOX []"},
		"keep beside fileinto":      {[]hook.Action{file("X"), flag(hook.Keep, `\Seen`)}, `X [], INBOX [\Seen]`},
		"discard":                   {[]hook.Action{flag(hook.Discard)}, ""},
		"discard and keep":          {[]hook.Action{flag(hook.Discard), flag(hook.Keep)}, "INBOX []"},
		"discard and fileinto":      {[]hook.Action{flag(hook.Discard), file("X")}, "X []"},
		"flag":                      {[]hook.Action{flag(hook.Flag, "a"), file("X", "b")}, "X [b a]"},
		"unflag":                    {[]hook.Action{flag(hook.Flag, "$Work", `\Seen`), flag(hook.Unflag, "$work")}, `INBOX [\Seen] -$work`},
		"unflag first":              {[]hook.Action{flag(hook.Unflag, "a"), flag(hook.Flag, "a")}, "INBOX [a]"},
		"unflag what others filed":  {[]hook.Action{file("X", "a", "b"), flag(hook.Unflag, "A"), file("Y", "a")}, "X [b], Y [a] -A"},
		"unflag keep":               {[]hook.Action{flag(hook.Keep, "a"), flag(hook.Unflag, "a")}, "INBOX [] -a"},
		"redirect":                  {[]hook.Action{onward}, " redirect"},
		"redirect with a copy":      {[]hook.Action{onwardToo}, "INBOX [] redirect"},
		"reject":                    {[]hook.Action{flag(hook.Reject)}, " reject"},
		"reject and keep":           {[]hook.Action{flag(hook.Reject), flag(hook.Keep)}, "INBOX [] reject"},
		"reject and a copy onward":  {[]hook.Action{flag(hook.Reject), onwardToo}, "INBOX [] reject redirect"},
		"snooze":                    {[]hook.Action{{Kind: hook.Snooze, Until: time.Now()}}, " later snooze"},
		"others do not move a mail": {[]hook.Action{flag(hook.Vacation), flag(hook.Stop)}, "INBOX [] vacation"},
	} {
		p := PlaceOf(c.actions, Inbox)
		var folders []string
		for _, f := range p.Folders {
			folders = append(folders, fmt.Sprintf("%s %v", f, p.Added[f]))
		}
		got := strings.Join(folders, ", ")
		for _, f := range p.Removed {
			got += " -" + f
		}
		if p.Snoozed {
			got += " later"
		}
		for _, a := range p.Others {
			got += " " + string(a.Kind)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
