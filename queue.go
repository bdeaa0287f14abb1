package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"facteur/server"
	"facteur/server/control"
)

type (
	queueCmd struct {
		List    queueListCmd    `cmd:"" help:"List it, oldest first, with the reason why each recipient waits."`
		Show    queueShowCmd    `cmd:"" help:"Tell all that is known of a message."`
		Retry   queueRetryCmd   `cmd:"" help:"Try messages now."`
		Hold    queueHoldCmd    `cmd:"" help:"Hold messages back, with all of their recipients, until they are released."`
		Release queueReleaseCmd `cmd:"" help:"Let held messages go, or send one before the time that its sender wants."`
		Drop    queueDropCmd    `cmd:"" help:"Remove messages, or some of their recipients. Nobody is told."`
	}
	queueFilter struct {
		To   string `help:"Only to this domain or address." placeholder:"DOMAIN|ADDRESS"`
		From string `help:"Only from this domain or address; \"<>\" is that of reports." placeholder:"DOMAIN|ADDRESS"`
	}
	queueChoice struct {
		IDs []string `arg:"" optional:"" name:"id" help:"Messages, as the list names them; without -1, -2 ... at the end: all parts of one."`
		All bool     `help:"All messages, or all that --to and --from choose."`
		queueFilter
	}
	queueListCmd struct {
		queueFilter
		JSON bool `name:"json" help:"Print JSON."`
	}
	queueShowCmd struct {
		ID   string `arg:"" help:"A message, as the list names it."`
		JSON bool   `name:"json" help:"Print JSON."`
	}
	queueRetryCmd struct{ queueChoice }
	queueHoldCmd  struct {
		queueChoice
		Reason string `help:"Why, for who looks at the queue." placeholder:"TEXT"`
	}
	queueReleaseCmd struct{ queueChoice }
	queueDropCmd    struct{ queueChoice }
)

func (f queueFilter) filter() control.QueueFilter {
	return control.QueueFilter{From: f.From, To: f.To}
}

func (v queueListCmd) Run(c *cli) error {
	return server.PrintQueue(os.Stdout, c.Config, v.filter(), v.JSON)
}

func (v queueShowCmd) Run(c *cli) error { return server.PrintQueued(os.Stdout, c.Config, v.ID, v.JSON) }

func (v queueRetryCmd) Run(c *cli) error   { return v.work(c, "retry", "") }
func (v queueHoldCmd) Run(c *cli) error    { return v.work(c, "hold", v.Reason) }
func (v queueReleaseCmd) Run(c *cli) error { return v.work(c, "release", "") }
func (v queueDropCmd) Run(c *cli) error    { return v.work(c, "drop", "") }

func (v queueChoice) work(c *cli, verb, reason string) error {
	chosen := v.To != "" || v.From != ""
	switch {
	case len(v.IDs) == 0 && !v.All && !chosen:
		return errors.New("name a message, or say --all, --to or --from")
	case len(v.IDs) > 0 && (v.All || v.From != ""):
		return errors.New("name messages, or choose them with --all or --from, not both")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := control.QueueRequest{Verb: verb, IDs: v.IDs, Reason: reason, QueueFilter: v.filter()}
	return server.QueueWork(ctx, os.Stdout, c.Config, r)
}
