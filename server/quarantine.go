package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/fault"
	"facteur/server/intake"
	"facteur/server/spool"
	"facteur/server/wire"
)

// keepQuarantine removes what has been in quarantine too long, and tells people once a day
// what is new in it for them. It is called by the goroutine of maintain alone.
func (s *Server) keepQuarantine() {
	live, now := s.live.Load(), time.Now()
	if age := live.Retention.Quarantine; age != config.Never {
		gone, err := s.spool.ExpireQuarantine(now.Add(-age))
		for _, id := range gone {
			s.log.Info("server.quarantine_removed", "id", id, "after", age)
		}
		if err != nil {
			s.log.Error("server.quarantine", "error", err)
		}
	}
	if now.Sub(s.quarantineTold) >= quarantineNotices && s.tellQuarantine(live, now) {
		s.quarantineTold = now
	}
}

// quarantineNotices is how often people are told of what is in quarantine for them.
const quarantineNotices = 24 * time.Hour

// maxQuarantineListed is how many messages one notice names.
const maxQuarantineListed = 100

// tellQuarantine tells each local recipient what was quarantined since the last time; it
// tells whether there was anything.
func (s *Server) tellQuarantine(live *settings, now time.Time) bool {
	var order []address.Address
	found := make(map[address.Key][]spool.Detail)
	var entries []string
	for _, e := range s.spool.Quarantined() {
		if e.Told {
			continue
		}
		d, err := s.spool.Show(e.ID)
		if err != nil {
			continue // released or dropped just now
		}
		entries = append(entries, e.ID)
		for _, r := range d.Recipients {
			if !r.Local || r.Done {
				continue
			}
			key := r.Address.Key()
			if found[key] == nil {
				order = append(order, r.Address)
			}
			found[key] = append(found[key], d)
		}
	}
	for _, to := range order {
		subject, text := quarantineText(live, to, found[to.Key()])
		s.writeNotice(notice{to: []address.Address{to}, subject: subject, text: text, id: quarantineID(to, found[to.Key()])})
	}
	for _, id := range entries {
		if err := s.spool.NoteTold(id); err != nil && !fault.Is(err, fault.NotFound) {
			s.log.Error("server.quarantine", "id", id, "error", err)
		}
	}
	if len(entries) > 0 {
		s.log.Info("server.quarantine_told", "people", len(order), "messages", len(entries))
	}
	return len(entries) > 0
}

// quarantineID is the id of a notice: the same for the same messages, so that after a crash it
// is not there twice.
func quarantineID(to address.Address, list []spool.Detail) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "quarantine %s", to.Key())
	for _, d := range list {
		fmt.Fprintf(sum, " %s", d.ID)
	}
	return hex.EncodeToString(sum.Sum(nil)[:10])
}

// quarantineText writes the notice. What strangers wrote is shown in a form that no mail
// program makes a link of.
func quarantineText(live *settings, to address.Address, list []spool.Detail) (subject, text string) {
	var b strings.Builder
	fmt.Fprintf(&b, "What follows was sent to %s and is held, because of a rule of\nthis mail server. It is not in the mailbox.\n\n", to)
	for _, d := range list[:min(len(list), maxQuarantineListed)] {
		fmt.Fprintf(&b, "  From:     %s\n  Subject:  %s\n  Came:     %s\n  Reason:   %s\n  Number:   %s\n\n", harmless(d.From), harmless(d.Subject),
			d.Received.In(live.Location).Format("2006-01-02 15:04 MST"), harmless(d.Hold), d.ID)
	}
	if more := len(list) - maxQuarantineListed; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n\n", more)
	}
	fmt.Fprintf(&b, "If you want to have one of these, write to postmaster@%s\nand name its number.", to.Domain)
	if age := live.Retention.Quarantine; age != config.Never {
		fmt.Fprintf(&b, " What nobody wants is removed %s after it came.", days(age))
	}
	b.WriteString("\n\nThere is at most one such notice a day.\n")
	return counted(len(list), "message") + " in quarantine", b.String()
}

// days writes a long time.
func days(d time.Duration) string {
	if d%(24*time.Hour) != 0 {
		return counted(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return counted(int(d/(24*time.Hour)), "day")
}

// maxShown is how much of a field of a stranger's message is shown, in characters.
const maxShown = 120

// harmless returns a text of strangers on one line, without anything that is not seen, and
// with what could be a link broken up.
func harmless(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxShown {
			b.WriteString(" ...")
			break
		}
		b.WriteRune(r)
	}
	words := strings.Fields(wire.Seen(b.String(), ""))
	for i, w := range words {
		if w = strings.ReplaceAll(w, "://", ": //"); !strings.Contains(w, "@") {
			w = nameDot.ReplaceAllString(w, "[.]$1")
		}
		words[i] = w
	}
	if len(words) == 0 {
		return "(none)"
	}
	return strings.Join(words, " ")
}

// nameDot is a dot as in the name of a host, of which mail programs make links.
var nameDot = regexp.MustCompile(`\.(\pL)`)

// heldByScript is the notice of a message that a script holds.
func heldByScript(n intake.Notice, at time.Time) (subject, text string) {
	return "Mail of " + n.Account.String() + " is held", fmt.Sprintf(`A message that was sent as %[1]s at %[2]s is held
by a rule of this mail server:

  %[3]s

Nothing is lost. It goes on when the postmaster has released it.

To the postmaster, on the server:

  facteur queue show %[4]s       what it is
  facteur queue release %[4]s    let it go
  facteur queue drop %[4]s       throw it away
`, n.Account, at.Format("2006-01-02 15:04 MST"), harmless(n.Reason), n.ID)
}

// maxHeldNotices is how many notices of that kind an account gets in a day.
const maxHeldNotices = 20

// perDay counts for each address, from midnight UTC.
type perDay struct {
	mu    sync.Mutex
	day   int64
	count map[address.Key]int
}

// take counts one more; it tells whether that is at most so many.
func (p *perDay) take(a address.Address, most int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if day := now.Unix() / 86400; day != p.day || p.count == nil {
		p.day, p.count = day, make(map[address.Key]int)
	}
	p.count[a.Key()]++
	return p.count[a.Key()] <= most
}
