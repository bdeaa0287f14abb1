package server

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/control"
	"facteur/server/homes"
)

// tellFailing tells the owner of calendars that are subscribed to and could not be fetched
// for a day (homes.Options.Tell).
func (s *Server) tellFailing(all []homes.Failing) bool {
	live := s.live.Load()
	words := failingWords[live.Language]
	subject, text := words.notice(all, live.Location)
	return s.noticeLater(notice{to: []address.Address{all[0].Owner}, subject: subject, text: text})
}

// failingTexts are those of the notice in one language.
type failingTexts struct {
	subject, subjects string
	begin, end        string
	head              string // takes the name, the host and the time
	one               map[homes.Reason]reasonText
}

// reasonText says why, and what to do. DETAIL (the error), HOST and POSTMASTER stand for these.
type reasonText struct{ why, todo string }

func (t failingTexts) notice(all []homes.Failing, loc *time.Location) (subject, text string) {
	subject = fmt.Sprintf(t.subject, nameOfFailing(all[0]))
	if len(all) > 1 {
		subject = fmt.Sprintf(t.subjects, len(all))
	}
	var b strings.Builder
	b.WriteString(t.begin)
	for _, f := range all {
		fmt.Fprintf(&b, t.head, nameOfFailing(f), shown(f.Host), f.Since.In(loc).Format("2006-01-02 15:04 MST"))
		r := t.one[f.Reason]
		of := strings.NewReplacer("DETAIL", harmless(f.Detail), "HOST", shown(f.Host), "POSTMASTER", "postmaster@"+f.Owner.Domain.Unicode())
		fmt.Fprintf(&b, "  %s\n  %s\n\n", of.Replace(r.why), strings.ReplaceAll(of.Replace(r.todo), "\n", "\n  "))
	}
	b.WriteString(t.end)
	return subject, b.String()
}

func nameOfFailing(f homes.Failing) string { return shown(cmp.Or(f.DisplayName, f.Collection)) }

// failingStatus is that of control.Status.
func (s *Server) failingStatus() (out []control.FailingCalendar) {
	if s.dav.homes == nil {
		return nil
	}
	for _, f := range s.dav.homes.Failing() {
		out = append(out, control.FailingCalendar{Owner: f.Owner.String(), Name: f.Collection, Host: f.Host, Since: f.Since, Why: f.Detail})
	}
	return out
}

func printFailing(w io.Writer, list []control.FailingCalendar) {
	for _, f := range list {
		fmt.Fprintf(w, "not fetched since %s: %s/%s, of %s: %s\n", f.Since.Local().Format(time.DateTime), f.Owner, shown(f.Name), shown(f.Host), shown(f.Why))
	}
}
