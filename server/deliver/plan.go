package deliver

import (
	"cmp"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/spool"
)

// boxPlan is what shall happen in one mailbox home, and what did.
type boxPlan struct {
	address   address.Address // of the account or shared mailbox
	targets   []int           // indexes in transaction.targets: all that lead here
	home      *mailbox.Home
	filings   []filing
	redirects []address.Address
	header    []byte        // fields that scripts added, above the trace
	keepIn    string        // the folder that keeps what nothing else is said of; "": INBOX
	later     []hook.Action // what is done once the message is durable

	pending []*spool.Pending // the redirects, until all is well
	leave   *redirect.Leave  // for the redirects; nil: none is needed
	done    []filed
	err     error // it failed, and nothing of it stays
}

// filing is one copy of the message in one folder.
type filing struct {
	folder string
	create bool
	flags  []string
	until  time.Time // it comes back then; zero: it is not snoozed
}

// filed is a filing that was carried out.
type filed struct {
	box   *mailbox.Mailbox
	flags []string
	until time.Time // of the filing
	uid   mailbox.UID
}

const inbox = "INBOX"

// plan decides for every mailbox what to do, without doing it.
func (t *transaction) plan() {
	t.boxOf = make([]*boxPlan, len(t.targets))
	reached := make(map[address.Key]*boxPlan)
	for i, target := range t.targets {
		if target.Kind != directory.Box {
			continue
		}
		if p := reached[target.Address.Key()]; p != nil { // each is reached once
			p.targets = append(p.targets, i)
			t.boxOf[i] = p
			continue
		}
		p := &boxPlan{address: target.Address, targets: []int{i}}
		t.boxOf[i] = p
		reached[target.Address.Key()] = p
		t.boxes = append(t.boxes, p)
		p.err = t.planBox(p)
	}
}

func (t *transaction) planBox(p *boxPlan) (err error) {
	// Asked again, for the account may have gone since RCPT, or while this waited
	// in the spool: its folder must not come back.
	if _, ok := t.live.Directory.Box(p.address); !ok {
		return fault.New(fault.NoSuchAddress, "")
	}
	if p.home, err = t.opts.Store.Home(p.address); err != nil {
		return unavailable(err)
	}
	if t.msg.Junk {
		p.keepIn = t.junkFolder(p)
	}
	if err := t.runHooks(p); err != nil {
		return err
	}
	return t.checkQuota(p)
}

// runHooks asks the scripts and turns their actions into filings and redirects.
func (t *transaction) runHooks(p *boxPlan) error {
	var res hook.Result
	if hooks := t.live.Hooks(p.address); len(hooks) > 0 {
		res = hook.Run(t.ctx, hooks, hook.Call{
			Stage:    hook.Deliver,
			Message:  t.hookMessage(t.targets[p.targets[0]].Recipient),
			Box:      &box{home: p.home, directory: t.live.Directory, address: p.address},
			Now:      t.opts.Now(),
			Location: t.live.Location,
			Services: t.live.Services,
		})
		res.Log(t.opts.Log.With("id", t.msg.Envelope.ID, "box", p.address.String()))
	}
	may, err := t.mayRedirect(p, res.Actions)
	if err != nil {
		return err
	}
	p.take(t.opts.Now(), res.Actions, may)
	return nil
}

// hookMessage returns the message as the scripts of one mailbox see it: who
// else gets it is not theirs to know.
func (t *transaction) hookMessage(to envelope.Recipient) *hook.Message {
	env := t.msg.Envelope
	return &hook.Message{
		ID: env.ID, ReversePath: env.Sender.ReversePath, Size: t.msg.Body.Size(),
		Recipients: []address.Address{to.ForwardPath},
		Content:    message.NewContent(t.msg.Header, t.msg.Body),
		Auth:       t.msg.Auth.Hook(),
		Spam:       t.msg.Spam, Virus: t.msg.Virus, Submitted: !env.Session.Account.IsZero(),
	}
}

// take carries the actions over in their fixed order: filings first, then what
// cancels the implicit keep, then flags for all copies, headers, redirects. A
// redirect that may not be (a loop, a limit) is never a loss: when nothing
// else holds the message, the keep comes back.
func (p *boxPlan) take(now time.Time, actions []hook.Action, mayRedirect func(address.Address) bool) {
	keep, explicit, suppressed := true, false, false
	var flags, keepFlags []string
	for _, a := range actions {
		switch a.Kind {
		case hook.FileInto:
			p.filings = append(p.filings, filing{folder: a.Folder, create: a.Create, flags: a.Flags})
			keep = keep && a.Copy
		case hook.Keep:
			explicit = true
			keepFlags = append(keepFlags, a.Flags...)
		case hook.Snooze:
			p.filings = append(p.filings, snoozeInto(now, a.Until))
			keep = false
		case hook.Learn, hook.Accept, hook.Decline:
			p.later = append(p.later, a)
		case hook.Discard:
			keep = false
		case hook.Flag:
			flags = append(flags, a.Flags...)
		case hook.AddHeader:
			if field, err := message.FormatField(a.Name, a.Value); err == nil {
				p.header = append(p.header, field...)
			}
		case hook.Redirect:
			if !mayRedirect(a.Address) {
				suppressed = true
				continue
			}
			p.redirects = append(p.redirects, a.Address)
			keep = keep && a.Copy
		}
	}
	lost := suppressed && len(p.filings) == 0 && len(p.redirects) == 0
	if keep || explicit || lost {
		p.filings = append(p.filings, filing{folder: cmp.Or(p.keepIn, inbox), flags: keepFlags})
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
				if !f.until.IsZero() {
					out[i].until = f.until
				}
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
