package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"facteur/plugins/lua"
	"facteur/scripts"
	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/hook"
	"facteur/server/trial"
)

// HookTestOptions are those of `facteur hook test`, and of the prompt.
type HookTestOptions struct {
	Config string // for limits and the time zone; may be missing
	Script string // a file, or a script that ships
	File   string // the message; "": a short one
	From   string // reverse-path; "": the From of the message
	To     string // recipient; "": the first To of the message
	IP     string // of the client
	RDNS   string // its name in the DNS; "-": none, "": an ordinary one
	Helo   string
	User   string // who logged in
	Stage  string // "": all that the script handles
	Trace  int    // 1 to 4: what the script logged, its calls, its lines, and the values
	DNS    string // a zone file: all that there is in the DNS
	Now    string // "": the Date of the message
	Auth   []string
	Spam   float64
	Folder []string // of the mailbox, beside the usual ones

	Calendar string // an .ics file: what stands in the mailbox's calendars
	Contacts string // a .vcf file: who stands in its address books
}

// HookTest runs a script over a message at each stage that it handles, and
// prints what it would have done and what led there. Nothing is done, and nobody
// is asked.
func HookTest(w io.Writer, o HookTestOptions) error {
	program, err := dryScript(o)
	if err != nil {
		return err
	}
	world, facts, err := o.world()
	if err != nil {
		return err
	}
	stages, err := o.stages(program)
	if err != nil {
		return err
	}
	for _, warning := range program.Warnings() {
		fmt.Fprintf(w, "warning: %v\n", warning)
	}
	failed := false
	for _, stage := range stages {
		call := world.Call(stage, facts)
		call.Trace = hook.TraceLevel(o.Trace - 1)
		out := program.Run(context.Background(), call)
		if out.State != nil {
			out.State.Cancel() // each stage begins anew
		}
		printOutcome(w, stage, out)
		if (stage == hook.Data) == (o.User == "") && !stage.HasBox() { // of the two, one meets the message
			facts.AddScores(out.Actions)
		}
		failed = failed || out.Err != nil
	}
	if failed {
		return fmt.Errorf("the script failed: it would be as if it were absent")
	}
	return nil
}

// stages returns the stages to run.
func (o HookTestOptions) stages(program *lua.Script) ([]hook.Stage, error) {
	if o.Stage != "" {
		stage := hook.Stage(o.Stage)
		if !slices.Contains(hook.Stages, stage) {
			return nil, fmt.Errorf("--stage: there is no stage %q", o.Stage)
		}
		if !program.Handles(stage) {
			return nil, fmt.Errorf("%s has no function %s", o.Script, stage)
		}
		return []hook.Stage{stage}, nil
	}
	var stages []hook.Stage
	var names []string
	for _, stage := range hook.Stages {
		names = append(names, string(stage))
		if program.Handles(stage) {
			stages = append(stages, stage)
		}
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("%s defines none of the functions %s, so it never runs", o.Script, strings.Join(names, " "))
	}
	return stages, nil
}

// dryScript compiles the script for a dry run.
func dryScript(o HookTestOptions) (*lua.Script, error) {
	source, err := readScript(o.Script)
	if err != nil {
		return nil, err
	}
	options, _, err := drySettings(o.Config)
	if err != nil {
		return nil, err
	}
	return lua.New(options).Compile(o.Script, source)
}

// readScript reads a script from a file, or one that ships.
func readScript(name string) ([]byte, error) {
	source, err := os.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return source, err
	}
	if shipped, ok := shippedScript(name); ok {
		return shipped.Source, nil
	}
	return nil, fmt.Errorf("there is no file %s, and `facteur hook list` has no such script", name)
}

// shippedScript finds a script that ships by its name in mail.toml, or without the folder
// or the extension.
func shippedScript(name string) (scripts.Script, bool) {
	for _, full := range []string{name, "scripts/" + name, "scripts/" + name + ".lua"} {
		if s, ok := scripts.Find(full); ok {
			return s, true
		}
	}
	return scripts.Script{}, false
}

// drySettings returns the options of the host and the time zone of the settings,
// or the defaults: a script may be tried before there are settings. What plugins
// offer is there by name, and reaches nobody.
func drySettings(path string) (lua.Options, *time.Location, error) {
	cfg, unread := config.Load(path)
	if unread != nil {
		cfg = &config.Config{File: path, Location: time.UTC}
	}
	o, err := dryOptions(cfg)
	if unread != nil {
		o.Limits = lua.Limits{} // 0 in settings means none, and here the default
	}
	o.Load = loadBelow(".")
	return o, cfg.Location, err
}

// dryOptions are those of a host whose plugins reach nobody.
func dryOptions(cfg *config.Config) (lua.Options, error) {
	modules, err := openPlugins(cfg)
	if err != nil {
		return lua.Options{}, err
	}
	return lua.Options{Limits: luaLimits(cfg.Lua), Modules: trial.Offline(modules)}, nil
}

// world makes the world of the dry run, and the facts, from the message and the
// options.
func (o HookTestOptions) world() (*trial.World, trial.Facts, error) {
	none := trial.Facts{}
	_, location, err := drySettings(o.Config)
	if err != nil {
		return nil, none, err
	}
	world := trial.NewWorld(location)
	if o.DNS != "" {
		text, err := readBounded(o.DNS, maxTestFile)
		if err != nil {
			return nil, none, err
		}
		if world.DNS, err = trial.ParseZone(o.DNS, string(text)); err != nil {
			return nil, none, err
		}
	}
	facts := world.Facts()
	if o.File != "" {
		body, err := trial.OpenMessage(o.File)
		if err != nil {
			return nil, none, err
		}
		if err := facts.SetBody(body); err != nil {
			return nil, none, fmt.Errorf("%s: %w", o.File, err)
		}
	}
	if date := facts.Message.Content.Date(); o.File != "" && !date.IsZero() {
		world.Now = date
	}
	if o.Now != "" {
		now, err := trial.ParseTime(o.Now, location)
		if err != nil {
			return nil, none, fmt.Errorf("--now: %w", err)
		}
		world.Now = now
	}
	return world, facts, o.addTo(world, &facts)
}

// addTo puts what the options say into world and facts.
func (o HookTestOptions) addTo(world *trial.World, facts *trial.Facts) error {
	content := facts.Message.Content
	from, err := addressOr(o.From, content.Addresses("From"), address.Address{})
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	to, err := addressOr(o.To, content.Addresses("To"), world.Box.Of)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if facts.Client.IP, err = netip.ParseAddr(o.IP); err != nil {
		return fmt.Errorf("--ip: %w", err)
	}
	facts.Client.Helo, facts.Client.User = o.Helo, o.User
	switch o.RDNS {
	case "":
	case "-":
		facts.Client.RDNS = ""
	default:
		facts.Client.RDNS = o.RDNS
	}
	if facts.Message.Auth, err = parseAuth(o.Auth); err != nil {
		return fmt.Errorf("--auth: %w", err)
	}
	facts.Message.Spam.Score = o.Spam
	facts.Message.Submitted = o.User != ""
	facts.Message.ReversePath, facts.Message.Recipients = from, []address.Address{to}
	trial.ShowAuthor(&facts.Message)
	plain, detail, tagged := strings.Cut(to.Local, "+")
	account := to
	if tagged {
		account.Local = plain
	}
	facts.SetRecipient(to)
	facts.Recipient.Address, facts.Recipient.Detail = account, detail
	world.Box = trial.NewBox(account)
	for _, folder := range o.Folder {
		if !world.Box.Exists(folder) {
			world.Box.Names = append(world.Box.Names, folder)
		}
	}
	facts.Login.Account = account
	facts.Invitation.Attendees = []string{account.String()}
	return o.addCalendars(world, facts)
}

// parseAuth reads words such as "spf=pass".
func parseAuth(words []string) (*hook.Authenticity, error) {
	if len(words) == 0 {
		return nil, nil
	}
	a := &hook.Authenticity{SPF: "none", DKIM: "none", DMARC: "none", ARC: "none"}
	places := map[string]*string{"spf": &a.SPF, "dkim": &a.DKIM, "dmarc": &a.DMARC, "arc": &a.ARC}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		place := places[name]
		if !ok || place == nil || value == "" {
			return nil, fmt.Errorf("%q: write spf=pass, dkim=fail, dmarc=none or arc=pass", word)
		}
		*place = value
	}
	return a, nil
}

func printOutcome(w io.Writer, stage hook.Stage, out hook.Outcome) {
	fmt.Fprintf(w, "%s (%v)\n", stage, out.Elapsed.Round(time.Microsecond))
	for _, l := range out.Trace {
		fmt.Fprintf(w, "  %s:%d  %s\n", l.Script, l.Line, shown(l.Text))
	}
	printActions(w, out)
}

func printActions(w io.Writer, out hook.Outcome) {
	switch {
	case out.Err != nil:
		fmt.Fprintf(w, "  failed: %s\n", shown(out.Err.Error()))
		return
	case len(out.Destinations) > 0:
		fmt.Fprintf(w, "  => leads to %s\n", strings.Join(out.Destinations, ", "))
	}
	for _, a := range out.Actions {
		fmt.Fprintf(w, "  => %s (line %d)\n", shown(a.String()), a.Line)
	}
	if len(out.Actions)+len(out.Destinations) == 0 {
		fmt.Fprintf(w, "  => nothing: it goes on\n")
	}
}

func addressOr(given string, found []address.Address, otherwise address.Address) (address.Address, error) {
	switch {
	case given == "<>":
		return address.Address{}, nil
	case given != "":
		return address.Parse(given)
	case len(found) > 0:
		return found[0], nil
	default:
		return otherwise, nil
	}
}

// HookShow prints a script that ships.
func HookShow(w io.Writer, name string) error {
	if s, ok := shippedScript(name); ok {
		_, err := w.Write(s.Source)
		return err
	}
	return fmt.Errorf("no script %q ships with facteur: `facteur hook list` tells which do", name)
}

// HookList lists the scripts that ship.
func HookList(w io.Writer) error {
	for _, s := range scripts.All() {
		if _, err := fmt.Fprintf(w, "%-24s %s\n", s.Name, s.Says()); err != nil {
			return err
		}
	}
	return nil
}
