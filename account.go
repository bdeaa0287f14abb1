package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"facteur/server"
)

type (
	accountCmd struct {
		Reopen accountReopenCmd `cmd:"" help:"Let an account send again that was closed for sending."`
	}
	accountReopenCmd struct {
		Account string `arg:"" help:"The account, as facteur status names it."`
	}
	unblockCmd struct {
		Who string `arg:"" help:"An account, an IP address or a network, as facteur status names it." placeholder:"ADDRESS|IP"`
	}
)

func (v accountReopenCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.ReopenAccount(ctx, os.Stdout, c.Config, v.Account)
}

func (v unblockCmd) Run(c *cli) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Unblock(ctx, os.Stdout, c.Config, v.Who)
}
