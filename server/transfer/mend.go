package transfer

import (
	"slices"
	"strings"

	"facteur/server/ical"
)

// Mend takes out of a component, and what stands in it, what programs write that know no
// value: properties without one where RFC 5545 wants one (an empty RRULE), and times of
// changes that are none (Google's CREATED:00001231T000000Z). Nothing is lost by that, and
// with it the whole object would be left out.
func Mend(c *ical.Component) {
	c.Props = slices.DeleteFunc(c.Props, func(p ical.Prop) bool {
		switch p.Name {
		case "RRULE", "EXRULE", "RDATE", "EXDATE", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "PRIORITY", "SEQUENCE", "PERCENT-COMPLETE", "GEO":
			return strings.TrimSpace(p.Value) == ""
		case "CREATED", "LAST-MODIFIED", "DTSTAMP", "COMPLETED", "ACKNOWLEDGED":
			_, err := ical.ParseValue(p, nil)
			return err != nil
		}
		return false
	})
	for _, child := range c.Children {
		Mend(child)
	}
}
