package e2e

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// step is one line of a dialog. README.md tells what each verb does.
type step struct {
	line  int
	verb  string        // C, C!, S, R, N, STARTTLS, CLOSED, LOGIN, DATA, REPEAT
	arg   string        //
	limit time.Duration // of S and CLOSED; 0: none but patience
	body  []step        // of REPEAT
}

var stepSyntax = regexp.MustCompile(`^(C!|C:|S(?:<\w+)?:|R:|N:|STARTTLS|CLOSED(?:<\w+)?|LOGIN|DATA|REPEAT|END)(?: (.*))?$`)

// parseDialog reads the steps of a dialog, one a line.
func parseDialog(text string) ([]step, error) {
	stack := [][]step{nil}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		s.line = i + 1
		top := len(stack) - 1
		if s.verb == "END" {
			if top == 0 {
				return nil, fmt.Errorf("line %d: END without REPEAT", i+1)
			}
			outer := stack[top-1]
			outer[len(outer)-1].body = stack[top]
			stack = stack[:top]
			continue
		}
		stack[top] = append(stack[top], s)
		if s.verb == "REPEAT" {
			stack = append(stack, nil)
		}
	}
	if len(stack) > 1 {
		return nil, fmt.Errorf("REPEAT without END")
	}
	return stack[0], nil
}

func parseStep(line string) (step, error) {
	m := stepSyntax.FindStringSubmatch(line)
	if m == nil {
		return step{}, fmt.Errorf("%q is no step of a dialog", line)
	}
	verb, limit, timed := strings.Cut(strings.TrimSuffix(m[1], ":"), "<")
	s := step{verb: verb, arg: m[2]}
	if timed {
		d, err := time.ParseDuration(limit)
		if err != nil {
			return step{}, err
		}
		s.limit = d
	}
	return s, nil
}

// talk carries out steps on a connection.
func (w *world) talk(l *link, steps []step, round string) error {
	var never []string
	for _, s := range steps {
		s.arg = strings.ReplaceAll(s.arg, "{i}", round)
		if s.verb == "N" {
			never = append(never, s.arg)
			continue
		}
		begun := time.Now()
		if err := w.step(l, s, never); err != nil {
			return fmt.Errorf("line %d: %w", s.line, err)
		}
		if took := time.Since(begun); s.limit > 0 {
			l.log("after %v", took.Round(time.Millisecond))
			if took > slack(s.limit) {
				return fmt.Errorf("line %d: that took %v, at most %v were allowed", s.line, took, slack(s.limit))
			}
		}
		if s.verb == "S" || s.verb == "R" {
			never = nil
		}
	}
	return nil
}

func (w *world) step(l *link, s step, never []string) error {
	switch s.verb {
	case "C":
		l.log("C: %s", s.arg)
		return l.send([]byte(s.arg + "\r\n"))
	case "C!":
		raw, err := rawOctets(s.arg)
		if err != nil {
			return err
		}
		l.log("C! %d octets", len(raw))
		return l.send(raw)
	case "S":
		return l.expect(s.arg, never)
	case "R":
		return l.expectWhole(s.arg, never)
	case "STARTTLS":
		return l.startTLS()
	case "CLOSED":
		return l.closed()
	case "LOGIN":
		return l.login(s.arg)
	case "DATA":
		return l.send(dotted(crlf(w.ts.ReadFile(s.arg))))
	case "REPEAT":
		return w.repeat(l, s)
	}
	return fmt.Errorf("no such step: %s", s.verb)
}

func (w *world) repeat(l *link, s step) error {
	n, err := strconv.Atoi(s.arg)
	if err != nil {
		return err
	}
	for i := range n {
		if err := w.talk(l, s.body, strconv.Itoa(i+1)); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	return nil
}

// rawOctets reads "go quoted", or "go quoted" * times.
func rawOctets(arg string) ([]byte, error) {
	quoted, err := strconv.QuotedPrefix(arg)
	if err != nil {
		return nil, fmt.Errorf("%s is not quoted as in Go", arg)
	}
	raw, err := strconv.Unquote(quoted)
	if err != nil {
		return nil, err
	}
	times := 1
	if rest := strings.TrimSpace(arg[len(quoted):]); rest != "" {
		count, ok := strings.CutPrefix(rest, "*")
		if !ok {
			return nil, fmt.Errorf("%q after the quoted octets", rest)
		}
		if times, err = strconv.Atoi(strings.TrimSpace(count)); err != nil {
			return nil, err
		}
	}
	return []byte(strings.Repeat(raw, times)), nil
}

// login sends NAME PASSWORD in the protocol's way, and wants success.
func (l *link) login(arg string) error {
	name, password, ok := strings.Cut(arg, " ")
	if !ok {
		return fmt.Errorf("usage: LOGIN NAME PASSWORD")
	}
	l.log("C: login as %s", name)
	if l.imap() {
		if err := l.send([]byte("login LOGIN " + name + " " + password + "\r\n")); err != nil {
			return err
		}
		return l.expect("login OK*", nil)
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + password))
	if err := l.send([]byte("AUTH PLAIN " + plain + "\r\n")); err != nil {
		return err
	}
	if l.pop3() {
		return l.expect("+OK *", nil)
	}
	return l.expect("235 *", nil)
}

// crlf gives a text of a case the line ends of mail.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// dotted makes what follows DATA of a text (RFC 5321 4.5.2).
func dotted(s string) []byte {
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	s = strings.ReplaceAll(s, "\r\n.", "\r\n..")
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return []byte(s + ".\r\n")
}

// dialog speaks FILE over a new connection to SERVICE.
func (w *world) dialog(neg bool, args []string) {
	if neg || len(args) != 2 {
		w.ts.Fatalf("usage: dialog SERVICE FILE")
	}
	steps := w.steps(args[1], w.ts.ReadFile(args[1]))
	l := w.dial(args[0])
	defer l.conn.Close()
	if err := w.talk(l, steps, ""); err != nil {
		w.ts.Fatalf("%s: %v", args[1], err)
	}
}

// session keeps connections open over other verbs:
// session NAME open SERVICE | run FILE | close | one step of a dialog.
func (w *world) session(neg bool, args []string) {
	if neg || len(args) < 2 {
		w.ts.Fatalf("usage: session NAME open SERVICE | run FILE | close | STEP")
	}
	name, what, rest := args[0], args[1], strings.Join(args[2:], " ")
	if what == "open" {
		w.sessions[name] = w.dial(rest)
		return
	}
	l, ok := w.sessions[name]
	if !ok {
		w.ts.Fatalf("no session %s is open", name)
	}
	var steps []step
	switch what {
	case "close":
		l.conn.Close()
		delete(w.sessions, name)
		return
	case "run":
		steps = w.steps(rest, w.ts.ReadFile(rest))
	default:
		steps = w.steps(name, strings.Join(args[1:], " "))
	}
	if err := w.talk(l, steps, ""); err != nil {
		w.ts.Fatalf("session %s: %v", name, err)
	}
}

// crowd opens N connections to SERVICE, speaks FILE over each, and leaves them
// open until the case ends.
func (w *world) crowd(neg bool, args []string) {
	if neg || len(args) != 3 {
		w.ts.Fatalf("usage: crowd N SERVICE FILE")
	}
	n, err := strconv.Atoi(args[0])
	w.ts.Check(err)
	steps := w.steps(args[2], w.ts.ReadFile(args[2]))
	for i := range n {
		l := w.dial(args[1])
		l.log = func(string, ...any) {}
		w.sessions[fmt.Sprintf("%s crowd %d", args[1], i)] = l
		if err := w.talk(l, steps, ""); err != nil {
			w.ts.Fatalf("crowd, connection %d: %v", i+1, err)
		}
	}
}

func (w *world) steps(name, text string) []step {
	steps, err := parseDialog(w.expandText(text))
	if err != nil {
		w.ts.Fatalf("%s: %v", name, err)
	}
	return steps
}

// dial connects to a service of the server.
func (w *world) dial(service string) *link {
	address := w.ts.Getenv(strings.ToUpper(service))
	if address == "" {
		w.ts.Fatalf("the server does not listen for %s", service)
	}
	l, err := dial(service, address, func(f string, a ...any) { w.ts.Logf(f, a...) })
	w.ts.Check(err)
	return l
}
