// Command facteur is a mail server for a small association or a homelab: one
// binary, one settings file, plain Maildirs, rules in Lua.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"facteur/server"
	"facteur/server/control"
)

// version is set by the release build.
var version = "0.1-dev"

type cli struct {
	Config  string           `short:"c" default:"mail.toml" help:"The settings file." placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version."`

	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Check   checkCmd   `cmd:"" help:"List all errors of the settings file and its scripts."`
	Explain explainCmd `cmd:"" help:"Tell where mail to an address goes, and why."`
	Passwd  passwdCmd  `cmd:"" help:"Make a password hash, or an app password, for the settings file."`
	Status  statusCmd  `cmd:"" help:"Tell how the running server is."`
	Reload  reloadCmd  `cmd:"" help:"Have the running server read its settings now."`
	Hook    hookCmd    `cmd:"" help:"Try Lua scripts."`
	Queue   queueCmd   `cmd:"" help:"Look at the mail that has yet to leave, and work on it."`
	Trace   traceCmd   `cmd:"" help:"Tell what happened to a message, from the connection to the mailbox."`
	DNS     dnsCmd     `cmd:"" name:"dns" help:"List the DNS records that a domain needs, and which are missing or wrong."`
	Report  reportCmd  `cmd:"" help:"Tell what other servers reported: who sends in your name, and whether mail travels encrypted."`

	Account accountCmd `cmd:"" help:"Work on an account."`
	Unblock unblockCmd `cmd:"" help:"Forget the failed logins of an account or an address, which is slowed for them."`

	Import importCmd `cmd:"" help:"Bring calendars and contacts in, from files or another server."`
	Export exportCmd `cmd:"" help:"Write calendars and contacts into files."`

	Undelete undeleteCmd `cmd:"" help:"Bring back mail, calendar entries and contacts that were deleted."`
	Verify   verifyCmd   `cmd:"" help:"Compare the indexes of mailboxes, calendars and address books with what is there, and attachments with what names them; all are read in full."`
	Reindex  reindexCmd  `cmd:"" help:"Make the indexes of mailboxes, calendars and address books anew."`
}

type (
	serveCmd struct {
		Verbose bool `short:"v" help:"Log each command of each session, with passwords left out."`
	}
	checkCmd struct {
		Tests bool `help:"Print a line for each test of a script (NAME_test.lua beside NAME.lua)."`
		JSON  bool `name:"json" help:"Print JSON."`
	}
	explainCmd struct {
		Address string `arg:"" help:"An address, such as info@example.org."`
		JSON    bool   `name:"json" help:"Print JSON."`
	}
	passwdCmd struct {
		Device string `help:"Make an app password for a device of this name instead." placeholder:"NAME"`
	}
	statusCmd struct {
		JSON bool `name:"json" help:"Print JSON."`
	}
	reloadCmd struct{}
	dnsCmd    struct {
		Domain string `arg:"" help:"A domain of the settings file."`
		JSON   bool   `name:"json" help:"Print JSON."`
		Zone   bool   `help:"Print the lines of a zone file only."`
		Rotate bool   `help:"Make new DKIM keys. They sign once the DNS has them; publish what is printed."`
	}
	reportCmd struct {
		Days int  `default:"7" help:"How far back." placeholder:"N"`
		JSON bool `name:"json" help:"Print JSON."`
	}
	undeleteCmd struct {
		Account string `arg:"" help:"Account or shared mailbox."`
		Since   string `help:"Only what was deleted since then: a date, or how long ago, such as \"7 days\"." placeholder:"TIME"`
		Folder  string `help:"Only what was in this folder, calendar or address book." placeholder:"NAME"`
		List    bool   `help:"Only list what there is."`
	}
	verifyCmd struct {
		Accounts []string `arg:"" optional:"" help:"Accounts or shared mailboxes (default: all)."`
	}
	reindexCmd struct {
		Accounts []string `arg:"" help:"Accounts or shared mailboxes."`
	}
)

func (v serveCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Serve(ctx, server.ServeOptions{Config: c.Config, Version: version, Verbose: v.Verbose, Out: os.Stdout, Log: os.Stderr})
}

func (v checkCmd) Run(c *cli) error {
	return server.Check(os.Stdout, server.CheckOptions{Config: c.Config, Tests: v.Tests, JSON: v.JSON})
}
func (v explainCmd) Run(c *cli) error { return server.Explain(os.Stdout, c.Config, v.Address, v.JSON) }
func (v passwdCmd) Run() error        { return server.Passwd(os.Stdin, os.Stdout, os.Stderr, v.Device) }
func (v statusCmd) Run(c *cli) error  { return server.PrintStatus(os.Stdout, c.Config, v.JSON) }
func (reloadCmd) Run(c *cli) error    { return server.Reload(os.Stdout, c.Config) }

func (v dnsCmd) Run(c *cli) error {
	return server.DNS(context.Background(), os.Stdout, server.DNSOptions{
		Config: c.Config, Domain: v.Domain, JSON: v.JSON, Zone: v.Zone, Rotate: v.Rotate,
	})
}

func (v reportCmd) Run(c *cli) error { return server.PrintReport(os.Stdout, c.Config, v.Days, v.JSON) }

func (v undeleteCmd) Run(c *cli) error {
	since, err := server.ParseSince(v.Since, time.Now())
	if err != nil {
		return err
	}
	return upkeep(c, control.UpkeepRequest{
		Verb: "undelete", Accounts: []string{v.Account}, Since: since, Folder: v.Folder, List: v.List,
	})
}

func (v verifyCmd) Run(c *cli) error {
	return upkeep(c, control.UpkeepRequest{Verb: "verify", Accounts: v.Accounts})
}

func (v reindexCmd) Run(c *cli) error {
	return upkeep(c, control.UpkeepRequest{Verb: "reindex", Accounts: v.Accounts})
}

func upkeep(c *cli, r control.UpkeepRequest) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Upkeep(ctx, os.Stdout, c.Config, r)
}

const description = `A mail, calendar and contacts server in one file: domains, people, aliases and rules are in mail.toml; saving it is enough.

First steps:
  facteur serve                 run with ./mail.toml
  facteur check                 look for mistakes before you save
  facteur explain ADDRESS       see where mail to an address goes
  facteur dns DOMAIN            see what to publish in the DNS`

// The exit codes: 0 done, 1 the thing asked about is wrong, 2 usage.
const (
	exitWrong = 1
	exitUsage = 2
)

func main() {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("facteur"), kong.Description(description), kong.UsageOnError(),
		kong.Vars{"version": "facteur " + version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Bind(&c))
	if err != nil {
		panic(err)
	}
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "facteur: %v\nRun facteur --help for the list of commands.\n", err)
		os.Exit(exitUsage)
	}
	if err := ctx.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(exitWrong)
	}
}
