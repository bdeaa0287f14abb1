package deliver

import (
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
)

// boxPlan is what shall happen in one mailbox home.
type boxPlan struct {
	target    int // index in transaction.targets
	home      *mailbox.Home
	filings   []filing
	redirects []address.Address
	header    []byte // fields that scripts added, above the trace
	done      []filed
}

// filing is one copy of the message in one folder.
type filing struct {
	folder string
	create bool
	flags  []string
}

// filed is a filing that was carried out.
type filed struct {
	box *mailbox.Mailbox
	uid mailbox.UID
}

const inbox = "INBOX"

// plan decides for every local target what to do, without doing it.
func (t *transaction) plan() {
	for i, target := range t.targets {
		if target.Kind != directory.Box || t.planned(target.Address) {
			continue
		}
		home, err := t.opts.Store.Home(target.Address)
		if err != nil {
			t.errs[i] = err
			continue
		}
		plan := &boxPlan{target: i, home: home}
		t.boxes = append(t.boxes, plan)
		t.runHooks(plan)
		if err := t.checkQuota(plan); err != nil {
			t.errs[i] = err
		}
	}
}

// planned tells whether another target leads to the same mailbox: it is
// reached once.
func (t *transaction) planned(a address.Address) bool {
	for _, p := range t.boxes {
		if t.targets[p.target].Address.Key() == a.Key() {
			return true
		}
	}
	return false
}

// runHooks asks the scripts and turns their actions into filings and redirects.
func (t *transaction) runHooks(p *boxPlan) {
	target := t.targets[p.target]
	hooks := t.live.Hooks(target.Address)
	var res hook.Result
	if len(hooks) > 0 {
		res = hook.Run(t.ctx, hooks, hook.Call{
			Stage:    hook.Deliver,
			Message:  t.hookMessage(),
			Box:      &box{home: p.home, directory: t.live.Directory, address: target.Address},
			Now:      t.opts.Now(),
			Location: t.live.Location,
		})
		t.logHooks(target.Address, res)
	}
	p.take(res.Actions, !t.passed(target.Address))
}

func (t *transaction) hookMessage() *hook.Message {
	env := t.msg.Envelope
	m := &hook.Message{
		ID: env.ID, ReversePath: env.Sender.ReversePath, Size: t.msg.Body.Size(),
		Content: message.NewContent(t.msg.Header, t.msg.Body),
	}
	for _, r := range env.Recipients {
		m.Recipients = append(m.Recipients, r.ForwardPath)
	}
	return m
}

func (t *transaction) logHooks(box address.Address, res hook.Result) {
	for _, l := range res.Trace {
		t.opts.Log.Info("hook.log", "id", t.msg.Envelope.ID, "box", box.String(), "script", l.Script, "line", l.Line, "text", l.Text)
	}
	for _, f := range res.Failures {
		t.opts.Log.Warn("hook.failed", "id", t.msg.Envelope.ID, "box", box.String(), "script", f.Script,
			"stage", string(f.Stage), "error", f.Err, "result", "the mail is kept as if the script were absent")
	}
}

// take carries the actions over in their fixed order: filings first, then what
// cancels the implicit keep, then flags for all copies, headers, redirects.
func (p *boxPlan) take(actions []hook.Action, mayRedirect bool) {
	keep, explicit := true, false
	var flags, keepFlags []string
	for _, a := range actions {
		switch a.Kind {
		case hook.FileInto:
			p.filings = append(p.filings, filing{a.Folder, a.Create, a.Flags})
			keep = keep && a.Copy
		case hook.Keep:
			explicit = true
			keepFlags = append(keepFlags, a.Flags...)
		case hook.Discard:
			keep = false
		case hook.Flag:
			flags = append(flags, a.Flags...)
		case hook.AddHeader:
			if field, err := message.FormatField(a.Name, a.Value); err == nil {
				p.header = append(p.header, field...)
			}
		case hook.Redirect:
			if mayRedirect { // a suppressed redirect is never a loss: the keep stays
				p.redirects = append(p.redirects, a.Address)
				keep = keep && a.Copy
			}
		}
	}
	if keep || explicit {
		p.filings = append(p.filings, filing{folder: inbox, flags: keepFlags})
	}
	p.filings = merge(p.filings)
	for i := range p.filings {
		p.filings[i].flags = union(p.filings[i].flags, flags)
	}
}

// merge makes one filing of those into the same folder.
func merge(in []filing) []filing {
	var out []filing
next:
	for _, f := range in {
		for i := range out {
			if out[i].folder == f.folder {
				out[i].create = out[i].create || f.create
				out[i].flags = union(out[i].flags, f.flags)
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := append([]string(nil), a...)
next:
	for _, s := range b {
		for _, have := range out {
			if have == s {
				continue next
			}
		}
		out = append(out, s)
	}
	return out
}
