package imapd

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"facteur/server/imapwire"
)

// believer is a client that believes what it is told, and nothing else: at the
// end it has to know what is there.
type believer struct {
	*rawConn
	rng   *rand.Rand
	known []belief // by message number
	tag   int
	log   []string
}

type belief struct {
	uid   string // "": not told yet
	flags string // sorted; "?": not told yet
}

var (
	numbered = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)$`)
	uidItem  = regexp.MustCompile(`UID (\d+)`)
	flagItem = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

// sorted returns flags in order, without \Recent.
func sorted(flags string) string {
	list := slices.DeleteFunc(strings.Fields(flags), func(f string) bool { return f == flagRecent })
	slices.Sort(list)
	return strings.Join(list, " ")
}

// run sends a command and believes the answer.
func (b *believer) run(command string) (last string) {
	b.tag++
	tag := fmt.Sprint("t", b.tag)
	b.log = append(b.log, "C: "+command)
	b.send("%s %s\r\n", tag, command)
	for {
		line, err := b.r.ReadString('\n')
		line = strings.TrimSuffix(line, "\r\n")
		b.log = append(b.log, "S: "+line)
		if err != nil {
			b.fail("%v", err)
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return rest
		}
		b.believe(command, line)
	}
}

func (b *believer) fail(format string, args ...any) {
	b.t.Helper()
	b.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(b.log[max(0, len(b.log)-30):], "\n"))
}

func (b *believer) believe(command, line string) {
	if set, ok := strings.CutPrefix(line, "* VANISHED "); ok {
		b.vanish(command, set)
		return
	}
	m := numbered.FindStringSubmatch(line)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		b.fail("%v", err)
	}
	switch m[2] {
	case "EXISTS":
		if n < len(b.known) {
			b.fail("EXISTS %d of %d", n, len(b.known))
		}
		for len(b.known) < n {
			b.known = append(b.known, belief{flags: "?"})
		}
	case "EXPUNGE":
		b.mayLose(command)
		if n < 1 || n > len(b.known) {
			b.fail("EXPUNGE %d of %d", n, len(b.known))
		}
		b.known = slices.Delete(b.known, n-1, n)
	case "FETCH":
		if n < 1 || n > len(b.known) {
			b.fail("FETCH %d of %d", n, len(b.known))
		}
		k := &b.known[n-1]
		if u := uidItem.FindStringSubmatch(m[3]); u != nil {
			if k.uid != "" && k.uid != u[1] {
				b.fail("message %d was UID %s and is now %s", n, k.uid, u[1])
			}
			k.uid = u[1]
		}
		if f := flagItem.FindStringSubmatch(m[3]); f != nil {
			k.flags = sorted(f[1])
		}
	}
}

// mayLose checks that message numbers may change now (RFC 9051 7.5.1).
func (b *believer) mayLose(command string) {
	for _, verb := range []string{"FETCH", "STORE", "SEARCH"} {
		if strings.HasPrefix(command, verb) {
			b.fail("numbers changed in %s", command)
		}
	}
}

func (b *believer) vanish(command, set string) {
	b.mayLose(command)
	var uids imapwire.NumSet
	if !decodeAll(set, func(d *imapwire.Decoder) { uids = d.NumSet() }) {
		b.fail("%s is no set", set)
	}
	for _, r := range uids {
		for uid := r.Start; uid <= r.Stop; uid++ {
			i := b.place(uid)
			if i < 0 {
				b.fail("%d vanished, and was not there", uid)
			}
			b.known = slices.Delete(b.known, i, i+1)
		}
	}
}

// place finds the message with a UID: that of some was not told yet, but they
// ascend.
func (b *believer) place(uid uint32) int {
	for i, k := range b.known {
		if k.uid == "" {
			next := slices.IndexFunc(b.known[i:], func(k belief) bool { return k.uid != "" })
			if next < 0 || b.number(i+next) > uid {
				return i
			}
		} else if b.number(i) == uid {
			return i
		}
	}
	return -1
}

func (b *believer) number(i int) uint32 {
	n, err := strconv.ParseUint(b.known[i].uid, 10, 32)
	if err != nil {
		b.fail("%v", err)
	}
	return uint32(n)
}

// step does something.
func (b *believer) step() {
	flag := []string{`\Seen`, `\Flagged`, `\Answered`, `work`, `home`}[b.rng.IntN(5)]
	if len(b.known) < 5 {
		b.run("APPEND INBOX {8+}\r\nx: abcde")
		b.learn()
		return
	}
	n := b.rng.IntN(len(b.known)) + 1
	to := min(n+b.rng.IntN(3), len(b.known))
	switch b.rng.IntN(14) {
	case 0, 1:
		b.run("APPEND INBOX (" + flag + ") {8+}\r\nx: abcde")
	case 2, 3:
		b.run(fmt.Sprintf("STORE %d:%d +FLAGS (%s)", n, to, flag))
	case 4:
		b.run(fmt.Sprintf("STORE %d:%d -FLAGS (%s)", n, to, flag))
	case 5, 6:
		b.silent(n, flag)
	case 7:
		b.run(fmt.Sprintf("STORE %d +FLAGS (\\Deleted)", n))
	case 8:
		b.run("EXPUNGE")
	case 9:
		b.run(fmt.Sprintf("FETCH %d:%d (UID BODY[])", n, to))
	case 10:
		b.run(fmt.Sprintf("UID FETCH %s:* FLAGS", max(b.known[n-1].uid, "1")))
	case 11:
		b.run(fmt.Sprintf("COPY %d INBOX", n))
	case 12:
		b.run(fmt.Sprintf("SEARCH %s", []string{"SEEN", "FLAGGED", "KEYWORD work"}[b.rng.IntN(3)]))
	case 13:
		b.run(fmt.Sprintf("MOVE %d INBOX", n))
	}
	b.learn()
}

// silent changes flags, and takes the result for granted: what comes unasked has
// the last word.
func (b *believer) silent(n int, flag string) {
	k := &b.known[n-1]
	if k.flags == "?" {
		return
	}
	k.flags = sorted(strings.Join(slices.DeleteFunc(strings.Fields(k.flags), func(f string) bool { return f == flag }), " ") + " " + flag)
	b.run(fmt.Sprintf("STORE %d +FLAGS.SILENT (%s)", n, flag))
}

// learn asks for what is new.
func (b *believer) learn() {
	for {
		i := slices.IndexFunc(b.known, func(k belief) bool { return k.uid == "" || k.flags == "?" })
		if i < 0 {
			return
		}
		if b.run(fmt.Sprintf("FETCH %d:* (UID FLAGS)", i+1)); b.known[i].uid == "" {
			b.run("NOOP") // it is gone
		}
	}
}

// TestStorm has several clients at work on a mailbox. What each was told has to
// add up to what is there.
func TestStorm(t *testing.T) {
	w := newWorld(t, nil)
	w.fill(10)
	const steps = 300
	var clients []*believer
	for i := range 5 {
		b := &believer{rawConn: w.login(""), rng: rand.New(rand.NewPCG(uint64(i), 3))}
		if i%2 == 1 {
			b.run("ENABLE QRESYNC")
		}
		b.run("SELECT INBOX")
		b.run("FETCH 1:* (UID FLAGS)")
		clients = append(clients, b)
	}
	var wg sync.WaitGroup
	for _, b := range clients {
		wg.Go(func() {
			for range steps {
				b.step()
			}
		})
	}
	wg.Wait()
	fresh := &believer{rawConn: w.login("")}
	fresh.run("EXAMINE INBOX")
	fresh.run("FETCH 1:* (UID FLAGS)")
	for i, b := range clients {
		b.run("NOOP")
		b.learn()
		if !slices.Equal(b.known, fresh.known) {
			t.Errorf("client %d believes\n%v\nand there is\n%v", i, b.known, fresh.known)
		}
	}
}
