package imapd

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// model is a client that keeps the list of messages as RFC 9051 7.5.1 has it: a
// number stands for the same message until an EXPUNGE says otherwise.
type model struct {
	*rawConn
	uids []int // 0: not yet seen
}

var untagged = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?:.*\bUID (\d+))?`)

// run does a command and learns from the answer.
func (m *model) run(command string) {
	m.send("t %s\r\n", command)
	answer := m.until("t ")
	for line := range strings.Lines(answer) {
		f := untagged.FindStringSubmatch(line)
		if f == nil {
			continue
		}
		n, _ := strconv.Atoi(f[1]) // digits
		uid, _ := strconv.Atoi(f[3])
		switch {
		case f[2] == "EXISTS" && n >= len(m.uids):
			m.uids = append(m.uids, make([]int, n-len(m.uids))...)
		case n < 1 || n > len(m.uids):
			m.t.Errorf("%s: %q with %d messages", command, line, len(m.uids))
			return
		case f[2] == "EXPUNGE":
			m.uids = slices.Delete(m.uids, n-1, n)
			if strings.HasPrefix(command, "FETCH") || strings.HasPrefix(command, "STORE") || strings.HasPrefix(command, "SEARCH") {
				m.t.Errorf("EXPUNGE in %s", command)
			}
		case uid != 0 && m.uids[n-1] != 0 && m.uids[n-1] != uid:
			m.t.Errorf("%s: message %d was %d, is %d", command, n, m.uids[n-1], uid)
		case uid != 0:
			m.uids[n-1] = uid
		}
	}
	if strings.Contains(answer, "t BAD") {
		m.t.Errorf("%s: %q", command, answer)
	}
}

// act does something that a mail program might.
func (m *model) act(r *rand.Rand) {
	n := len(m.uids)
	if n == 0 || r.IntN(4) == 0 {
		m.run(fmt.Sprintf("APPEND INBOX {14+}\r\nSubject: %03d\r\n", r.IntN(1000)))
		return
	}
	i := 1 + r.IntN(n)
	j := min(n, i+r.IntN(3))
	m.run([]string{
		fmt.Sprintf("FETCH %d:%d (UID FLAGS)", i, j),
		fmt.Sprintf("FETCH %d (UID ENVELOPE)", i),
		fmt.Sprintf("STORE %d:%d +FLAGS (\\Deleted)", i, j),
		fmt.Sprintf("STORE %d -FLAGS (\\Deleted)", i),
		fmt.Sprintf("SEARCH %d:%d UNDELETED", i, j),
		fmt.Sprintf("MOVE %d Trash", i),
		fmt.Sprintf("COPY %d:%d INBOX", i, j),
		"EXPUNGE",
		"NOOP",
		"UID FETCH 1:* FLAGS",
	}[r.IntN(10)])
}

func TestManySessions(t *testing.T) {
	w := newWorld(t, nil)
	t.Run("at once", func(t *testing.T) {
		for i := range 4 {
			m := &model{rawConn: w.raw()}
			m.reach("authenticated")
			m.run("SELECT INBOX")
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				m.t = t
				r := rand.New(rand.NewPCG(1, uint64(i)))
				for range 150 {
					m.act(r)
				}
				m.run("NOOP")
				m.run("FETCH 1:* UID")
			})
		}
	})
}
