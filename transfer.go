package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"facteur/server"
)

type (
	importCmd struct {
		Files   []string `arg:"" optional:"" help:"Files (.ics, .vcf, .csv), folders or .zip archives; - is standard input." placeholder:"FILE"`
		Account string   `required:"" help:"The account or shared mailbox that gets it." placeholder:"ADDRESS"`
		To      string   `help:"The calendar or address book, made when it is not there. Without it events go to calendar, tasks to tasks, cards to contacts, and a folder's files into one of its name." placeholder:"NAME"`
		Replace bool     `help:"Replace what is there with the same UID and other content; without it that stays, and is listed."`
		DryRun  bool     `help:"Only tell what would be done."`
		JSON    bool     `name:"json" help:"Print JSON."`

		From         string   `help:"Pull from another CalDAV or CardDAV server instead. Run again, it takes what is new or has changed there." placeholder:"URL"`
		Login        string   `help:"The login there." placeholder:"NAME"`
		PasswordFile string   `help:"A file with the password there in its first line; without it, it is asked for, or read from standard input." placeholder:"FILE"`
		Collection   []string `help:"Pull only this calendar or address book; may be given several times." placeholder:"NAME" sep:"none"`
	}
	exportCmd struct {
		To         string `arg:"" help:"One collection: a file .ics, .vcf or .csv, or - for standard output. All: a folder or .zip archive."`
		Account    string `required:"" help:"The account or shared mailbox." placeholder:"ADDRESS"`
		Collection string `help:"The calendar or address book (default: all, or calendar or contacts)." placeholder:"NAME"`
	}
)

func (v importCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Import(ctx, os.Stdin, os.Stdout, server.ImportOptions{
		Config: c.Config, Account: v.Account, Files: v.Files, To: v.To, Replace: v.Replace, DryRun: v.DryRun, JSON: v.JSON,
		From: v.From, Login: v.Login, PasswordFile: v.PasswordFile, Collections: v.Collection,
	})
}

func (v exportCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Export(ctx, os.Stdout, os.Stderr, server.ExportOptions{
		Config: c.Config, Account: v.Account, Collection: v.Collection, To: v.To,
	})
}
