package deliver

import (
	"context"
	"log/slog"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
)

// box is a mailbox home as scripts see it (hook.Box).
type box struct {
	home      *mailbox.Home
	directory *directory.Directory
	address   address.Address
	opts      *Options
	now       time.Time
	zone      *time.Location
	ctx       context.Context // of the run
	log       *slog.Logger
}

// newBox returns a mailbox as its scripts see it, during ctx.
func (d *Deliverer) newBox(ctx context.Context, live *Settings, home *mailbox.Home, a address.Address) *box {
	return &box{
		home: home, directory: live.Directory, address: a, opts: &d.opts,
		now: d.opts.Now(), zone: live.Location, ctx: ctx, log: d.opts.Log,
	}
}

func (b *box) Address() address.Address { return b.address }

func (b *box) Addresses() []address.Address {
	info, _ := b.directory.Box(b.address)
	return info.Own
}

func (b *box) Quota() (used, limit int64) {
	info, _ := b.directory.Box(b.address)
	usage, err := b.home.Usage()
	if err != nil {
		return 0, info.Quota
	}
	return usage.Octets, info.Quota
}

func (b *box) Folders() []string {
	folders, err := b.home.Folders()
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range folders {
		if f.Exists {
			names = append(names, f.Name)
		}
	}
	return names
}

func (b *box) Exists(folder string) bool { return b.home.Exists(folder) }

// Contact joins what the mailbox had of somebody with what its address books say.
func (b *box) Contact(a address.Address) (c hook.Contact) {
	var err error
	if b.opts.People != nil {
		if c, err = b.opts.People.Contact(b.ctx, b.address, a); err != nil {
			b.log.Warn("deliver.people", "box", b.address.String(), "error", err)
		}
	}
	if b.opts.Contacts != nil {
		if c.Name, _, err = b.opts.Contacts(b.address, a); err != nil {
			b.log.Warn("deliver.contacts", "box", b.address.String(), "error", err)
		}
	}
	return c
}

func (b *box) Busy(from, to time.Time, except string) ([]hook.Busy, error) {
	if b.opts.Busy == nil {
		return nil, nil
	}
	return b.opts.Busy(b.address, from, to, except)
}

func (b *box) ThreadKnown(ids []string) bool {
	if b.opts.People == nil {
		return false
	}
	known, err := b.opts.People.HasSent(b.ctx, b.address, ids)
	if err != nil {
		b.log.Warn("deliver.people", "box", b.address.String(), "error", err)
	}
	return known
}

// checkQuota refuses a message for which there is no room.
func (t *transaction) checkQuota(p *boxPlan) error {
	if len(p.filings) == 0 {
		return nil
	}
	return CheckQuota(p.home, t.live.Directory, p.address, t.msg.Body.Size()*int64(len(p.filings)))
}

// CheckQuota returns an OverQuota fault when a message of size octets does not
// fit into the mailbox of a any more.
func CheckQuota(home *mailbox.Home, dir *directory.Directory, a address.Address, size int64) error {
	info, ok := dir.Box(a)
	if !ok {
		return fault.New(fault.NoSuchAddress, "")
	}
	if info.Quota <= 0 {
		return nil
	}
	usage, err := home.Usage()
	if err != nil {
		return err
	}
	if usage.Octets+size > info.Quota {
		return fault.New(fault.OverQuota, "") // 452 4.2.2: room may be made
	}
	return nil
}
