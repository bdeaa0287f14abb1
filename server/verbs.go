package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/intake"
	"facteur/server/password"
	"facteur/server/srs"
)

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Explain prints the way of an address. The returned error says so when it
// leads nowhere.
func Explain(w io.Writer, path, addr string, asJSON bool) error {
	cfg, err := loadSettings(path, nil)
	if cfg == nil {
		return err
	}
	if err != nil { // its scripts: the way is told without them
		for _, p := range listProblems(err) {
			fmt.Fprintln(os.Stderr, p)
		}
	}
	a, err := parseForwardPath(addr)
	if err != nil {
		return err
	}
	dir, res := cfg.explain(a)
	if asJSON {
		err = printJSON(w, explanation(cfg.Config, dir, addr, res))
	} else {
		printResolution(w, cfg.Config, dir, res)
	}
	if err == nil && res.Fault != nil && res.Local {
		err = fmt.Errorf("mail to %s is refused: %d %s %s", addr, res.Fault.Code, res.Fault.Enhanced(), res.Fault.Text)
	}
	return err
}

// explain resolves an address as the server does, but for the memory of scripts, which only
// the running server has.
func (s *settings) explain(a address.Address) (*directory.Directory, directory.Resolution) {
	senders := srs.New(srs.Options{Dir: keysDir(s.Data), Store: offline{}})
	s.Directory.Unwrap = func(a address.Address) (address.Address, error) { return unwrap(senders, a) }
	dir := directory.New(s.Directory)
	router := intake.Router{
		Directory: dir, ServerHooks: s.hooks(s.Scripts), Location: s.Location, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Trace: hook.TraceLines,
		DomainHooks: func(d address.Domain) []hook.Hook { return s.hooks(dir.Scripts(d)) },
	}
	return dir, router.Resolve(context.Background(), a)
}

// parseForwardPath reads an address, or the bare postmaster of RFC 5321 4.1.1.3.
func parseForwardPath(s string) (address.Address, error) {
	if strings.EqualFold(s, "postmaster") {
		return address.Address{Local: s}, nil
	}
	return address.Parse(strings.Trim(s, "<>"))
}

func printResolution(w io.Writer, cfg *config.Config, dir *directory.Directory, res directory.Resolution) {
	for _, step := range res.Steps {
		fmt.Fprintln(w, step)
	}
	for _, d := range res.Destinations {
		fmt.Fprintf(w, "  => %s\n", describe(dir, d))
		if text := vacationAt(cfg, d); text != "" {
			fmt.Fprintf(w, "     %s\n", text)
		}
	}
	if !res.Local {
		fmt.Fprintln(w, "  => the mail server of its domain, for own users who are logged in; refused for all others")
	}
}

func describe(dir *directory.Directory, d directory.Destination) string {
	if d.Kind == directory.Remote {
		return fmt.Sprintf("%s, on the mail server of %s", d.Address, d.Address.Domain)
	}
	box, _ := dir.Box(d.Address)
	text := "the mailbox of " + d.Address.String()
	if len(box.Scripts) > 0 {
		text += ", where a script may file it: " + strings.Join(box.Scripts, ", ")
	}
	return text
}

// vacationAt tells of the vacation of a mailbox, "" when there is none.
func vacationAt(cfg *config.Config, d directory.Destination) string {
	v := vacationOf(cfg, d.Address)
	if d.Kind != directory.Box || v == nil {
		return ""
	}
	return describeVacation(v, localDate(time.Now(), cfg.Location))
}

type explanationJSON struct {
	Address      string            `json:"address"`
	Local        bool              `json:"local"`
	Steps        []string          `json:"steps"`
	Destinations []destinationJSON `json:"destinations"`
	Refused      string            `json:"refused,omitempty"`
}

type destinationJSON struct {
	Kind    string   `json:"kind"` // "mailbox" or "remote"
	Address string   `json:"address"`
	Detail  string   `json:"detail,omitempty"`
	Path    []string `json:"path,omitempty"`
	Scripts []string `json:"scripts,omitempty"`
	// Vacation tells of the vacation in mail.toml, in words.
	Vacation string `json:"vacation,omitempty"`
}

func explanation(cfg *config.Config, dir *directory.Directory, addr string, res directory.Resolution) explanationJSON {
	e := explanationJSON{Address: addr, Local: res.Local, Steps: res.Steps, Destinations: []destinationJSON{}}
	for _, d := range res.Destinations {
		j := destinationJSON{Kind: "mailbox", Address: d.Address.String(), Detail: d.Detail, Path: d.Path}
		if d.Kind == directory.Remote {
			j.Kind = "remote"
		} else if box, ok := dir.Box(d.Address); ok {
			j.Scripts = box.Scripts
		}
		j.Vacation = vacationAt(cfg, d)
		e.Destinations = append(e.Destinations, j)
	}
	if res.Fault != nil {
		e.Refused = fmt.Sprintf("%d %s %s", res.Fault.Code, res.Fault.Enhanced(), res.Fault.Text)
	}
	return e
}

// Passwd makes a password hash, or with a device name an app password. On a
// terminal it asks twice, else it reads one line.
func Passwd(in *os.File, out, prompt io.Writer, device string) error {
	if device != "" {
		secret, line := password.NewDevice()
		fmt.Fprintf(prompt, "The app password, shown this once:\n  %s\nThe line for the account in mail.toml:\n", secret)
		_, err := fmt.Fprintf(out, "devices.%s = %q\n", tomlKey(device), line)
		return err
	}
	secret, err := readPassword(in, prompt)
	if err != nil {
		return err
	}
	hash, err := password.Hash(secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, hash)
	return err
}

// tomlKey quotes a key that is not a bare one.
func tomlKey(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return s
	}
	return fmt.Sprintf("%q", s)
}

func readPassword(in *os.File, prompt io.Writer) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return "", errors.New("no password: give one line on standard input")
		}
		return line, nil
	}
	fmt.Fprint(prompt, "Password: ")
	first, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprint(prompt, "\nAgain: ")
	if err != nil {
		return "", err
	}
	second, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(prompt)
	switch {
	case err != nil:
		return "", err
	case len(first) == 0:
		return "", errors.New("an empty password is none")
	case string(first) != string(second):
		return "", errors.New("the two are not the same: try again")
	}
	return string(first), nil
}

// client returns the control client of the server that runs with a settings
// file. The file may be wrong by now; then its data key decides alone.
func client(path string) (*control.Client, error) {
	data, err := config.DataFolder(path)
	if err != nil {
		return nil, err
	}
	return control.NewClient(controlPath(data)), nil
}

// PrintStatus prints how the running server is.
func PrintStatus(w io.Writer, path string, asJSON bool) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	st, err := c.Status()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, st)
	}
	printStatus(w, st)
	return nil
}

// Reload has the running server load its settings, and prints how that ended.
func Reload(w io.Writer, path string) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	r, err := c.Reload()
	if err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(w, p)
	}
	if len(r.Problems) > 0 {
		return errors.New("nothing has changed: the settings in force stay")
	}
	_, err = fmt.Fprintln(w, "The new settings are in force.")
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
