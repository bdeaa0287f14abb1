package ical

import "slices"

// fillClock is fill for rules by the hour, minute and second. It leaps over days, hours
// and minutes that a part of the rule does not let.
func (x *expansion) fillClock(k int64, w *work) int64 {
	for {
		t := x.base + k*x.step
		if t > x.until || !w.spend(1) {
			return -1
		}
		next := x.leap(t)
		if next == t {
			x.begin = t
			x.clockTimes(t)
			if len(x.found) > 0 {
				return k
			}
			k++
			continue
		}
		// The first period that begins at next or later: -floor(-a/b) is the ceiling.
		k = max(k+1, -floorDiv(x.base-next, x.step))
	}
}

// leap returns t when the parts that are longer than a period let it, else a later time,
// before which there is nothing.
func (x *expansion) leap(t int64) int64 {
	day := int(floorDiv(t, daySeconds))
	if day != x.checked {
		x.checked, x.checkedOK = day, x.dayOK(day)
	}
	if !x.checkedOK {
		if y, m, _ := dateOf(day); !x.monthOK(m) {
			return int64(dayNumber(y, m+1, 1)) * daySeconds
		}
		return int64(day+1) * daySeconds
	}
	clock := int(t - int64(day)*daySeconds)
	if len(x.ByHour) > 0 && !slices.Contains(x.ByHour, clock/3600) {
		return int64(day)*daySeconds + int64(after(x.ByHour, clock/3600, 24))*3600
	}
	if x.Frequency <= Minutely && len(x.ByMinute) > 0 && !slices.Contains(x.ByMinute, clock/60%60) {
		hour := t - int64(clock%3600)
		return hour + int64(after(x.ByMinute, clock/60%60, 60))*60
	}
	if x.Frequency == Secondly && len(x.BySecond) > 0 && !slices.Contains(x.BySecond, clock%60) {
		minute := t - int64(clock%60)
		return minute + int64(after(x.BySecond, clock%60, 60))
	}
	return t
}

// after returns the first of a sorted list that is greater, or else end.
func after(list []int, n, end int) int {
	for _, v := range list {
		if v > n {
			return v
		}
	}
	return end
}

// clockTimes makes the times of an hour, a minute or a second.
func (x *expansion) clockTimes(t int64) {
	one := []int{0}
	minutes, seconds := one, one
	if x.Frequency == Hourly {
		minutes = x.ByMinute
	}
	if x.Frequency >= Minutely {
		seconds = x.BySecond
	}
	for _, m := range minutes {
		for _, s := range seconds {
			x.found = append(x.found, t+int64(m*60+s))
		}
	}
	if len(x.BySetPos) == 0 {
		return
	}
	size := len(x.found)
	var chosen []int64
	for _, p := range x.BySetPos {
		if p < 0 {
			p += size + 1
		}
		if p >= 1 && p <= size {
			chosen = append(chosen, x.found[p-1])
		}
	}
	slices.Sort(chosen)
	x.found = append(x.found[:0], slices.Compact(chosen)...)
}
