package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"facteur/server"
)

type traceCmd struct {
	What  string `arg:"" name:"what" help:"The id of a message (from its Received field, or the log), a Message-ID, or an address: then the newest messages from or to it are listed."`
	Since string `help:"Only since then: a date, or how long ago, such as \"7 days\"." placeholder:"TIME"`
	Limit int    `default:"20" help:"At most so many messages." placeholder:"N"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (v traceCmd) Run(c *cli) error {
	since, err := server.ParseSince(v.Since, time.Now())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Trace(ctx, os.Stdout, server.TraceOptions{Config: c.Config, What: v.What, Since: since, Limit: v.Limit, JSON: v.JSON})
}
