package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a case waits for an event that must come.
const patience = 4 * time.Minute

// demoHash is a hash of "demo", and newHash one of "new": bcrypt at its lowest
// cost, so that logins cost the tests nothing.
const (
	demoHash = "$2b$04$abcdefghijklmnopqrstuukpT6/rAWFFcbBfEblfGqmNEecvFUNVy"
	newHash  = "$2b$04$abcdefghijklmnopqrstuusf96eeUQLgQWR72RBesvIE8CjOJNM9O"
)

// world is what a case has at work. Its methods are the verbs; each belongs to
// one goroutine, that of its case.
type world struct {
	tb       testing.TB
	ts       *testscript.TestScript // of the verb that runs
	dir      string                 // $WORK
	server   *server                // nil: none runs
	log      *events                // of all servers of the case
	sessions map[string]*link
	saved    time.Time // when mail.toml was last saved
	peers    peers
	lessons  chan lesson  // nil: there is no learner
	web      *http.Client // nil: nothing was asked yet
}

type worldKey struct{}

// verb makes a script command of a method.
func verb(f func(w *world, neg bool, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		w := ts.Value(worldKey{}).(*world)
		w.ts = ts
		f(w, neg, args)
	}
}

// setup prepares a case: the base mail.toml unless it brings its own, a home
// for the clients, and a report if it fails.
func setup(env *testscript.Env) error {
	w := &world{
		tb:       env.T().(testing.TB), // testscript.Run promises this
		dir:      env.WorkDir,
		log:      newEvents(),
		sessions: make(map[string]*link),
	}
	env.Values[worldKey{}] = w
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("DEMO", demoHash)
	env.Setenv("NEW", newHash)
	env.Setenv("ROOT", root)
	env.Setenv("CLIENTS", filepath.Join(root, ".ci", "clients"))
	env.Setenv("LC_ALL", "C.UTF-8")
	env.Setenv("DNS", "127.0.0.1:9") // answers nothing, until the verb dns
	env.Defer(w.end)
	return w.baseConfig()
}

// baseConfig lays testdata/base.toml as mail.toml where a case has none.
func (w *world) baseConfig() error {
	path := filepath.Join(w.dir, "mail.toml")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	base, err := os.ReadFile("testdata/base.toml")
	if err != nil {
		return err
	}
	return os.WriteFile(path, base, 0o600)
}

// end stops what still runs, and reports on a failed case.
func (w *world) end() {
	for _, s := range w.sessions {
		s.conn.Close()
	}
	if w.web != nil {
		w.web.CloseIdleConnections()
	}
	if w.server != nil {
		w.server.kill()
	}
	if w.tb.Failed() {
		w.report()
	}
}

// report prints mail.toml, the log and the tree of the data folder.
func (w *world) report() {
	config, err := os.ReadFile(filepath.Join(w.dir, "mail.toml"))
	if err != nil {
		config = []byte(err.Error())
	}
	w.tb.Logf("mail.toml:\n%s\nlog:\n%s\ndata:\n%s", config, w.log.text(), tree(filepath.Join(w.dir, "data")))
}

// expand replaces the variables in files in place, as serve and save do for mail.toml.
func (w *world) expand(neg bool, args []string) {
	if neg || len(args) == 0 {
		w.ts.Fatalf("usage: expand FILE...")
	}
	for _, f := range args {
		path := w.ts.MkAbs(f)
		w.ts.Check(os.WriteFile(path, []byte(w.expandText(w.ts.ReadFile(f))), 0o600))
	}
}

var variable = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)\}`)

// expandText replaces ${NAME}. The braces are needed: hashes are full of $.
func (w *world) expandText(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		value := w.ts.Getenv(v[2 : len(v)-1])
		if value == "" {
			w.ts.Fatalf("%s has no value yet", v)
		}
		return value
	})
}

// tool skips the case where a program, or a module of node, is missing; with
// E2E_REQUIRE=all that is a failure. With -short the case is skipped all the same, unless
// -crowd says that the program keeps the server busy in several ways at once.
func (w *world) tool(neg bool, args []string) {
	crowd := len(args) > 0 && args[0] == "-crowd"
	if crowd {
		args = args[1:]
	}
	if neg || len(args) == 0 {
		w.ts.Fatalf("usage: tool [-crowd] PROGRAM|node:MODULE|python:MODULE...")
	}
	if testing.Short() && !crowd {
		w.tb.Skipf("%s does one thing after the other: not with -short", args[0])
	}
	for _, name := range args {
		if w.have(name) {
			continue
		}
		if os.Getenv("E2E_REQUIRE") == "all" {
			w.ts.Fatalf("%s is missing, and E2E_REQUIRE=all wants it", name)
		}
		w.tb.Skipf("%s is not installed", name)
	}
}

func (w *world) have(name string) bool {
	if module, ok := strings.CutPrefix(name, "node:"); ok {
		_, err := os.Stat(filepath.Join(w.ts.Getenv("CLIENTS"), "node_modules", module, "package.json"))
		return err == nil
	}
	if module, ok := strings.CutPrefix(name, "python:"); ok { // of the system's Python
		return exec.Command("/usr/bin/python3", "-c", "import "+module).Run() == nil
	}
	for _, dir := range filepath.SplitList(w.ts.Getenv("PATH")) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// elapsed fails when more time than allowed has passed since the last save.
func (w *world) elapsed(neg bool, args []string) {
	if neg || len(args) != 1 {
		w.ts.Fatalf("usage: elapsed DURATION")
	}
	most, err := time.ParseDuration(args[0])
	w.ts.Check(err)
	took := time.Since(w.saved)
	w.ts.Logf("%v after the save", took.Round(time.Millisecond))
	if took > slack(most) {
		w.ts.Fatalf("%v have passed since the save, at most %v were allowed", took, slack(most))
	}
}

// slack stretches a time limit where the binary is slowed by the race detector.
func slack(d time.Duration) time.Duration {
	if raceDetector {
		return 5 * d
	}
	return d
}

// waitfile waits until a file of the case is there.
func (w *world) waitfile(neg bool, args []string) {
	if neg || len(args) != 1 {
		w.ts.Fatalf("usage: waitfile FILE")
	}
	path := w.ts.MkAbs(args[0])
	watcher, err := fsnotify.NewWatcher()
	w.ts.Check(err)
	defer watcher.Close()
	w.ts.Check(watcher.Add(filepath.Dir(path)))
	timeout := time.After(patience)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-watcher.Events:
		case <-timeout:
			w.ts.Fatalf("%s did not appear", args[0])
		}
	}
}

// tree prints the files below folders of the case.
func (w *world) tree(neg bool, args []string) {
	if neg || len(args) == 0 {
		w.ts.Fatalf("usage: tree DIR...")
	}
	for _, dir := range args {
		fmt.Fprint(w.ts.Stdout(), tree(w.ts.MkAbs(dir)))
	}
}

// tree lists the files below dir with their sizes, a line each.
func tree(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %d\n", rel, info.Size())
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}
