package imapwire

import "time"

// The forms of dates (RFC 9051 9, date-text and date-time).
const (
	dateForm     = "2-Jan-2006"
	dateTimeForm = "_2-Jan-2006 15:04:05 -0700"
)

// Date reads a date, in quotes or not: its midnight in UTC.
func (d *Decoder) Date() time.Time {
	s := d.AString()
	return d.time(dateForm, s)
}

// DateTime reads a date-time, in quotes. A day of one digit may lack the space
// before it.
func (d *Decoder) DateTime() time.Time {
	if d.Peek() != '"' {
		d.Fail("A date and time is missing")
		return time.Time{}
	}
	s := d.String()
	if len(s) != len(dateTimeForm) && (len(s) != len(dateTimeForm)-1 || s[0] == ' ') {
		d.Fail("%q is no date and time", clip(s))
		return time.Time{}
	}
	return d.time(dateTimeForm, s)
}

func (d *Decoder) time(form, s string) time.Time {
	if d.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(form, s)
	if err != nil {
		d.Fail("%q is no date", clip(s))
		return time.Time{}
	}
	return t
}

// clip is what of a string goes into an error.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40]
	}
	return s
}

// AppendDateTime appends a date-time with its quotes.
func AppendDateTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, dateTimeForm)
	return append(dst, '"')
}
