package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"facteur/server/control"
)

// server is a running facteur.
type server struct {
	cmd  *exec.Cmd
	out  bytes.Buffer  // what it printed; complete when gone is closed
	gone chan struct{} // closed when the process has ended
	err  error         // how it ended; valid when gone is closed
}

// launch starts facteur on the mail.toml in dir; its log goes to log.
func launch(dir string, env []string, log *events) (*server, error) {
	s := &server{cmd: exec.Command("facteur", "serve", "-c", "mail.toml"), gone: make(chan struct{})}
	s.cmd.Dir, s.cmd.Env = dir, env
	s.cmd.Stdout, s.cmd.Stderr = &s.out, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.gone)
	}()
	return s, nil
}

// askStatus asks the server in dir how it is.
func askStatus(dir string) (st control.Status, err error) {
	cmd := exec.Command("facteur", "status", "--json", "-c", "mail.toml")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &st)
	}
	if err != nil {
		err = fmt.Errorf("facteur status: %w", err)
	}
	return st, err
}

// terminate asks the server to end and returns how it did.
func (s *server) terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.gone:
		return s.err
	case <-time.After(patience):
		s.kill()
		return fmt.Errorf("no end within %v of SIGTERM", patience)
	}
}

// kill ends the server at once, as a power cut of the process would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // fails when it has ended already
	<-s.gone
}

var (
	ready    = regexp.MustCompile(`\bmsg=server\.ready\b`)
	reloaded = regexp.MustCompile(`\bmsg=server\.reloaded\b`)
	either   = regexp.MustCompile(`\bmsg=server\.(reloaded|reload_failed)\b`)
)

// serve starts the server and exports where it listens. "! serve" is a start
// that fails: what the server said is then the standard error.
func (w *world) serve(neg bool, args []string) {
	if len(args) != 0 {
		w.ts.Fatalf("usage: [!] serve")
	}
	if w.server != nil {
		w.ts.Fatalf("the server runs already")
	}
	w.expand(false, []string{"mail.toml"})
	s, err := launch(w.dir, append(os.Environ(), "HOME="+w.ts.Getenv("HOME")), w.log)
	w.ts.Check(err)
	w.server = s
	_, up := w.log.wait(ready, s.gone)
	if up && neg {
		w.ts.Fatalf("the server started")
	}
	if up {
		w.export()
		return
	}
	s.kill()
	w.server = nil
	if !neg || s.cmd.ProcessState.ExitCode() != 1 {
		w.ts.Fatalf("the server did not start: %v", s.err)
	}
	fmt.Fprint(w.ts.Stdout(), s.out.String())
	fmt.Fprint(w.ts.Stderr(), w.log.text())
}

// export sets $SMTP, $SMTP_HOST and $SMTP_PORT to the address of the service
// smtp, and so on for each service.
func (w *world) export() {
	st, err := askStatus(w.dir)
	w.ts.Check(err)
	for _, l := range st.Listeners {
		name := strings.ToUpper(l.Service)
		w.ts.Setenv(name, l.Address)
		if host, port, err := net.SplitHostPort(l.Address); err == nil {
			w.ts.Setenv(name+"_HOST", host)
			w.ts.Setenv(name+"_PORT", port)
		}
	}
}

// shutdown ends the server with SIGTERM; it must end well.
func (w *world) shutdown(neg bool, args []string) {
	s := w.take(neg, args, "shutdown")
	if err := s.terminate(); err != nil {
		w.ts.Fatalf("the server ended badly: %v", err)
	}
	w.print(s.out.String())
}

// hangup sends SIGHUP, which asks for a reload.
func (w *world) hangup(neg bool, args []string) {
	if neg || len(args) != 0 || w.server == nil {
		w.ts.Fatalf("usage: hangup, while the server runs")
	}
	w.ts.Check(w.server.cmd.Process.Signal(syscall.SIGHUP))
}

// crash ends the server with SIGKILL.
func (w *world) crash(neg bool, args []string) { w.take(neg, args, "crash").kill() }

// restart is shutdown and serve.
func (w *world) restart(neg bool, args []string) {
	w.shutdown(neg, args)
	w.serve(neg, args)
}

// take gives the running server away to the verb that ends it.
func (w *world) take(neg bool, args []string, verb string) *server {
	if neg || len(args) != 0 {
		w.ts.Fatalf("usage: %s", verb)
	}
	if w.server == nil {
		w.ts.Fatalf("no server runs")
	}
	s := w.server
	w.server = nil
	return s
}

// save puts FILE in the place of another file as an editor does, and waits
// until the server has taken it. The other file is mail.toml unless named.
// "! save" is a file that the server must refuse. The event is printed.
func (w *world) save(neg bool, args []string) {
	target := "mail.toml"
	switch len(args) {
	case 1:
	case 2:
		target = args[1]
	default:
		w.ts.Fatalf("usage: [!] save FILE [TARGET]")
	}
	text := w.expandText(w.ts.ReadFile(args[0]))
	temp := filepath.Join(w.dir, filepath.Dir(target), "."+filepath.Base(target)+".swp")
	w.ts.Check(os.WriteFile(temp, []byte(text), 0o600))
	w.log.forget(either)
	w.saved = time.Now()
	w.ts.Check(os.Rename(temp, filepath.Join(w.dir, target)))
	line, ok := w.log.wait(either, nil)
	if !ok {
		w.ts.Fatalf("the server did not notice the save")
	}
	w.print(line)
	if reloaded.MatchString(line) == neg {
		w.ts.Fatalf("this is not what the save should lead to")
	}
	w.settled()
	if !neg {
		w.export()
	}
}

// settled waits until the last save is told by status: there may be more lines
// of it in the log.
func (w *world) settled() {
	for begun := time.Now(); time.Since(begun) < patience; {
		st, err := askStatus(w.dir)
		w.ts.Check(err)
		if st.LastReload != nil && st.LastReload.At.After(w.saved) {
			return
		}
	}
	w.ts.Fatalf("status does not tell of the save")
}

// print writes to what the script sees as standard output.
func (w *world) print(text string) {
	fmt.Fprintln(w.ts.Stdout(), strings.TrimSuffix(text, "\n"))
}
