// Package trace keeps what happened to each message, for `facteur trace`: that it
// came in and from whom, which scripts ran and the lines that decided, where it was
// filed, and how it left.
//
// One event is a line of JSON (Event), in the folder trace: a file a day (UTC), of
// mode 0600. One goroutine appends; events wait for it in a bounded queue, are written
// within a second, and never synced: they are no promise to anybody. Nobody waits for
// them: what does not fit into the queue, or on the disk, is dropped and counted in the log.
//
// The files go after a time (Options.Keep), and the oldest go earlier when all together are
// larger than a bound. A day has a bound too: beyond half of it what was refused before
// it was a message is not noted any more (a flood of spam has mostly those), beyond all
// of it nothing is.
//
// What is in it is about people: addresses, the client, the Message-ID (it is what
// their mail program shows and others quote), names of folders. Neither the subject nor
// anything else that was written is, except what a script chose to say in the text of an action.
//
// Reading (Find) needs no server: it reads the files from their ends.
package trace

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"facteur/server/hook"
)

// Limits bound what is kept.
type Limits struct {
	Queue int   // events that wait to be written
	Day   int64 // octets of the file of a day
	Total int64 // octets of all files
}

// defaultLimits are those of a server.
var defaultLimits = Limits{Queue: 4096, Day: 1 << 30, Total: 4 << 30}

// behind is how long an event may wait until it is in the file.
const behind = time.Second

// Options of a Log.
type Options struct {
	Dir    string
	Log    *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
	Keep   time.Duration    // how long files are kept
	Limits Limits           // zero: the defaults
	// Ran is told of the scripts of each stage that ran. It must not block. May be nil.
	Ran func(Run, hook.Result)
}

// Log writes traces. A nil Log takes events and drops them. It may be used by any
// number of goroutines.
type Log struct {
	dir    string
	log    *slog.Logger
	now    func() time.Time
	limits Limits
	keep   atomic.Int64
	ran    func(Run, hook.Result)

	queue   chan Event
	flush   chan chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	dropped atomic.Int64

	// Of the goroutine that writes:
	day    string
	file   *os.File
	out    *bufio.Writer
	size   int64 // of the file
	failed bool  // the last write: it is told once
}

// Open begins to write. Close ends it.
func Open(o Options) (*Log, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limits == (Limits{}) {
		o.Limits = defaultLimits
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	l := &Log{
		dir: o.Dir, log: o.Log, now: o.Now, limits: o.Limits, ran: o.Ran, queue: make(chan Event, o.Limits.Queue),
		flush: make(chan chan struct{}), closing: make(chan struct{}), done: make(chan struct{}),
	}
	l.Apply(o.Keep)
	go l.serve()
	return l, nil
}

// Apply changes how long files are kept.
func (l *Log) Apply(keep time.Duration) { l.keep.Store(int64(keep)) }

// Note notes an event, without waiting. At is set when it is zero.
func (l *Log) Note(e Event) {
	if l == nil {
		return
	}
	if e.At.IsZero() {
		e.At = l.now()
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	select {
	case l.queue <- e:
	default:
		l.dropped.Add(1)
	}
}

// Flush returns once what was noted before is in the file.
func (l *Log) Flush() {
	if l == nil {
		return
	}
	written := make(chan struct{})
	select {
	case l.flush <- written:
		<-written
	case <-l.done:
	}
}

// Close writes what waits, and ends the Log. What is noted later is dropped.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.once.Do(func() { close(l.closing) })
	<-l.done
}

// serve writes until the Log is closed.
func (l *Log) serve() {
	defer close(l.done)
	l.tidy()
	tick := time.NewTicker(behind)
	defer tick.Stop()
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		select {
		case e := <-l.queue:
			l.write(e)
		case written := <-l.flush:
			l.drain()
			close(written)
		case <-tick.C:
			l.end()
		case <-hourly.C:
			l.tidy()
		case <-l.closing:
			l.drain()
			l.shut()
			return
		}
	}
}

// drain writes all that waits.
func (l *Log) drain() {
	for {
		select {
		case e := <-l.queue:
			l.write(e)
		default:
			l.end()
			return
		}
	}
}

// write writes one event into the file of its day.
func (l *Log) write(e Event) {
	e.bound()
	line, err := json.Marshal(e)
	if err == nil {
		err = l.open(l.now().UTC().Format(time.DateOnly))
	}
	if err != nil {
		l.fail(err)
		return
	}
	room := l.limits.Day
	if e.ID == "" {
		room /= 2
	}
	if l.size+int64(len(line))+1 > room {
		l.dropped.Add(1)
		return
	}
	if _, err := l.out.Write(append(line, '\n')); err != nil {
		l.fail(err)
		return
	}
	l.size += int64(len(line)) + 1
}

// fail takes note that an event is lost.
func (l *Log) fail(err error) {
	l.dropped.Add(1)
	if !l.failed {
		l.log.Error("trace.failed", "error", err, "result", "what happens to messages is not noted")
	}
	l.failed = true
	if l.file != nil {
		l.file.Close()
		l.file, l.day = nil, ""
	}
}

// end brings what was written into the file, and tells what was dropped.
func (l *Log) end() {
	if l.file != nil {
		if err := l.out.Flush(); err != nil {
			l.fail(err)
		} else {
			l.failed = false
		}
	}
	if n := l.dropped.Swap(0); n > 0 {
		l.log.Warn("trace.dropped", "events", n)
	}
}

// shut closes the file.
func (l *Log) shut() {
	if l.file != nil {
		l.file.Close()
		l.file, l.day = nil, ""
	}
}

// extension is that of the files.
const extension = ".jsonl"

// open opens the file of a day.
func (l *Log) open(day string) error {
	if l.file != nil && l.day == day {
		return nil
	}
	if l.file != nil {
		l.end()
		l.shut()
		l.tidy()
	}
	f, err := os.OpenFile(filepath.Join(l.dir, day+extension), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.day, l.size, l.out = f, day, info.Size(), bufio.NewWriterSize(f, 64<<10)
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, l.size-1); err == nil && last[0] != '\n' { // a crash cut its last line
		l.out.WriteByte('\n')
		l.size++
	}
	return nil
}

// tidy removes the files that are too old, and the oldest while all are too large.
func (l *Log) tidy() {
	days, err := listDays(l.dir)
	if err != nil {
		l.log.Error("trace.tidy", "error", err)
		return
	}
	sizes := make([]int64, len(days))
	var total int64
	for i, d := range days {
		if info, err := os.Stat(filepath.Join(l.dir, d+extension)); err == nil {
			sizes[i] = info.Size()
			total += sizes[i]
		}
	}
	keep := time.Duration(l.keep.Load())
	for i := len(days) - 1; i >= 0; i-- { // the oldest first
		end, _ := time.Parse(time.DateOnly, days[i])
		old := l.now().Sub(end.AddDate(0, 0, 1)) >= keep
		if !old && total <= l.limits.Total || days[i] == l.day {
			break
		}
		if err := os.Remove(filepath.Join(l.dir, days[i]+extension)); err != nil {
			l.log.Error("trace.tidy", "error", err)
		}
		total -= sizes[i]
		if !old {
			l.log.Warn("trace.removed", "day", days[i], "reason", "all traces together are too large")
		}
	}
}

// listDays lists the days that have a file, the newest first.
func listDays(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var days []string
	for _, e := range entries {
		day, ok := strings.CutSuffix(e.Name(), extension)
		if _, err := time.Parse(time.DateOnly, day); ok && err == nil {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	slices.Reverse(days)
	return days, nil
}
