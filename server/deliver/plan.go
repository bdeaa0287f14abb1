package deliver

import (
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
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
	form      form          // of the message in this mailbox
	keepIn    string        // the folder that keeps what nothing else is said of; "": INBOX
	refuse    *hook.Action  // a script rejects it
	overruled *hook.Action  // a reject that has no effect, because something keeps the message
	replies   []hook.Action // what is sent by itself once the message is durable
	later     []hook.Action // what else is done then
	scripts   hook.Result   // whose memory holds then

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
	if err := t.refuse(p); err != nil {
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
			Box:      t.newBox(t.ctx, t.live, p.home, p.address),
			Now:      t.opts.Now(),
			Location: t.live.Location,
			Services: t.live.Services,
		})
		res.Log(t.opts.Log.With("id", t.msg.Envelope.ID, "box", p.address.String()))
		t.traceScripts(p, res)
	}
	p.scripts = res
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
		Content:    t.content(),
		Auth:       t.msg.Auth.Hook(),
		Spam:       t.msg.Spam, Virus: t.msg.Virus, Scanned: t.msg.Scanned, Submitted: t.submitted(),
	}
}
