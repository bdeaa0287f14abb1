package deliver

import (
	"testing"

	"facteur/server/hook"
	"facteur/server/safefile"
)

// TestJunk: quarantined mail lies in the folder for it, whatever that is called, and a
// script has the last word.
func TestJunk(t *testing.T) {
	for _, c := range []struct {
		name   string
		folder string // of alice, with the special use; "": as it comes
		does   []hook.Action
		want   string
	}{
		{"as it comes", "", nil, "Junk"},
		{"keep is no objection", "", []hook.Action{{Kind: hook.Keep}}, "Junk"},
		{"flags", "", []hook.Action{{Kind: hook.Flag, Flags: []string{`\Flagged`}}}, "Junk"},
		{"filed elsewhere", "", []hook.Action{{Kind: hook.FileInto, Folder: "Lists", Create: true}}, "Lists"},
		{"filed into INBOX", "", []hook.Action{{Kind: hook.FileInto, Folder: "INBOX"}}, "INBOX"},
		{"another name", "Spam", nil, "Spam"},
		{"gone", "-", nil, "Junk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), safefile.Unsynced{FS: safefile.OS})
			defer w.close()
			home, err := w.store.Home(addr("alice@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			if c.folder != "" {
				if err := home.Delete("Junk"); err != nil {
					t.Fatal(err)
				}
			}
			if c.folder != "" && c.folder != "-" {
				if err := home.Create(c.folder, `\Junk`); err != nil {
					t.Fatal(err)
				}
			}
			if c.does != nil {
				w.hooks["alice@example.org"] = does(c.does...)
			}
			taken(t, w.send(mail{text: "doubtful", junk: true, to: []string{"alice@example.org"}}))
			for _, folder := range []string{"INBOX", "Junk", "Spam", "Lists"} {
				want := 0
				if folder == c.want {
					want = 1
				}
				if got := w.box("alice/" + folder); len(got) != want {
					t.Errorf("%d in %s, want %d", len(got), folder, want)
				}
			}
		})
	}
}
