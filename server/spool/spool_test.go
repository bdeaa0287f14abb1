package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/fault"
)

func TestDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		p := w.add(entry("m1", "bob@example.net", "carol@example.net", "dave@example.com", "local:erin@example.org"))
		same(t, "on disk after Add", w.queued(), "m1")
		synctest.Wait()
		same(t, "before Release", w.tried())
		p.Release()
		p.Release()
		synctest.Wait()
		same(t, "after Release", w.tried(),
			"+0s example.net: bob@example.net carol@example.net", "+0s example.com: dave@example.com", "+0s local: erin@example.org")
		same(t, "on disk at the end", w.queued())
		if w.Len() != 0 || len(w.reported()) != 0 || p.Drop() != nil {
			t.Error("something is left")
		}
		w.stop()
	})
}

func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		p := w.add(entry("m1", "bob@example.net"))
		if err := p.Drop(); err != nil || p.Drop() != nil {
			t.Error(err)
		}
		p.Release()
		synctest.Wait()
		same(t, "tried", w.tried())
		same(t, "on disk", w.queued())
		w.stop()
	})
}

// TestRestart: what was added and never released, and what waits, is tried after a
// restart, as if killed at any time.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.add(entry("m1", "bob@example.net")) // never released
		w.failWith(busy, "mx.example.net")
		w.add(entry("m2", "carol@example.net")).Release()
		synctest.Wait()
		same(t, "tried", w.tried(), "+0s example.net: carol@example.net")
		w.stop()

		time.Sleep(time.Minute)
		w.start()
		synctest.Wait()
		same(t, "after the restart", w.tried(), "+1m0s example.net: bob@example.net")
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		same(t, "at its time", w.tried(), "+5m0s example.net: carol@example.net")
		w.stop()
	})
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.failWith(busy, "mx.example.net")
		w.add(entry("m1", "bob@example.net", "local:erin@example.org")).Release()
		time.Sleep(14 * time.Hour)
		synctest.Wait()
		same(t, "14 hours", w.tried(),
			"+0s local: erin@example.org", "+1m0s local: erin@example.org", "+6m0s local: erin@example.org", "+21m0s local: erin@example.org",
			"+51m0s local: erin@example.org", "+1h51m0s local: erin@example.org", "+3h51m0s local: erin@example.org", "+4h0m0s local: erin@example.org",
			"+8h0m0s local: erin@example.org", "+12h0m0s local: erin@example.org",
			"+0s example.net: bob@example.net", "+5m0s example.net: bob@example.net", "+20m0s example.net: bob@example.net", "+50m0s example.net: bob@example.net",
			"+1h50m0s example.net: bob@example.net", "+3h50m0s example.net: bob@example.net", "+4h0m0s example.net: bob@example.net", "+8h0m0s example.net: bob@example.net", "+12h0m0s example.net: bob@example.net")
		if delays := w.reported(); len(delays) != 2 || !strings.Contains(delays[0].text, "Action: delayed\r\n") {
			t.Errorf("%+v", delays)
		}
		time.Sleep(5*24*time.Hour - 14*time.Hour - time.Second)
		synctest.Wait()
		w.tried()
		time.Sleep(time.Second)
		synctest.Wait()
		same(t, "the last time", w.tried(), "+120h0m0s example.net: bob@example.net", "+120h0m0s local: erin@example.org")
		same(t, "on disk", w.queued())
		reports := w.reported()
		if len(reports) != 2 || !strings.Contains(reports[0].text, "has now given up") || !strings.Contains(reports[0].text, "Status: 4.2.1\r\n") {
			t.Errorf("%+v", reports)
		}
		w.stop()
	})
}

func TestJitter(t *testing.T) {
	s := Schedule{}
	s.fill()
	now := time.Unix(1e9, 0)
	seen := make(map[time.Duration]bool)
	for range 1000 {
		d := s.next(2, false, now, now).Sub(now)
		if d < 15*time.Minute*9/10 || d > 15*time.Minute*11/10 {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Error("hardly any jitter")
	}
}

// TestSomeFail: each recipient has a fate of its own.
func TestSomeFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.setAnswer(func(it Item) []Result {
			res := make([]Result, len(it.Recipients))
			for i, r := range it.Recipients {
				switch r.ForwardPath.Local {
				case "busy":
					res[i] = Result{Fault: busy, Remote: "mx.example.net"}
				case "nobody":
					res[i] = Result{Fault: nobody, Remote: "mx.example.net"}
				}
			}
			return res
		})
		w.add(entry("m1", "a@example.net", "busy@example.net", "nobody@example.net", "b@example.com")).Release()
		synctest.Wait()
		same(t, "first", w.tried(), "+0s example.net: a@example.net busy@example.net nobody@example.net", "+0s example.com: b@example.com")
		reports := w.reported()
		if len(reports) != 1 || !strings.Contains(reports[0].text, "nobody@example.net") || strings.Contains(reports[0].text, "busy@example.net") {
			t.Fatalf("%+v", reports)
		}
		e := reports[0].env
		if !e.Sender.ReversePath.IsZero() || len(e.Recipients) != 1 || e.Recipients[0].ForwardPath.String() != "alice@example.org" || e.Recipients[0].Notify != envelope.NotifyNever {
			t.Errorf("%+v", e)
		}
		w.setAnswer(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		same(t, "then", w.tried(), "+5m0s example.net: busy@example.net")
		same(t, "on disk", w.queued())
		w.stop()
	})
}

func TestRetryListShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failWith(busy, "mx.example.net")
		w.start()
		w.add(entry("m1", "bob@example.net", "local:erin@example.org")).Release()
		time.Sleep(time.Second)
		w.add(entry("m2", "carol@example.net")).Release()
		time.Sleep(time.Second)
		synctest.Wait()
		w.tried()
		list := w.List()
		if len(list) != 2 || list[0].ID != "m1" || list[0].Size != int64(len(content)) || list[0].Sender.String() != "alice@example.org" {
			t.Fatalf("%+v", list)
		}
		bob := list[0].Recipients[0]
		if bob.Done || bob.Attempts != 1 || bob.State != Waiting || bob.Words != "mx.example.net answered: 450 4.2.1 Busy" || !bob.Next.Equal(w.began.Add(5*time.Minute)) || !bob.Tried.Equal(w.began) {
			t.Errorf("%+v", bob)
		}
		d, err := w.Show("m1")
		if err != nil || d.Subject != "Lunch" || d.Running || d.Envelope.ID != "m1" || len(d.Recipients) != 2 {
			t.Errorf("%+v, %v", d, err)
		}
		if err := w.Retry("m1", Match{}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		same(t, "retried", w.tried(), "+2s example.net: bob@example.net", "+2s local: erin@example.org")
		if n := w.RetryAll(); n != 2 {
			t.Error(n)
		}
		synctest.Wait()
		same(t, "all", w.tried(), "+2s example.net: bob@example.net", "+2s local: erin@example.org", "+2s example.net: carol@example.net")
		for _, id := range []string{"", "m3", "../m1"} {
			if _, err := w.Show(id); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", id, err)
			}
			if err := w.Retry(id, Match{}); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		w.stop()
	})
}

// TestDamaged: what can't be read is set aside, and kept.
func TestDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		for _, id := range []string{"m1", "m3", "m4", "m11"} {
			w.add(entry(id, "bob@example.net"))
		}
		w.stop()
		queue := filepath.Join(w.dir, "queue")
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(queue, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		one := string(read(t, filepath.Join(queue, "m1.one")))
		record := strings.TrimSuffix(one[len(content):strings.Index(one, footerWord)], "\n")
		write("m1.env", "{")
		write("m3.one", strings.Replace(string(read(t, filepath.Join(queue, "m3.one"))), `"version":1`, `"version":3`, 1))
		write("m6.new", "half")
		write("m10.env", record) // its message went first: it is done
		write("m11.one", one[:len(content)+5])
		w.start()
		synctest.Wait()
		same(t, "tried", w.tried(), "+0s example.net: bob@example.net")
		var left []string
		entries, _ := os.ReadDir(queue)
		for _, e := range entries {
			left = append(left, e.Name())
		}
		same(t, "left", left, "m1.bad", "m1.one", "m3.bad", "m11.bad")
		// Its id is not given again.
		if p := w.add(entry("m1", "bob@example.net")); p.ID() != "m1-1" {
			t.Error(p.ID())
		} else if err := p.Drop(); err != nil {
			t.Error(err)
		}
		// The same while it runs.
		w.failWith(busy, "mx.example.net")
		for _, id := range []string{"m7", "m8", "m9", "m13"} {
			w.add(entry(id, "bob@example.net")).Release()
		}
		synctest.Wait()
		w.tried()
		write("m7.env", "{")
		os.Remove(filepath.Join(queue, "m8.one"))
		os.Remove(filepath.Join(queue, "m9.env"))
		os.Remove(filepath.Join(queue, "m9.one"))
		os.Truncate(filepath.Join(queue, "m13.one"), int64(len(content)-1))
		time.Sleep(time.Second) // for the rate of the backlog
		w.RetryAll()
		synctest.Wait()
		same(t, "tried", w.tried())
		if n := w.Len(); n != 0 {
			t.Error(n, "entries are left")
		}
		for _, name := range []string{"m7.bad", "m7.one", "m8.bad", "m13.bad", "m13.one"} {
			read(t, filepath.Join(queue, name))
		}
		w.stop()
	})
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		var ids []string
		for range 3 {
			ids = append(ids, w.add(entry("m1", "bob@example.net")).ID())
		}
		same(t, "ids", ids, "m1", "m1-1", "m1-2")
		same(t, "on disk", w.queued(), "m1", "m1-1", "m1-2")
		w.stop()
	})
}

func TestAddRefuses(t *testing.T) {
	w := newWorld(t)
	w.start()
	defer w.stop()
	many := entry("m1", "bob@example.net")
	for range maxRecipients {
		many.Recipients = append(many.Recipients, many.Recipients[0])
	}
	for _, e := range []Entry{entry("m1"), entry("", "bob@example.net"), entry("../x", "bob@example.net"), entry(strings.Repeat("x", 65), "bob@example.net"), many} {
		d := w.draft()
		if _, err := w.Add(t.Context(), e, d); err == nil {
			t.Errorf("%q with %d recipients taken", e.Envelope.ID, len(e.Recipients))
		}
		d.Discard()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := w.draft()
	defer d.Discard()
	if _, err := w.Add(ctx, entry("m1", "bob@example.net"), d); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestConcurrency: the bounds hold, and one destination does not hold up another.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opts.Concurrency, w.opts.PerDestination = 5, 2
		w.start()
		var mu sync.Mutex
		running, most := make(map[address.Domain]int), make(map[address.Domain]int)
		total, mostTotal := 0, 0
		w.setAnswer(func(it Item) []Result {
			mu.Lock()
			running[it.Domain]++
			total++
			most[it.Domain], mostTotal = max(most[it.Domain], running[it.Domain]), max(mostTotal, total)
			mu.Unlock()
			time.Sleep(time.Minute)
			mu.Lock()
			running[it.Domain]--
			total--
			mu.Unlock()
			return make([]Result, len(it.Recipients))
		})
		for i := range 20 {
			w.add(entry(fmt.Sprintf("slow%d", i), "bob@slow.example")).Release()
		}
		for i := range 6 {
			w.add(entry(fmt.Sprintf("m%d", i), fmt.Sprintf("bob@d%d.example", i))).Release()
		}
		time.Sleep(150 * time.Second)
		synctest.Wait()
		if most["slow.example"] != 2 || mostTotal != 5 {
			t.Errorf("%d at once to one, %d at all", most["slow.example"], mostTotal)
		}
		others := 0
		for _, a := range w.tried() {
			if !strings.Contains(a, "slow") {
				others++
			}
		}
		if others != 6 {
			t.Errorf("%d of 6 others tried", others)
		}
		o := w.opts
		o.Concurrency, o.PerDestination = 20, 20
		w.Apply(o)
		synctest.Wait()
		if most["slow.example"] < 10 {
			t.Error("Apply had no effect:", most)
		}
		time.Sleep(2 * time.Minute)
		w.stop()
		same(t, "on disk", w.queued())
	})
}

// TestManyRecipients of one domain are tried in parts.
func TestManyRecipients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		var to []string
		for i := range 250 {
			to = append(to, fmt.Sprintf("u%d@example.net", i))
		}
		n := make(chan int, 10)
		w.setAnswer(func(it Item) []Result {
			n <- len(it.Recipients)
			return nil // a faulty Attempter: as if all had failed for the moment
		})
		w.add(entry("m1", to...)).Release()
		synctest.Wait()
		if a, b, c := <-n, <-n, <-n; a != 100 || b != 100 || c != 50 {
			t.Error(a, b, c)
		}
		if list := w.List(); len(list) != 1 || list[0].Recipients[249].Attempts != 1 || list[0].Recipients[249].Done {
			t.Errorf("%+v", list)
		}
		w.stop()
	})
}

// TestClose breaks off what does not end: it counts as not made, but what is done is
// done.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.setAnswer(func(it Item) []Result {
			<-w.ctx.Done()
			return []Result{{Fault: busy}, {}}
		})
		w.add(entry("m1", "bob@example.net", "carol@example.net")).Release()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.Close(ctx)
		if time.Since(w.began) != 10*time.Second {
			t.Error("closed after", time.Since(w.began))
		}
		w.tried()
		w.setAnswer(nil)
		w.start()
		synctest.Wait()
		same(t, "after the restart", w.tried(), "+10s example.net: bob@example.net")
		w.stop()
	})
}

func TestOpenErrors(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "queue"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.opts); err == nil {
		t.Error("opened a file")
	}
	w.opts.Dir = t.TempDir()
	tmp := filepath.Join(w.opts.Dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "message-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.dir = w.opts.Dir
	w.start()
	if _, err := os.Stat(filepath.Join(tmp, "message-1")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("not swept:", err)
	}
	w.stop()
}
