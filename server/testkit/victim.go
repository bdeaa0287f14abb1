package testkit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// victimArgs in the environment makes a process the victim of Kill.
const victimArgs = "FACTEUR_TEST_VICTIM"

// Main is the TestMain of a package that has a process killed. The victim works until then,
// and prints a line for each thing that it has acknowledged; its error ends it sooner.
func Main(m *testing.M, victim func(args []string) error) {
	args, ok := os.LookupEnv(victimArgs)
	if !ok {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, victim(strings.Split(args, "\n")))
	os.Exit(1)
}

// Kill runs the victim of Main, kills it when it has printed so many lines, and returns all
// that it printed.
func Kill(t testing.TB, lines int, args ...string) (told []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimArgs+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		switch {
		case err == io.EOF && len(told) < lines:
			t.Fatalf("the process ended by itself, after %d lines", len(told))
		case err == io.EOF:
			return told // half a line was not told
		case err != nil:
			t.Fatal(err)
		}
		if told = append(told, strings.TrimSuffix(line, "\n")); len(told) == lines {
			cmd.Process.Kill()
		}
	}
}
