package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"facteur/server"
)

type (
	hookCmd struct {
		Test   hookTestCmd   `cmd:"" help:"Run a script over a message, without doing anything: prints the actions and the lines that led there."`
		Repl   hookReplCmd   `cmd:"" help:"A Lua prompt with a message at hand: tries expressions and functions of a script."`
		Replay hookReplayCmd `cmd:"" help:"Tell what the function deliver of a script would have done with the mail that an account has."`
		Show   hookShowCmd   `cmd:"" help:"Print a script that ships with facteur."`
		List   hookListCmd   `cmd:"" help:"List the scripts that ship with facteur."`
	}
	hookTestCmd struct {
		Script string `arg:"" help:"The Lua file, or the name of a script that ships with facteur."`
		File   string `arg:"" type:"existingfile" help:"The message."`
		hookFacts
		Stage string `help:"Only this stage." placeholder:"NAME"`
		Trace int    `default:"3" enum:"1,2,3,4" help:"How much to tell: what the script logs (1), the calls that it makes (2), each line (3), the values (4)."`
	}
	hookReplCmd struct {
		Script string `arg:"" optional:"" help:"A Lua file whose functions are at hand, or a message."`
		File   string `arg:"" optional:"" type:"existingfile" help:"The message (default: a short one)."`
		hookFacts
	}
	hookReplayCmd struct {
		Script  string `arg:"" help:"The Lua file, or the name of a script that ships with facteur."`
		Account string `arg:"" help:"Account or shared mailbox."`
		Folder  string `help:"Only this folder (default: all that mail is delivered to; not Sent, Drafts, Trash, Junk and Archive)." placeholder:"NAME"`
		Since   string `help:"Only what came since then: a date, or how long ago, such as \"7 days\"." placeholder:"TIME"`
		Limit   int    `help:"Only the newest messages of each folder." placeholder:"N"`
		Apply   bool   `help:"Move and flag as the script says. Nothing is ever sent; what it discards is deleted, and facteur undelete brings it back."`
	}
	hookFacts struct {
		From   string   `help:"Reverse-path (default: the From of the message); \"<>\" for a bounce." placeholder:"ADDRESS"`
		To     string   `help:"Recipient (default: the first To of the message)." placeholder:"ADDRESS"`
		IP     string   `name:"ip" default:"192.0.2.1" help:"Address of the client."`
		RDNS   string   `name:"rdns" help:"Its name in the DNS; \"-\" for none." placeholder:"NAME"`
		Helo   string   `default:"client.example" help:"Name that the client gives." placeholder:"NAME"`
		User   string   `help:"Account that has logged in." placeholder:"ADDRESS"`
		Auth   []string `help:"What was verified: spf=pass,dkim=fail,dmarc=none,arc=none." placeholder:"NAME=RESULT"`
		Spam   float64  `help:"Score of the scripts before." placeholder:"POINTS"`
		DNS    string   `name:"dns" type:"existingfile" help:"A zone file: nothing else is in the DNS." placeholder:"FILE"`
		Now    string   `help:"The time, such as \"2026-12-24 08:00\" (default: the Date of the message)." placeholder:"TIME"`
		Folder []string `name:"box-folder" help:"A folder of the mailbox, beside the usual ones." placeholder:"NAME"`

		Calendar string `name:"box-calendar" type:"existingfile" help:"An .ics file: what stands in the calendars of the mailbox." placeholder:"FILE"`
		Contacts string `name:"box-contacts" type:"existingfile" help:"A .vcf file: who stands in its address books." placeholder:"FILE"`
	}
	hookShowCmd struct {
		Name string `arg:"" help:"Such as scripts/lists.lua, or lists."`
	}
	hookListCmd struct{}
)

func (f hookFacts) options(c *cli) server.HookTestOptions {
	return server.HookTestOptions{
		Config: c.Config, From: f.From, To: f.To, IP: f.IP, RDNS: f.RDNS, Helo: f.Helo, User: f.User, Auth: f.Auth, Spam: f.Spam, DNS: f.DNS,
		Now: f.Now, Folder: f.Folder, Calendar: f.Calendar, Contacts: f.Contacts,
	}
}

func (v hookTestCmd) Run(c *cli) error {
	o := v.options(c)
	o.Script, o.File, o.Stage, o.Trace = v.Script, v.File, v.Stage, v.Trace
	return server.HookTest(os.Stdout, o)
}

func (v hookReplCmd) Run(c *cli) error {
	o := v.options(c)
	o.Script, o.File = v.Script, v.File
	if o.File == "" && o.Script != "" && filepath.Ext(o.Script) != ".lua" {
		o.Script, o.File = "", o.Script
	}
	return server.HookRepl(context.Background(), os.Stdin, os.Stdout, o)
}

func (v hookReplayCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.HookReplay(ctx, os.Stdout, server.HookReplayOptions{
		Config: c.Config, Script: v.Script, Account: v.Account, Folder: v.Folder, Since: v.Since, Limit: v.Limit, Apply: v.Apply,
	})
}

func (v hookShowCmd) Run() error { return server.HookShow(os.Stdout, v.Name) }
func (hookListCmd) Run() error   { return server.HookList(os.Stdout) }
