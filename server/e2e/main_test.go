package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "facteur-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(filepath.Join(dir, "facteur")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Cases and the crash test find the binary by its name.
	os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if raceDetector && os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // it is a second, for each command
	}
	return m.Run()
}

// build makes the binary that all cases run, instrumented as the test is.
func build(path string) error {
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	if os.Getenv("GOCOVERDIR") != "" {
		args = append(args, "-cover")
	}
	cmd := exec.Command("go", append(args, "facteur")...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the binary for the end-to-end tests: %w", err)
	}
	return nil
}

// TestCases runs the cases, all in parallel.
func TestCases(t *testing.T) {
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:                 filepath.Join("testdata", folder.Name()),
				Setup:               setup,
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"capture":  verb((*world).capture),
					"crash":    verb((*world).crash),
					"crowd":    verb((*world).crowd),
					"dav":      verb((*world).dav),
					"dialog":   verb((*world).dialog),
					"dns":      verb((*world).dns),
					"elapsed":  verb((*world).elapsed),
					"expand":   verb((*world).expand),
					"hangup":   verb((*world).hangup),
					"imap":     verb((*world).imap),
					"learner":  verb((*world).learner),
					"maildir":  verb((*world).maildir),
					"nolog":    verb((*world).nolog),
					"peer":     verb((*world).peer),
					"restart":  verb((*world).restart),
					"save":     verb((*world).save),
					"serve":    verb((*world).serve),
					"session":  verb((*world).session),
					"shutdown": verb((*world).shutdown),
					"smtp":     verb((*world).smtp),
					"tool":     verb((*world).tool),
					"tree":     verb((*world).tree),
					"waitfile": verb((*world).waitfile),
					"waitlog":  verb((*world).waitlog),
				},
			})
		})
	}
}
