package transfer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"facteur/server/contentline"
	"facteur/server/ical"
)

// CalendarWriter writes calendar objects as one VCALENDAR, with each time zone once.
type CalendarWriter struct {
	w     *bufio.Writer
	zones map[string][]byte
}

// NewCalendarWriter begins a calendar with a name for people, which may be empty.
func NewCalendarWriter(w io.Writer, name string) *CalendarWriter {
	c := &CalendarWriter{w: bufio.NewWriterSize(w, 32<<10), zones: make(map[string][]byte)}
	c.w.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//facteur//facteur//EN\r\n")
	if name != "" {
		c.w.Write(contentline.AppendFolded(nil, "X-WR-CALNAME:"+contentline.EscapeText(name)))
	}
	return c
}

// Add writes an object, with each time zone that it names and that is known. It is not
// written when it can't be read, or when its time zones have names that others have for
// other rules: the error says so.
func (c *CalendarWriter) Add(data []byte) error {
	parsed, err := ical.ParseBytes(data)
	if err != nil {
		return err
	}
	parsed, _ = parsed.WithZones() // clients leave out those that this server knows by name (RFC 7809)
	for _, child := range parsed.Children {
		if id := child.Value("TZID"); child.Name == "VTIMEZONE" {
			zone := canonical(child)
			if old, ok := c.zones[id]; ok && !bytes.Equal(old, zone) && ical.LoadZone(id) == nil {
				return fmt.Errorf("its time zone %q is not that of the same name in other objects", contentline.Clip(id))
			}
		}
	}
	return c.Write(parsed)
}

// Write writes an object as it is. Of time zones with one name the first is taken.
func (c *CalendarWriter) Write(object *ical.Calendar) error {
	for _, child := range object.Children {
		if id := child.Value("TZID"); child.Name == "VTIMEZONE" {
			if c.zones[id] != nil {
				continue
			}
			c.zones[id] = canonical(child)
		}
		if err := child.Write(c.w); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the calendar; it does not close the io.Writer.
func (c *CalendarWriter) Close() error {
	c.w.WriteString("END:VCALENDAR\r\n")
	return c.w.Flush()
}
