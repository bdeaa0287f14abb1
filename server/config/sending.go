package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sending is [limits.sending]: how many recipients our own users may write to.
type Sending struct {
	Account []Window // of each account, the shortest first; none: no limit
	Client  []Window // of each client
	// Night is the part of each day in which the limits are divided by NightDivide,
	// as times since midnight; the two are the same where there is none.
	NightFrom, NightTo time.Duration
	NightDivide        int
	WeekendDivide      int // on Saturday and Sunday, nights excepted
}

// Window is the recipients in any period of a length.
type Window struct {
	Period       time.Duration
	Warn, Refuse int
}

const (
	maxWindows = 4
	minPeriod  = time.Second
	maxPeriod  = 31 * day
	windowHint = `write "1h" = [200, 400]`
	clockHint  = `write "20:00"`
)

// The defaults, where the file says nothing.
var (
	defaultAccountWindows = [maxWindows]Window{{time.Minute, 50, 100}, {10 * time.Minute, 100, 200}, {time.Hour, 200, 400}, {10 * time.Hour, 500, 1000}}
	defaultClientWindows  = [maxWindows]Window{{time.Minute, 50, 100}, {10 * time.Minute, 100, 200}, {time.Hour, 300, 600}, {10 * time.Hour, 600, 1000}}
)

const (
	defaultNightFrom     = 20 * time.Hour
	defaultNightTo       = 7 * time.Hour
	defaultNightDivide   = 4
	defaultWeekendDivide = 2
)

// windowForm is [warn, refuse]; that there are two is seen to by windows.
var windowForm = &form{is: "two numbers in brackets, [warn, refuse]", kind: list, of: numberBetween(1, 100_000_000)}

// periodForm is the name of a window.
var periodForm = texts(`a duration such as "10m"`, func(s, _ string) (any, error) {
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		return nil, hinted{err.Error(), windowHint}
	case d < minPeriod || d > maxPeriod || d%time.Second != 0:
		return nil, hinted{fmt.Sprintf("%q is no window: it must be whole seconds, and 31 days at most", s), windowHint}
	}
	return d, nil
})

var clockForm = texts(`a time of day in quotes such as "20:00"`, func(s, _ string) (any, error) {
	at, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return nil, hinted{fmt.Sprintf("%q is no time of day", s), clockHint}
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
})

// factorForm is a number that multiplies.
var factorForm = &form{is: "a number such as 2 or 0.5", kind: integer, also: float, read: func(n *node, _ string) (any, error) {
	digits := strings.ReplaceAll(n.text, "_", "")
	f, err := strconv.ParseFloat(digits, 64)
	if i, notInt := strconv.ParseInt(digits, 0, 64); notInt == nil { // 0x10
		f, err = float64(i), nil
	}
	if err != nil || !(f >= 0.01 && f <= 1_000_000) {
		return nil, errors.New("this must be a number between 0.01 and 1000000")
	}
	return f, nil
}}

func (a *assembler) sending() Sending {
	in := func(name ...string) []string { return append([]string{"limits", "sending"}, name...) }
	s := Sending{
		Account:       a.windows(defaultAccountWindows[:], in("account")...),
		Client:        a.windows(defaultClientWindows[:], in("client")...),
		NightFrom:     or(a.root, defaultNightFrom, in("night", "from")...),
		NightTo:       or(a.root, defaultNightTo, in("night", "to")...),
		NightDivide:   or(a.root, defaultNightDivide, in("night", "divide")...),
		WeekendDivide: or(a.root, defaultWeekendDivide, in("weekend", "divide")...),
	}
	if n := a.root.get(in("night", "to")...); n != nil && n.value != nil && s.NightFrom == s.NightTo {
		a.report.add(n.valueAt, "the night ends when it begins", `write divide = 1 for no night, or another time`)
	}
	return s
}

// windows returns those of a table, the shortest first.
func (a *assembler) windows(standard []Window, path ...string) []Window {
	in := a.root.get(path...)
	if in == nil || in.kind != table {
		return slices.Clone(standard)
	}
	var made []Window
	for _, n := range in.children {
		period, ok := n.key.(time.Duration)
		if !ok || n.again || n.kind != list {
			continue
		}
		w := Window{Period: period}
		if !a.limits(n, &w) {
			continue
		}
		if slices.ContainsFunc(made, func(other Window) bool { return other.Period == period }) {
			a.report.add(n.keyAt, quoted(n.name)+" is there twice, in other words", "take one of the two out")
			continue
		}
		made = append(made, w)
	}
	if len(in.children) > maxWindows {
		a.report.add(in.children[maxWindows].keyAt, fmt.Sprintf("there are more than %d windows", maxWindows), "take out those that matter least")
	}
	slices.SortFunc(made, func(x, y Window) int { return cmp.Compare(x.Period, y.Period) })
	return made
}

// limits reads [warn, refuse].
func (a *assembler) limits(n *node, w *Window) bool {
	if len(n.elements) != 2 {
		a.report.add(n.valueAt, fmt.Sprintf("%s must be two numbers, [warn, refuse], not %d", quoted(n.name), len(n.elements)), windowHint)
		return false
	}
	warn, ok := n.elements[0].value.(int)
	refuse, too := n.elements[1].value.(int)
	if !ok || !too {
		return false // told already
	}
	if warn > refuse {
		a.report.add(n.elements[0].valueAt, fmt.Sprintf("%s: the first number, from which mail is held, is above the second, from which it is refused", quoted(n.name)),
			fmt.Sprintf("write [%d, %d]", refuse, warn))
		return false
	}
	w.Warn, w.Refuse = warn, refuse
	return true
}
