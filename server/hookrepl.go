package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"facteur/plugins/lua"
	"facteur/server/hook"
	"facteur/server/trial"
)

const replHelp = `A line is an expression, whose value is printed, or statements. m, box, c and r are those of the message.
The actions that it asks for are printed, and not done. A local variable lasts for one line.
  .stage NAME   another stage: other actions are allowed (now %s)
  .help         this
Ctrl-D ends it.
`

// HookRepl is a Lua prompt in the sandbox, with a message at hand. Standard input
// need not be a terminal.
func HookRepl(ctx context.Context, in *os.File, out io.Writer, o HookTestOptions) error {
	r, err := newRepl(ctx, out, o)
	if err != nil {
		return err
	}
	if !term.IsTerminal(int(in.Fd())) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxTestFile)
		return r.loop(func(string) (string, error) {
			if lines.Scan() {
				return lines.Text(), nil
			}
			if lines.Err() != nil {
				return "", lines.Err()
			}
			return "", io.EOF
		})
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(in.Fd()), before)
	screen := struct {
		io.Reader
		io.Writer
	}{in, out}
	terminal := term.NewTerminal(screen, "")
	if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
		_ = terminal.SetSize(width, height) // the default does, too
	}
	r.out = terminal // which ends lines as a raw terminal needs it
	fmt.Fprintf(r.out, "Lua at the stage %s; .help tells more, Ctrl-D ends it.\n", r.stage)
	defer fmt.Fprintln(r.out)
	return r.loop(func(prompt string) (string, error) {
		terminal.SetPrompt(prompt)
		return terminal.ReadLine()
	})
}

// repl is the state of a prompt.
type repl struct {
	ctx     context.Context
	out     io.Writer
	console *lua.Console
	script  *lua.Script // nil: none
	world   *trial.World
	facts   trial.Facts
	stage   hook.Stage
}

func newRepl(ctx context.Context, out io.Writer, o HookTestOptions) (*repl, error) {
	world, facts, err := o.world()
	if err != nil {
		return nil, err
	}
	options, _, err := drySettings(o.Config)
	if err != nil {
		return nil, err
	}
	host := lua.New(options)
	r := &repl{ctx: ctx, out: out, console: host.Console(), world: world, facts: facts, stage: hook.Deliver}
	if o.Script == "" {
		return r, nil
	}
	source, err := readScript(o.Script)
	if err != nil {
		return nil, err
	}
	if r.script, err = host.Compile(o.Script, source); err != nil {
		return nil, err
	}
	if !r.script.Handles(r.stage) {
		for _, stage := range hook.Stages {
			if r.script.Handles(stage) {
				r.stage = stage
				break
			}
		}
	}
	return r, r.load()
}

// load runs the script, so that its functions are there.
func (r *repl) load() error {
	if r.script == nil {
		return nil
	}
	a := r.console.Load(r.ctx, r.script, r.call())
	r.tell(a.Outcome)
	return a.Outcome.Err
}

// call has all facts, whatever the stage.
func (r *repl) call() hook.Call {
	call := r.world.Call(r.stage, r.facts)
	call.Client, call.Message, call.Recipient, call.Box = &r.facts.Client, &r.facts.Message, &r.facts.Recipient, r.world.Box
	call.Login, call.Fate, call.Change, call.Invitation = &r.facts.Login, &r.facts.Fate, &r.facts.Change, &r.facts.Invitation
	return call
}

// loop reads lines until they end.
func (r *repl) loop(read func(prompt string) (string, error)) error {
	source, prompt := "", "> "
	for {
		line, err := read(prompt)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case source == "" && strings.HasPrefix(line, "."):
			r.command(line)
			continue
		case source == "" && strings.TrimSpace(line) == "":
			continue
		}
		source += line + "\n"
		a := r.console.Run(r.ctx, source, r.call())
		if a.Incomplete && strings.TrimSpace(line) != "" { // an empty line gives up
			prompt = ">> "
			continue
		}
		source, prompt = "", "> "
		r.answer(a)
	}
}

// answer prints what a piece came to, and commits what it noted.
func (r *repl) answer(a lua.Answer) {
	if state := a.Outcome.State; state != nil {
		if err := state.Commit(r.ctx); err != nil {
			fmt.Fprintln(r.out, err)
		}
	}
	if len(a.Values) > 0 {
		fmt.Fprintln(r.out, strings.Join(a.Values, "  "))
	}
	r.tell(a.Outcome)
	if a.Outcome.Err != nil {
		fmt.Fprintln(r.out, shown(a.Outcome.Err.Error()))
	}
	if a.Lost {
		fmt.Fprintln(r.out, "what was defined is gone")
		if err := r.load(); err != nil {
			fmt.Fprintln(r.out, err)
		}
	}
}

func (r *repl) tell(out hook.Outcome) {
	for _, l := range out.Trace {
		fmt.Fprintln(r.out, shown(l.Text))
	}
	for _, a := range out.Actions {
		fmt.Fprintf(r.out, "=> %s\n", shown(a.String()))
	}
}

func (r *repl) command(line string) {
	name, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	stage := hook.Stage(strings.TrimSpace(arg))
	switch {
	case name == ".stage" && slices.Contains(hook.Stages, stage):
		r.stage = stage
	case name == ".stage":
		fmt.Fprintf(r.out, "the stages are %v\n", hook.Stages)
	default:
		fmt.Fprintf(r.out, replHelp, r.stage)
	}
}
