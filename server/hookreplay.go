package server

import (
	"context"
	"errors"
	"io"
	"time"

	"facteur/plugins/lua"
	"facteur/server/control"
)

// HookReplayOptions are those of `facteur hook replay`.
type HookReplayOptions struct {
	Config  string
	Script  string // a file, or a script that ships
	Account string
	Folder  string // "": all that mail is delivered to
	Since   string // a date, or how long ago
	Limit   int    // the newest messages of each folder; 0: all
	Apply   bool
}

// HookReplay prints what a script would have done with the mail that an account has,
// and with Apply does it, as far as it is moving and flagging.
func HookReplay(ctx context.Context, w io.Writer, o HookReplayOptions) error {
	since, err := ParseSince(o.Since, time.Now())
	if err != nil {
		return err
	}
	source, err := readScript(o.Script)
	if err != nil {
		return err
	}
	options, _, err := drySettings(o.Config)
	if err != nil {
		return err
	}
	program, err := lua.New(options).Compile(o.Script, source)
	if err != nil {
		return err // before anybody is bothered
	}
	files := make(map[string]string)
	for _, name := range program.Includes() {
		included, err := options.Load(name)
		if err != nil {
			return err
		}
		files[name] = string(included)
	}
	err = Upkeep(ctx, w, o.Config, control.UpkeepRequest{
		Verb: "replay", Accounts: []string{o.Account}, Since: since, Folder: o.Folder,
		Script: o.Script, Source: string(source), Files: files, Limit: o.Limit, Apply: o.Apply,
	})
	if ctx.Err() != nil {
		return errors.New("interrupted: what was changed until then stays so")
	}
	return err
}
