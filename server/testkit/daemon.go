package testkit

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Daemon runs a program until the test ends, and waits until a line that it says holds
// the text. It is told to end by an interrupt.
func Daemon(t testing.TB, cmd *exec.Cmd, text string) {
	t.Helper()
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	var said []string // until ready
	go func() {
		defer close(ended)
		waiting := true
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if !waiting {
				continue
			}
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), text) {
				waiting = false
				close(ready)
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-ended
		cmd.Wait()
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("%s ended:\n%s", cmd.Path, strings.Join(said, "\n"))
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s does not start", cmd.Path)
	}
}
