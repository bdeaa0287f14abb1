package deliver

import (
	"fmt"
	"mime"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/mailbox"
)

// A mailbox over warnAt of its quota, in per cent, gets a warning; the next one
// comes when it has been under calmAt in between.
const (
	warnAt = 90
	calmAt = 80
)

// warnedEntry is the annotation (RFC 5464) that remembers a warning over restarts.
const warnedEntry = "/private/vendor/facteur/quota-warned"

// warnings remembers which mailboxes were warned.
type warnings struct {
	mu     sync.Mutex
	warned map[address.Key]bool // absent: not read yet
}

// warnFull warns the owners of mailboxes that are nearly full now. The message
// is delivered by then: what goes wrong here is only logged.
func (t *transaction) warnFull() {
	for _, p := range t.boxes {
		if p.err != nil || len(p.done) == 0 {
			continue
		}
		if err := t.warnBox(p); err != nil {
			t.opts.Log.Warn("deliver.quota_warning", "box", p.address.String(), "error", err)
		}
	}
}

func (t *transaction) warnBox(p *boxPlan) error {
	info, ok := t.live.Directory.Box(p.address)
	if !ok || info.Quota <= 0 {
		return nil
	}
	usage, err := p.home.Usage()
	if err != nil {
		return err
	}
	// Only what lies at one of the ends changes anything.
	full, calm := usage.Octets >= info.Quota/100*warnAt, usage.Octets < info.Quota/100*calmAt
	if !full && !calm {
		return nil
	}
	t.warnings.mu.Lock()
	defer t.warnings.mu.Unlock()
	warned, known := t.warnings.warned[p.address.Key()]
	if !known {
		data, err := p.home.Metadata()
		if err != nil {
			return err
		}
		warned = data[warnedEntry] != nil
	}
	if warned != full {
		if err := t.remember(p, full, usage, info.Quota); err != nil {
			return err
		}
	}
	t.warnings.warned[p.address.Key()] = full
	return nil
}

// remember sends a warning and notes it, or forgets the last one.
func (t *transaction) remember(p *boxPlan, full bool, usage mailbox.Usage, quota int64) error {
	if !full {
		return p.home.SetMetadata(map[string][]byte{warnedEntry: nil})
	}
	now := t.opts.Now().In(t.live.Location)
	if err := p.home.SetMetadata(map[string][]byte{warnedEntry: []byte(now.Format(time.RFC3339))}); err != nil {
		return err
	}
	if err := t.fileWarning(p, warning(p.address, usage, quota, now)); err != nil {
		return err
	}
	t.opts.Log.Info("deliver.quota_warning", "box", p.address.String(), "octets", usage.Octets, "quota", quota)
	return nil
}

func (t *transaction) fileWarning(p *boxPlan, text string) error {
	box, err := p.home.Mailbox(inbox)
	if err != nil {
		return err
	}
	file, err := t.opts.Store.Draft()
	if err != nil {
		return err
	}
	defer file.Discard()
	if _, err := file.Write([]byte(text)); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if _, err := box.Add(file, mailbox.AddOptions{Last: true}); err != nil {
		return err
	}
	return box.Sync()
}

// warning is the message.
func warning(to address.Address, usage mailbox.Usage, quota int64, now time.Time) string {
	percent := usage.Octets * 100 / quota
	header := fmt.Sprintf("From: %s <postmaster@%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n",
		mime.QEncoding.Encode("utf-8", "Mail server"), to.Domain, to, mime.QEncoding.Encode("utf-8", fmt.Sprintf("Your mailbox is %d %% full", percent)),
		now.Format(time.RFC1123Z), envelope.NewID(), to.Domain)
	// RFC 3834 5: no answer is wanted.
	header += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	return header + fmt.Sprintf("The mailbox %s holds %d messages with %s in all. It may hold %s.\r\n"+
		"When it is full, new mail is refused, and its senders are told to try again later.\r\n\r\n"+
		"Delete what you do not need, mail with large attachments first, and empty the trash.\r\n",
		to, usage.Messages, sizeText(usage.Octets), sizeText(quota))
}

// sizeText returns a size as mail.toml has it.
func sizeText(octets int64) string {
	if octets < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(octets)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(octets)/1e6)
}
