package server

import (
	"fmt"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/hook"
)

// vacation returns the notice that an account has set in mail.toml, nil for none
// (deliver.Settings.Vacation).
func (s *settings) vacation(box address.Address) *hook.AutoReply { return vacationOf(s.Config, box) }

func vacationOf(c *config.Config, box address.Address) *hook.AutoReply {
	if v, ok := c.Vacations[box.Key()]; ok {
		return &v
	}
	return nil
}

// describeVacation tells of a notice in words, "" when it is over.
func describeVacation(v *hook.AutoReply, today hook.Date) string {
	start, stop := v.Start.String(), v.Stop.String()
	switch {
	case stop != "" && stop < today.String():
		return ""
	case start > today.String() && stop != "":
		return fmt.Sprintf("a vacation begins on %s: who writes is told so until %s", start, stop)
	case start > today.String():
		return fmt.Sprintf("a vacation begins on %s: who writes is told so from then on", start)
	case stop != "":
		return fmt.Sprintf("a vacation is on: who writes is told so until %s", stop)
	}
	return "a vacation is on: who writes is told so"
}

// localDate is the day of a time.
func localDate(t time.Time, zone *time.Location) hook.Date {
	y, m, d := t.In(zone).Date()
	return hook.Date{Year: y, Month: int(m), Day: d}
}
