package deliver

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/hook"
	"facteur/server/safefile"
	"facteur/server/trace"
)

// TestTrace compares what is noted of a delivery.
func TestTrace(t *testing.T) {
	w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
	defer w.close()
	w.remember()
	dir := filepath.Join(t.TempDir(), "trace")
	log, err := trace.Open(trace.Options{Dir: dir, Keep: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	w.opts.Trace = log
	act := func(actions ...hook.Action) []hook.Hook {
		for i := range actions {
			actions[i].Script = script{}.Name()
		}
		return []hook.Hook{{Program: script{hook.Outcome{Actions: actions}}}}
	}
	for i, c := range []struct {
		name  string
		hooks []hook.Hook
		mail  mail
		want  string
	}{
		{"kept", nil, mail{to: []string{"alice@example.org"}}, "filed alice@example.org INBOX"},
		{"junk", nil, mail{to: []string{"alice@example.org"}, junk: true}, "filed alice@example.org Junk (junk)"},
		{"filed with a flag", act(hook.Action{Kind: hook.FileInto, Folder: "Work", Create: true, Flags: []string{`\Seen`}}), mail{to: []string{"alice@example.org"}},
			`scripts alice@example.org; filed alice@example.org Work [\Seen]`},
		{"discarded", act(hook.Action{Kind: hook.Discard}), mail{to: []string{"alice@example.org"}}, "scripts alice@example.org; discarded alice@example.org"},
		{"sent on", act(hook.Action{Kind: hook.Redirect, Address: addr("x@example.net")}), mail{to: []string{"alice@example.org"}},
			"scripts alice@example.org; redirected alice@example.org [x@example.net]"},
		{"too full", nil, mail{to: []string{"small@example.org", "bob@example.org"}, text: strings.Repeat("x", 200)},
			"other small@example.org not yet: 452 4.2.2 The mailbox is full; filed bob@example.org INBOX"},
		{"an alias", nil, mail{to: []string{"out@example.org"}}, "redirected out@example.org [x@example.net]; queued [x@example.net]"},
		{"away", nil, mail{as: "alice@example.org", to: []string{"y@example.net"}}, "queued [y@example.net]"},
		{"held", nil, mail{to: []string{"bob@example.org"}, hold: "odd"}, "queued [bob@example.org] odd"},
	} {
		w.setHooks("alice@example.org", c.hooks)
		c.mail.unique = fmt.Sprintf("m%d", i)
		c.mail.text += c.name
		w.send(c.mail)
		log.Flush()
		stories, err := trace.Find(context.Background(), dir, trace.Query{ID: c.mail.unique})
		if err != nil || len(stories) != 1 {
			t.Errorf("%s: %v, %v", c.name, stories, err)
			continue
		}
		var got []string
		for _, e := range stories[0].Events {
			if e.Kind != trace.Sent { // the spool is at work
				got = append(got, told(e))
			}
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, text, c.want)
		}
	}
}

func told(e trace.Event) string {
	parts := []string{string(e.Kind), e.Box, e.Folder, e.Why}
	if len(e.To) > 0 {
		parts = []string{string(e.Kind), e.Box, fmt.Sprint(e.To), e.Why}
	}
	if len(e.Flags) > 0 {
		parts = append(parts, fmt.Sprint(e.Flags))
	}
	if e.Junk {
		parts = append(parts, "(junk)")
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}
