package ical

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// task is a rule to expand, as testdata/expand.py reads it.
type task struct {
	Rule  string `json:"rule"`
	Start string `json:"start"`
	Count int    `json:"count"`
	Year  int    `json:"year"` // the last one to look at
	Max   int    `json:"max"`
}

// dice make random rules. They leave out what dateutil is known to do other than the RFC
// says; each such place has its reason.
type dice struct{ *rand.Rand }

func (d dice) one(percent int) bool { return d.IntN(100) < percent }

// some returns up to n different numbers.
func (d dice) some(n, low, top int, negative bool) []int {
	var list []int
	for range 1 + d.IntN(n) {
		v := low + d.IntN(top-low+1)
		if negative && d.one(30) {
			v = -v
		}
		list = append(list, v)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (d dice) task() task {
	r := &Rule{Frequency: Frequency(d.IntN(7)), Interval: 1, WeekStart: time.Monday}
	if d.one(50) {
		r.Interval = 1 + d.IntN([]int{500, 200, 60, 40, 8, 14, 5}[r.Frequency])
	}
	if d.one(30) {
		r.WeekStart = time.Weekday(d.IntN(7))
	}
	d.dayParts(r)
	d.clockParts(r)
	start := int64(dayNumber(1990+d.IntN(50), 1+d.IntN(12), 1+d.IntN(31))) * daySeconds
	if d.one(80) {
		start += int64(d.IntN(daySeconds))
	}
	if len(r.ByDay)+len(r.ByMonthDay)+len(r.ByYearDay)+len(r.ByHour)+len(r.ByMinute)+len(r.BySecond) > 0 && d.one(25) {
		r.BySetPos = d.some(3, 1, []int{1, 2, 6, 6, 6, 6, 6}[r.Frequency], true)
		if r.Frequency == Weekly {
			// dateutil's first week begins with DTSTART, so BYSETPOS counts from there; in the
			// RFC it counts in the whole week. They agree where the week begins with DTSTART.
			r.WeekStart = weekday(int(floorDiv(start, daySeconds)))
		}
	}
	switch years := []int{0, 0, 1, 6, 12, 30, 90}[r.Frequency]; {
	case d.one(25):
		r.Count = 1 + d.IntN(40)
	case d.one(25):
		until := start + d.Int64N(int64(years+1)*365*daySeconds)
		r.Until = &Value{wall: until, date: d.one(20) && until%daySeconds == 0}
	}
	last := wallTime(start).Year() + []int{1, 1, 2, 12, 24, 60, 120}[r.Frequency]
	return task{r.String(), wallTime(start).Format(timeForm), r.Count, last, 60}
}

// dayParts adds parts about days, those that RFC 5545 3.3.10 has for the frequency:
// what it has not dateutil takes as it likes.
func (d dice) dayParts(r *Rule) {
	if d.one(25) {
		r.ByMonth = d.some(4, 1, 12, false)
	}
	if d.one(25) && r.Frequency != Weekly {
		r.ByMonthDay = d.some(5, 1, 31, true)
	}
	if d.one(15) && (r.Frequency == Yearly || r.Frequency < Daily) {
		r.ByYearDay = d.some(6, 1, 366, true)
	}
	if d.one(35) {
		// BYDAY=MO,2TU is a union; dateutil takes what is in both. So they are not mixed.
		numbered := r.Frequency >= Monthly && d.one(60)
		for _, w := range d.some(4, 0, 6, false) {
			day := Day{Weekday: time.Weekday(w)}
			if numbered {
				if day.N = 1 + d.IntN(5); r.Frequency == Yearly && len(r.ByMonth) == 0 {
					day.N = 1 + d.IntN(53)
				}
				if d.one(40) {
					day.N = -day.N
				}
			}
			r.ByDay = append(r.ByDay, day)
		}
	}
	// Of BYWEEKNO without BYDAY dateutil takes all days of the week, the RFC that of DTSTART.
	// For -53 and -52 it forgets the days of December that are in the next year's first week.
	if r.Frequency == Yearly && d.one(20) {
		r.ByWeekNo = d.some(5, 1, 53, true)
		r.ByWeekNo = slices.DeleteFunc(r.ByWeekNo, func(n int) bool { return n < -51 })
		if len(r.ByDay) == 0 || r.ByDay[0].N != 0 {
			r.ByDay = []Day{{Weekday: time.Weekday(d.IntN(7))}}
		}
	}
}

func (d dice) clockParts(r *Rule) {
	one := 20
	if r.Frequency < Hourly {
		one = 10
	}
	if d.one(one) {
		r.ByHour = d.some(4, 0, 23, false)
	}
	if d.one(one) {
		r.ByMinute = d.some(4, 0, 59, false)
	}
	if d.one(20) {
		r.BySecond = d.some(4, 0, 59, false)
	}
}

// expand expands a rule with the package.
func (tk task) expand(t *testing.T) []int64 {
	t.Helper()
	r, err := ParseRule(tk.Rule)
	if err != nil {
		t.Fatalf("%s: %v", tk.Rule, err)
	}
	start, err := parseValue(tk.Start, nil)
	if err != nil {
		t.Fatal(err)
	}
	var walls []int64
	w := work{left: math.MaxInt32}
	end := int64(dayNumber(tk.Year+1, 1, 1))*daySeconds - 1
	for wall := range r.walls(start.wall, start.wall, min(end, r.untilWall(nil)), &w) {
		if walls = append(walls, wall); len(walls) == tk.Max {
			break
		}
	}
	return walls
}

// needDateutil skips the test without Debian's python3-dateutil; with E2E_REQUIRE=all it
// fails.
func needDateutil(t *testing.T) {
	t.Helper()
	if exec.Command(systemPython, "-c", "import dateutil").Run() == nil {
		return
	}
	if os.Getenv("E2E_REQUIRE") == "all" {
		t.Fatal("python3-dateutil is not installed")
	}
	t.Skip("python3-dateutil is not installed")
}

const systemPython = "/usr/bin/python3" // Debian's modules are its

// askDateutil expands what is asked with the script.
func askDateutil[T any](t *testing.T, tasks []T) [][]string {
	t.Helper()
	var in bytes.Buffer
	for _, tk := range tasks {
		if err := json.NewEncoder(&in).Encode(tk); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(systemPython, filepath.Join("testdata", "expand.py"))
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]string
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var times []string
		if err := json.Unmarshal(lines.Bytes(), &times); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, times)
	}
	if len(answers) != len(tasks) {
		t.Fatalf("%d answers to %d questions", len(answers), len(tasks))
	}
	return answers
}

// rulesToTry is how many rules are compared: ICAL_RULES=10000 takes half a minute.
func rulesToTry(t *testing.T) int {
	text := os.Getenv("ICAL_RULES")
	if text == "" && testing.Short() {
		return 200
	}
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDateutil wants of random rules what a second implementation finds.
func TestDateutil(t *testing.T) {
	needDateutil(t)
	t.Parallel()
	rules := rulesToTry(t)
	d := dice{rand.New(rand.NewPCG(5545, 3310))}
	var tasks []task
	for range rules {
		tasks = append(tasks, d.task())
	}
	instances, different, cut := 0, 0, 0
	for i, want := range askDateutil(t, tasks) {
		tk := tasks[i]
		var got []string
		for _, wall := range tk.expand(t) {
			got = append(got, wallTime(wall).Format(timeForm))
		}
		if n := len(want) - 1; want[n] == "..." {
			cut++
			want, got = want[:n], got[:min(n, len(got))]
		}
		instances += len(want)
		if !slices.Equal(got, want) {
			if different++; different <= 20 {
				t.Errorf("DTSTART:%s RRULE:%s\n got %s\nwant %s", tk.Start, tk.Rule, shorten(got), shorten(want))
			}
		}
	}
	t.Logf("%d rules, %d instances, %d rules differ; for %d dateutil took too long", rules, instances, different, cut)
	if instances < 10*rules || cut > rules/20 {
		t.Error("the rules have too few instances to say anything")
	}
}

// setTask is an event with several rules and dates, in a zone.
type setTask struct {
	Zone   string   `json:"zone"`
	Start  string   `json:"start"`
	Rules  []string `json:"rules"`
	Counts []int    `json:"counts"`
	Dates  []string `json:"dates"`
	Except []string `json:"except"`
	Year   int      `json:"year"`
	Max    int      `json:"max"`
}

// maxOfSet is how many instances of a set are compared.
const maxOfSet = 60

// set makes an event of rules of like frequency. EXDATE names instances, and others.
func (d dice) set(t *testing.T, zones []string) setTask {
	first := d.task()
	s := setTask{Zone: zones[d.IntN(len(zones))], Start: first.Start, Year: first.Year, Max: maxOfSet + 20}
	s.Dates = []string{s.Start}
	for _, tk := range []task{first, first}[:1+d.IntN(2)] {
		if len(s.Rules) > 0 {
			// The second is the first with another interval.
			r, err := ParseRule(tk.Rule)
			if err != nil {
				t.Fatal(err)
			}
			r.Interval += d.IntN(5)
			tk.Rule = r.String()
		}
		s.Rules, s.Counts = append(s.Rules, tk.Rule), append(s.Counts, tk.Count)
		walls := tk.expand(t)
		for range d.IntN(4) {
			wall := walls[d.IntN(len(walls))]
			s.Except = append(s.Except, wallTime(wall).Format(timeForm))
			s.Dates = append(s.Dates, wallTime(wall+d.Int64N(3*daySeconds)).Format(timeForm))
		}
	}
	return s
}

// text is the event, in iCalendar.
func (s setTask) text() string {
	lines := []string{"DTSTART;TZID=" + s.Zone + ":" + s.Start, "DURATION:PT1M"}
	for _, r := range s.Rules {
		lines = append(lines, "RRULE:"+r)
	}
	for _, date := range s.Dates[1:] {
		lines = append(lines, "RDATE;TZID="+s.Zone+":"+date)
	}
	for _, date := range s.Except {
		lines = append(lines, "EXDATE;TZID="+s.Zone+":"+date)
	}
	return event(lines...)
}

// TestDateutilSets wants the same of events with several rules, RDATE and EXDATE, in zones
// with changes of the clock; some describe their zone themselves.
func TestDateutilSets(t *testing.T) {
	needDateutil(t)
	t.Parallel()
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "UTC"}
	d := dice{rand.New(rand.NewPCG(38, 5))}
	var tasks []setTask
	for range rulesToTry(t) / 5 {
		tasks = append(tasks, d.set(t, zones))
	}
	instances, compared := 0, 0
	for i, want := range askDateutil(t, tasks) {
		tk := tasks[i]
		if n := len(want); n > 0 && want[n-1] == "..." {
			continue
		}
		text := tk.text()
		if tk.Zone == "Europe/Berlin" && tk.Start > "1997" {
			text = strings.ReplaceAll(berlinZone, "Custom", tk.Zone) + text
		}
		end := time.Date(tk.Year+1, 1, 1, 0, 0, 0, 0, LoadZone(tk.Zone))
		list, _, err := object(t, text).Instances(time.Time{}, end, nil, maxOfSet)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range list {
			got = append(got, i.Start.UTC().Format(timeForm))
		}
		want = slices.DeleteFunc(want, func(s string) bool { return s >= end.UTC().Format(timeForm) })
		want = want[:min(len(want), maxOfSet)]
		compared++
		instances += len(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %s\nwant %s", text, shorten(got), shorten(want))
		}
	}
	t.Logf("%d events, %d instances", compared, instances)
	if n := len(tasks); compared < n*9/10 || instances < n*10 {
		t.Error("the events have too few instances to say anything")
	}
}

func shorten(times []string) string {
	return fmt.Sprintf("%d: %s", len(times), strings.Join(times[:min(len(times), 12)], " "))
}

// TestSkip wants that an expansion which begins late finds what one from the start does.
func TestSkip(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for range 3000 {
		tk := d.task()
		all := tk.expand(t)
		if len(all) < 2 {
			continue
		}
		r, err := ParseRule(tk.Rule)
		if err != nil {
			t.Fatal(err)
		}
		i := d.IntN(len(all))
		from := all[i] - d.Int64N(3)
		for i > 0 && all[i-1] >= from {
			i--
		}
		w := work{left: math.MaxInt32}
		var got []int64
		for wall := range r.walls(all[0], from, min(all[len(all)-1], r.untilWall(nil)), &w) {
			got = append(got, wall)
		}
		if !slices.Equal(got, all[i:]) {
			t.Errorf("DTSTART:%s RRULE:%s from %s: %d instances, want %d", tk.Start, tk.Rule, wallTime(from), len(got), len(all)-i)
		}
	}
}
