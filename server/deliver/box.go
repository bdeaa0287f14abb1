package deliver

import (
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

func (b *box) Count(folder, query string) (int, error) { return 0, nil }
func (b *box) Contact(address.Address) hook.Contact    { return hook.Contact{} }
func (b *box) ThreadKnown([]string) bool               { return false }
func (b *box) Exists(folder string) bool               { return b.home.Exists(folder) }

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
