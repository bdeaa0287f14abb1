package ical

import (
	"iter"
	"math"
	"slices"
	"time"
)

// maxWork bounds the work of one expansion: about a day that is looked at counts one, and so
// does a time that is found.
const maxWork = 400_000

// work is what is left of it. Who finds it spent has not seen all.
type work struct {
	left    int
	reached int64 // on the wall: all that the last rule gives before it was seen
}

func (w *work) spend(n int) bool {
	w.left -= n
	return w.left > 0
}

// All yields the instances of a rule that begin at from or later, in order, in the zone of
// start. start itself is always the first instance. The sequence may be infinite; it ends
// early where it would take too much work to go on (see maxWork).
func (r *Rule) All(start, from time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		z := &Zone{location: start.Location()}
		w := work{left: maxWork}
		for wall := range r.walls(wallOf(start), wallOf(from.In(start.Location())), r.untilWall(z), &w) {
			if !yield(time.Unix(z.unix(wall), 0).In(start.Location())) {
				return
			}
		}
	}
}

// untilWall is the last time of the wall that UNTIL lets in.
func (r *Rule) untilWall(z *Zone) int64 {
	switch {
	case r.Until == nil:
		return math.MaxInt64
	case r.Until.IsDate():
		return r.Until.wall + daySeconds - 1 // all of that day, also of a rule for times
	case r.Until.zone != nil && z != nil:
		unix := r.Until.zone.unix(r.Until.wall)
		return unix + z.offset(unix)
	}
	return r.Until.wall
}

// walls yields the instances from a time on, as times of the wall, strictly ascending.
func (r *Rule) walls(start, from, until int64, w *work) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		if w.left <= 0 {
			w.reached = start
			return
		}
		x := newExpansion(r, start)
		w.spend(len(x.clock) / 16)
		x.until = min(until, endOfTime()-1)
		n := 1 // start is the first
		from = max(min(from, endOfTime()), start)
		if start >= from && start <= until && !yield(start) {
			return
		}
		k := int64(0)
		if skip := x.periodOf(from); r.Count == 0 {
			k = skip
		} else if skip > 1 && x.plain() { // each period has one instance
			k, n = skip, int(min(skip, math.MaxInt32))
		}
		for {
			k = x.fill(k, w)
			if k < 0 || w.left <= 0 {
				w.reached = max(from, x.begin)
				return
			}
			counted, first := x.index(start+1), x.index(from)
			n += max(first-counted, 0)
			for i := max(counted, first); i < x.size(); i++ {
				wall := x.at(i)
				if n++; wall > until || r.Count > 0 && n > r.Count {
					return
				}
				if w.reached = wall; !yield(wall) || !w.spend(1) {
					return
				}
			}
			if x.begin > until {
				return
			}
			k++
		}
	}
}

// expansion is a rule with what it takes from DTSTART.
type expansion struct {
	Rule
	start      int64
	until      int64 // the last time that is of interest
	year       int   // of the start
	month      int   // since the year 0
	day        int   // its number: of the start, for a weekly rule of the week's begin
	step       int64 // of a rule with a fixed one, in seconds; 0: months or years
	base       int64 // where its first period begins
	weekdays   uint8
	ordinals   []Day
	clock      []int64 // a day's seconds, for a rule with days
	begin      int64   // of the period that was filled
	found      []int64 // in it, sorted; of a rule for whole days, each with all of clock, they are not made (wholeDays)
	days       []int
	checked    int // a day of which checkedOK holds
	checkedOK  bool
	hasByParts bool
}

func newExpansion(r *Rule, start int64) *expansion {
	x := &expansion{Rule: *r, start: start, checked: math.MinInt, begin: math.MinInt64}
	day := int(floorDiv(start, daySeconds))
	y, m, d := dateOf(day)
	x.year, x.month, x.day = y, y*12+m-1, day
	x.hasByParts = len(r.BySecond)+len(r.ByMinute)+len(r.ByHour)+len(r.ByDay)+len(r.ByMonthDay)+
		len(r.ByYearDay)+len(r.ByWeekNo)+len(r.ByMonth)+len(r.BySetPos) > 0
	x.fromStart(int(floorMod(start, daySeconds)), m, d)
	for _, d := range x.ByDay {
		// RFC 5545 3.3.10: a number is for months and years, and not with week numbers.
		if d.N == 0 || x.Frequency < Monthly || x.Frequency == Yearly && len(x.ByWeekNo) > 0 {
			x.weekdays |= 1 << d.Weekday
		} else {
			x.ordinals = append(x.ordinals, d)
		}
	}
	interval := int64(x.Interval)
	switch x.Frequency {
	case Weekly:
		x.day -= floorMod(int(weekday(day))-int(x.WeekStart), 7)
		x.step, x.base = 7*daySeconds*interval, int64(x.day)*daySeconds
	case Daily:
		x.step, x.base = daySeconds*interval, int64(day)*daySeconds
	case Hourly, Minutely, Secondly:
		unit := []int64{1, 60, 3600}[x.Frequency]
		x.step, x.base = unit*interval, floorDiv(start, unit)*unit
	}
	if x.Frequency >= Daily {
		x.clock = make([]int64, 0, len(x.ByHour)*len(x.ByMinute)*len(x.BySecond))
		for _, h := range x.ByHour {
			for _, m := range x.ByMinute {
				for _, s := range x.BySecond {
					x.clock = append(x.clock, int64(h*3600+m*60+s))
				}
			}
		}
	}
	return x
}

// fromStart fills in what the rule does not say (RFC 5545 3.3.10: "Information, not
// contained in the rule ... derived from DTSTART").
func (x *expansion) fromStart(clock, month, day int) {
	if x.Frequency >= Hourly && len(x.BySecond) == 0 || x.Frequency == Minutely && len(x.BySecond) == 0 {
		x.BySecond = []int{clock % 60}
	}
	if x.Frequency >= Hourly && len(x.ByMinute) == 0 {
		x.ByMinute = []int{clock / 60 % 60}
	}
	if x.Frequency >= Daily && len(x.ByHour) == 0 {
		x.ByHour = []int{clock / 3600}
	}
	own := []Day{{0, weekday(x.day)}}
	switch {
	case len(x.ByDay) > 0:
	case x.Frequency == Weekly:
		x.ByDay = own
	case x.Frequency == Yearly && len(x.ByWeekNo) > 0 && len(x.ByYearDay)+len(x.ByMonthDay) == 0:
		x.ByDay = own
	case x.Frequency == Monthly && len(x.ByMonthDay) == 0:
		x.ByMonthDay = []int{day}
	case x.Frequency == Yearly && len(x.ByMonthDay)+len(x.ByYearDay)+len(x.ByWeekNo) == 0:
		x.ByMonthDay = []int{day}
		if len(x.ByMonth) == 0 {
			x.ByMonth = []int{month}
		}
	}
}

// plain: each period has one instance, at the same place in it.
func (x *expansion) plain() bool { return !x.hasByParts && x.step > 0 }

// periodOf returns the number of the last period that begins at a time or before, which may
// be negative.
func (x *expansion) periodOf(wall int64) int64 {
	if x.step > 0 {
		return floorDiv(wall-x.base, x.step)
	}
	y, m, _ := dateOf(int(floorDiv(wall, daySeconds)))
	if x.Frequency == Yearly {
		return int64(floorDiv(y-x.year, x.Interval))
	}
	return int64(floorDiv(y*12+m-1-x.month, x.Interval))
}

// fill finds what is in the first period from k on that may have instances, and returns its
// number; negative: there is none.
func (x *expansion) fill(k int64, w *work) int64 {
	x.found, x.days = x.found[:0], x.days[:0]
	switch {
	case x.step > 0 && k > endOfTime()*2/x.step+1:
		return -1
	case x.Frequency < Daily:
		return x.fillClock(k, w)
	case x.Frequency == Yearly:
		year := int(min(int64(x.year)+k*int64(x.Interval), lastYear+1))
		if year > lastYear {
			return -1
		}
		x.begin = int64(dayNumber(year, 1, 1)) * daySeconds
		w.spend(x.yearDays(year))
	case x.Frequency == Monthly:
		month := int(min(int64(x.month)+k*int64(x.Interval), (lastYear+1)*12))
		if month > lastYear*12+11 {
			return -1
		}
		first := dayNumber(month/12, month%12+1, 1)
		x.begin = int64(first) * daySeconds
		w.spend(1)
		if x.monthOK(month%12 + 1) {
			w.spend(x.monthDays(month/12, month%12+1))
		}
	default:
		x.begin = x.base + k*x.step
		if x.begin >= endOfTime() {
			return -1
		}
		first, n := int(floorDiv(x.begin, daySeconds)), 1
		if x.Frequency == Weekly {
			n = 7
		}
		for d := first; d < first+n; d++ {
			x.add(d)
		}
		w.spend(n)
	}
	x.times()
	return k
}

// yearDays finds the days of a year, and returns how many it looked at.
func (x *expansion) yearDays(year int) (looked int) {
	first, length := dayNumber(year, 1, 1), yearLength(year)
	switch {
	case len(x.ByYearDay) > 0:
		for _, n := range x.ByYearDay {
			if n < 0 {
				n += length + 1
			}
			if n >= 1 && n <= length {
				x.add(first + n - 1)
			}
		}
		slices.Sort(x.days)
		x.days = slices.Compact(x.days)
		return len(x.ByYearDay)
	case len(x.ByMonth) > 0:
		for _, m := range x.ByMonth {
			looked += x.monthDays(year, m)
		}
		return looked
	case len(x.ByMonthDay) > 0:
		for m := 1; m <= 12; m++ {
			looked += x.monthDays(year, m)
		}
		return looked
	}
	for d := first; d < first+length; d++ {
		x.add(d)
	}
	return length
}

// monthDays finds the days of a month, and returns how many it looked at.
func (x *expansion) monthDays(year, month int) int {
	first, length := dayNumber(year, month, 1), monthLength(year, month)
	if len(x.ByMonthDay) == 0 {
		for d := first; d < first+length; d++ {
			x.add(d)
		}
		return length
	}
	had := len(x.days)
	for _, n := range x.ByMonthDay {
		if n < 0 {
			n += length + 1
		}
		if n >= 1 && n <= length {
			x.add(first + n - 1)
		}
	}
	slices.Sort(x.days[had:])
	x.days = x.days[:had+len(slices.Compact(x.days[had:]))]
	return len(x.ByMonthDay)
}

// add takes a day in when all parts of the rule that are about days let it.
func (x *expansion) add(day int) {
	if x.dayOK(day) {
		x.days = append(x.days, day)
	}
}

func (x *expansion) monthOK(m int) bool { return len(x.ByMonth) == 0 || slices.Contains(x.ByMonth, m) }

// dayOK says whether the parts BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY and BYDAY let a day.
func (x *expansion) dayOK(day int) bool {
	if x.weekdays != 0 && len(x.ordinals) == 0 && x.weekdays&(1<<weekday(day)) == 0 {
		return false
	}
	if len(x.ByMonth)+len(x.ByMonthDay)+len(x.ByYearDay)+len(x.ByWeekNo)+len(x.ordinals) == 0 {
		return true
	}
	y, m, d := dateOf(day)
	if !x.monthOK(m) {
		return false
	}
	if len(x.ByMonthDay) > 0 && !slices.Contains(x.ByMonthDay, d) && !slices.Contains(x.ByMonthDay, d-monthLength(y, m)-1) {
		return false
	}
	if len(x.ByYearDay) > 0 {
		n := day - dayNumber(y, 1, 1) + 1
		if !slices.Contains(x.ByYearDay, n) && !slices.Contains(x.ByYearDay, n-yearLength(y)-1) {
			return false
		}
	}
	if len(x.ByWeekNo) > 0 && !x.weekOK(day, y) {
		return false
	}
	return len(x.ordinals) == 0 || x.ordinalOK(day, y, m, d)
}

// weekOK says whether BYWEEKNO lets a day. The weeks are those of ISO 8601, but begin on
// WKST. A day belongs to the period of its year on the calendar, its week to the year that
// has most of it.
func (x *expansion) weekOK(day, year int) bool {
	one, next := x.weekOne(year), x.weekOne(year+1)
	if day >= next {
		one, next = next, x.weekOne(year+2)
	} else if day < one {
		one, next = x.weekOne(year-1), one
	}
	n, weeks := (day-one)/7+1, (next-one)/7
	return slices.Contains(x.ByWeekNo, n) || slices.Contains(x.ByWeekNo, n-weeks-1)
}

// weekOne returns the first day of the first week of a year: the one that has January 4.
func (x *expansion) weekOne(year int) int {
	d := dayNumber(year, 1, 4)
	return d - floorMod(int(weekday(d))-int(x.WeekStart), 7)
}

// ordinalOK says whether BYDAY with numbers lets a day: they count in the month, or in the
// year for a yearly rule without BYMONTH.
func (x *expansion) ordinalOK(day, y, m, d int) bool {
	wd := weekday(day)
	if x.weekdays&(1<<wd) != 0 {
		return true
	}
	n, length := d, monthLength(y, m)
	if x.Frequency == Yearly && len(x.ByMonth) == 0 {
		n, length = day-dayNumber(y, 1, 1)+1, yearLength(y)
	}
	for _, o := range x.ordinals {
		if o.Weekday == wd && (o.N == (n-1)/7+1 || o.N == -((length-n)/7+1)) {
			return true
		}
	}
	return false
}
