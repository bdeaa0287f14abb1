package lists

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/plugins/lua"
	"facteur/plugins/plugintest"
)

// folderOf is the plugin over a folder with files.
func folderOf(t testing.TB, files map[string]string) (m lua.Module, dir string) {
	t.Helper()
	s := plugintest.Settings(t, nil)
	dir = filepath.Join(s.Dir, "lists")
	for name, text := range files {
		save(t, filepath.Join(dir, name), text)
	}
	return plugintest.Open(t, Plugin, s), dir
}

func save(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var tables = map[string]string{
	"friends.txt":    "# friends\nBob@Example.NET   # a neighbour\n\ncarol@example.net\n",
	"rooms.csv":      "green, Garden\nred,\"Cellar, left\"\nred,twice\n",
	"people.csv":     "\ufeff#address;name;folder\nbob@example.net;Bob;Neighbours\ncarol@example.net;Carol\n",
	"wide.csv":       "# a comment\na,1,2\nb\n",
	"prices.toml":    "\"a b\" = 1\nhalf = 0.5\nyes = true\nlist = [1, \"x\", 1979-05-27]\n[Deep]\nin = { x = 1 }\n[[many]]\nn = 1\n",
	"below/more.txt": "x\n",
	"bad.toml":       "x = \n",
	"odd.exe":        "x\n",
}

func TestLookup(t *testing.T) {
	m, _ := folderOf(t, tables)
	for statement, want := range map[string]string{
		`log(lookup("friends.txt", "bob@example.net"), lookup("friends.txt", " CAROL@example.net "), lookup("friends.txt", "dan"))`: "true\ttrue\tnil",
		`log(lists.has("friends.txt", "bob@example.net"), lists.has("friends.txt", "# friends"))`:                                   "true\tfalse",
		`log(lookup("rooms.csv", "Green"), lookup("rooms.csv", "red"))`:                                                             "Garden\tCellar, left",
		`local p = lookup("people.csv", "bob@example.net") log(p.name, p.folder, p.address)`:                                        "Bob\tNeighbours\tnil",
		`log(lookup("people.csv", "carol@example.net").folder, lookup("people.csv", "address"))`:                                    "nil\tnil",
		`local w = lookup("wide.csv", "a") log(#w, w[1], w[2], lookup("wide.csv", "b"))`:                                            "2\t1\t2\ttrue",
		`log(lookup("prices.toml", "A B"), lookup("prices.toml", "half"), lookup("prices.toml", "yes"))`:                            "1\t0.5\ttrue",
		`local l = lookup("prices.toml", "list") log(l[1], l[2], l[3]:sub(1, 10))`:                                                  "1\tx\t1979-05-27",
		`log(lookup("prices.toml", "deep")["in"].x, lookup("prices.toml", "many")[1].n)`:                                            "1\t1",
		`log(lookup("below/more.txt", "x"))`:                                                                                        "true",
		`log(lookup("none.txt", "x"))`:                                                                                              "nil\tthere is no file none.txt in the folder of lists",
		`log(lookup("odd.exe", "x"))`:                                                                                               "nil\todd.exe: a list is a .txt, .csv or .toml file",
		`log(lookup("below", "x"))`:                                                                                                 "nil\tbelow is not a file",
		`log((select(2, lookup("bad.toml", "x")):sub(1, 10)))`:                                                                      "bad.toml: ",
		`log(lookup("friends.txt", ("x"):rep(2000)))`:                                                                               "nil",
		`log((select(2, pcall(function() lookup("../mail.toml", "x") end))))`:                                                       `test.lua:1: bad argument #1 to lookup ("../mail.toml" is no file below the folder of lists)`,
		`log((select(2, pcall(function() lookup("/etc/passwd", "x") end))))`:                                                        `test.lua:1: bad argument #1 to lookup ("/etc/passwd" is no file below the folder of lists)`,
		`log((select(2, pcall(function() lookup("", "x") end))))`:                                                                   `test.lua:1: bad argument #1 to lookup ("" is no file below the folder of lists)`,
	} {
		if got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), statement); got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
}

// No link leads out of the folder.
func TestLinks(t *testing.T) {
	m, dir := folderOf(t, tables)
	save(t, filepath.Join(dir, "..", "secret.txt"), "x\n")
	for link, to := range map[string]string{"out.txt": "../secret.txt", "in.txt": "friends.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), `log(lookup("out.txt", "x")) log(lookup("in.txt", "carol@example.net"))`)
	if got != "nil\tout.txt can't be read\ntrue" {
		t.Errorf("%q", got)
	}
}

// A saved file holds at once; one with a mistake leaves the table before in force.
func TestSaved(t *testing.T) {
	m, dir := folderOf(t, map[string]string{"t.toml": "a = 1\n"})
	look := func() string {
		return plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), `log(lookup("t.toml", "a"))`)
	}
	file := filepath.Join(dir, "t.toml")
	for i, c := range []struct{ text, want string }{{"a = 1\n", "1"}, {"a = 22\n", "22"}, {"a = \n", "22"}, {"a = 3\n", "3"}, {"b = 3\n", "nil"}} {
		save(t, file, c.text)
		at := time.Unix(1_700_000_000+int64(i), 0)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != c.want {
			t.Errorf("after %q: %s", c.text, got)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := look(); !strings.HasPrefix(got, "nil\tthere is no file") {
		t.Error(got)
	}
}

func TestAtOnce(t *testing.T) {
	m, _ := folderOf(t, tables)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				got := plugintest.Try(t, m, plugintest.Call(t, plugintest.Message), `log(lookup("rooms.csv", "green"), lookup("prices.toml", "deep")["in"].x)`)
				if got.Err != nil || plugintest.Logged(got) != "Garden\t1" {
					t.Error(got.Err, plugintest.Logged(got))
				}
			}
		})
	}
	all.Wait()
}

func TestSettings(t *testing.T) {
	if got := plugintest.Problems(Plugin, plugintest.Settings(t, map[string]any{"folder": "none", "x": true})); got != "folder: there is no such folder\nx: unknown key: there are folder" {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	for name, text := range tables {
		f.Add(filepath.Ext(name), text)
	}
	f.Fuzz(func(t *testing.T, extension, text string) {
		rows, err := parse(extension, strings.NewReader(text))
		if err != nil && rows != nil {
			t.Error("rows beside an error")
		}
		for key, value := range rows {
			if value == nil || fold(key) != key {
				t.Errorf("%q: %v", key, value)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "user%d@example.net,%d\n", i, i)
	}
	_, dir := folderOf(b, map[string]string{"t.csv": text.String()})
	f := &folder{dir: dir, tables: make(map[string]*table)}
	for b.Loop() {
		if rows, err := f.rows("t.csv"); err != nil || rows["user99999@example.net"] != "99999" {
			b.Fatal(err)
		}
	}
}

// Names of files that are not there don't keep other scripts from their lists.
func TestManyNames(t *testing.T) {
	m, _ := folderOf(t, tables)
	call := plugintest.Call(t, plugintest.Message)
	plugintest.Run(t, m, call, `for i = 1, 300 do lookup("none" .. i .. ".txt", "x") end`)
	if got := plugintest.Run(t, m, call, `log(lookup("friends.txt", "bob@example.net"))`); got != "true" {
		t.Error(got)
	}
}
