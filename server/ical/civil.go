package ical

import "time"

// Times of the clock on the wall are counted as if they were UTC, in seconds since 1970:
// a rule of recurrence counts in them, and a zone makes them points in time.

const (
	daySeconds = 24 * 60 * 60
	lastYear   = 9999
)

// endOfTime is the end of the last year that a DATE can name, as a time of the wall.
func endOfTime() int64 { return int64(dayNumber(lastYear+1, 1, 1)) * daySeconds }

// dayNumber returns the days since 1970 of a date of the Gregorian calendar. The day may
// be out of the month.
func dayNumber(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// dateOf returns the date of a day number.
func dateOf(n int) (y, m, d int) {
	n += 719468
	era := floorDiv(n, 146097)
	doe := n - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	y = yoe + era*400
	if m = mp + 3; m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// weekday returns the day of the week of a day number.
func weekday(n int) time.Weekday { return time.Weekday(floorMod(n+4, 7)) }

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func yearLength(y int) int {
	if leap(y) {
		return 366
	}
	return 365
}

func monthLength(y, m int) int {
	switch {
	case m == 2 && leap(y):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

func floorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func floorMod[T int | int64](a, b T) T { return a - floorDiv(a, b)*b }

// wallOf returns the seconds of what a clock shows.
func wallOf(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// wallTime is what a clock shows, as a time in UTC.
func wallTime(wall int64) time.Time { return time.Unix(wall, 0).UTC() }
