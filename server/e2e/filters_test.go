package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkFilters compares scripts in Lua with none, and with the same rules in Sieve
// under Dovecot's LMTP (Pigeonhole): deliveries a second while 8 clients deliver as fast
// as they can to 16 mailboxes, and the CPU time that the server takes for one. A quarter
// of the messages is from a list, one is to a subaddress, one is junk; filters file them.
// Three scripts do so on either side: the server's, the domain's and the account's. All
// that concerns syncs is each server's default. The rounds alternate; the medians are told.
//
//	go test ./server/e2e -run '^$' -bench Filters -benchtime 1x -timeout 30m
//
// FILTER_MESSAGES and FILTER_ROUNDS change the size.
func BenchmarkFilters(b *testing.B) {
	messages, rounds := numberFrom(b, "FILTER_MESSAGES", 2000), numberFrom(b, "FILTER_ROUNDS", 5)
	servers := []*filtering{
		filterFacteur(b, "none", ""), filterFacteur(b, "lua", luaRules),
		filterFacteur(b, "shipped", `scripts = ["scripts/spam.lua", "scripts/newcomers.lua", "scripts/sort.lua"]`),
		filterDovecot(b, "dovecot", false), filterDovecot(b, "sieve", true),
	}
	for b.Loop() {
		rates, costs := make(map[string][]float64), make(map[string][]float64)
		for round := range rounds + 1 {
			for _, s := range servers {
				rate, cost := s.round(b, messages)
				if round > 0 { // the first makes the folders
					rates[s.name] = append(rates[s.name], rate)
					costs[s.name] = append(costs[s.name], cost)
				}
			}
		}
		for _, s := range servers {
			b.Logf("%s: %.0f deliveries/s, %.0f us of CPU each", s.name, rates[s.name], costs[s.name])
			s.check(b)
			b.ReportMetric(median(rates[s.name]), s.name+"/s")
			b.ReportMetric(median(costs[s.name]), s.name+"-us")
		}
		b.ReportMetric(median(costs["lua"])-median(costs["none"]), "lua-extra-us")
		b.ReportMetric(median(costs["shipped"])-median(costs["none"]), "shipped-extra-us")
		b.ReportMetric(median(rates["lua"])/median(rates["sieve"]), "lua-times-sieve")
	}
	load, _ := os.ReadFile("/proc/loadavg")
	b.Logf("load %s", load)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// The three scripts, and what names them in mail.toml.
const (
	luaRules  = `scripts = ["junk.lua"]`
	luaDomain = `scripts = ["lists.lua"]`
	luaBox    = `scripts = ["plus.lua"]`

	luaJunk = `
local WORDS = { "viagra", "lottery", "casino" }
function data(c, m)
  local subject = m.subject:lower()
  for _, word in ipairs(WORDS) do
    if subject:find(word, 1, true) then score(3, "WORD", word) end
  end
  if m:header("Message-ID") == "" then score(3, "NO_ID") end
end
function deliver(m, box)
  if m.spam.score >= 5 then
    box:fileinto("Junk", { create = true })
    return box:stop()
  end
end
`
	luaLists = `
function deliver(m, box)
  local name = m:header("List-Id"):match("<([%w_-]+)%.")
  if name then
    box:fileinto("Lists/" .. name, { create = true })
    return box:stop()
  end
end
`
	luaPlus = `
function deliver(m, box)
  local detail = m.to[1]:match("%+([%w_-]+)@")
  if detail then box:fileinto(detail, { create = true }) end
end
`
	sieveJunk = `
require ["fileinto", "mailbox"];
if allof (header :contains "Subject" ["viagra", "lottery", "casino"], not exists "Message-ID") {
  fileinto :create "Junk";
  stop;
}
`
	sieveLists = `
require ["fileinto", "mailbox", "variables"];
if header :matches "List-Id" "*<*.*>*" {
  fileinto :create "Lists/${2}";
  stop;
}
`
	sievePlus = `
require ["envelope", "fileinto", "mailbox", "subaddress", "variables"];
if envelope :matches :detail "to" "?*" {
  fileinto :create "${1}${2}";
}
`
)

// filterBoxes is the number of mailboxes, user0@example.org and so on.
const filterBoxes = 16

// filtering is a server that files mail.
type filtering struct {
	name    string
	address string
	pid     int
	folder  func(box int, name string) string // of a Maildir
	filters bool
	sent    int // messages, each round
}

// filterFacteur starts facteur with scripts, as a line of mail.toml, or none.
func filterFacteur(b *testing.B, name, scripts string) *filtering {
	dir, address := b.TempDir(), freeAddress(b)
	domain, box := "", ""
	if scripts == luaRules {
		domain, box = luaDomain, luaBox
	}
	settings := `hostname = "mail.example.org"
postmaster = "user0@example.org"
` + scripts + `
[listen]
lmtp = "` + address + `"
[domains."example.org"]
` + domain + "\n"
	for i := range filterBoxes {
		settings += fmt.Sprintf("[accounts.\"user%d@example.org\"]\npassword = %q\n%s\n", i, demoHash, box)
	}
	files := map[string]string{"mail.toml": settings, "junk.lua": luaJunk, "lists.lua": luaLists, "plus.lua": luaPlus}
	for _, s := range shipped(b) {
		files[s.name] = s.text
	}
	writeBench(b, dir, files)
	pid := serveBench(b, dir, address, func(log string) {
		if strings.Contains(log, "hook.failed") {
			b.Errorf("%s: a script failed: %.2000s", name, log)
		}
	})
	return &filtering{name: name, address: address, pid: pid, filters: scripts != "", folder: func(box int, folder string) string {
		return filepath.Join(dir, "data/domains/example.org", fmt.Sprintf("user%d", box), "mail", folder)
	}}
}

func writeBench(b *testing.B, dir string, files map[string]string) {
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// dovecotConf is a Dovecot with LMTP alone. Processes stay, and none is short of others.
const dovecotConf = `
protocols = lmtp
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
ssl = no
first_valid_uid = 0
recipient_delimiter = +
mail_location = maildir:%[1]s/mail/%%n:LAYOUT=maildir++
namespace inbox {
  inbox = yes
  separator = /
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%[1]s/home/%%n
}
passdb {
  driver = static
  args = nopassword=y
}
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
service lmtp {
  inet_listener lmtp {
    address = %[2]s
    port = %[3]s
  }
  process_min_avail = 8
  process_limit = 100
}
service stats {
  chroot =
}
protocol lmtp {
  postmaster_address = user0@example.org
  mail_plugins = %[4]s
}
plugin {
  sieve = file:%[1]s/sieve/plus.sieve
  sieve_before = %[1]s/sieve/junk.sieve
  sieve_before2 = %[1]s/sieve/lists.sieve
}
`

// filterDovecot starts a Dovecot of its own, with the rules in Sieve or without.
func filterDovecot(b *testing.B, name string, sieve bool) *filtering {
	bin, err := exec.LookPath("dovecot")
	if err != nil || os.Getuid() != 0 {
		b.Skipf("dovecot is missing, or this is not root: %v", err)
	}
	dir, address := b.TempDir(), freeAddress(b)
	for d := dir; d != "/"; d = filepath.Dir(d) { // its processes run as nobody
		os.Chmod(d, 0o755)
	}
	host, port, _ := net.SplitHostPort(address)
	plugins := ""
	if sieve {
		plugins = "sieve"
	}
	writeBench(b, dir, map[string]string{
		"dovecot.conf": fmt.Sprintf(dovecotConf, dir, host, port, plugins), "run/x": "", "mail/x": "", "home/x": "",
		"sieve/junk.sieve": sieveJunk, "sieve/lists.sieve": sieveLists, "sieve/plus.sieve": sievePlus,
	})
	if out, err := exec.Command("chown", "-R", "nobody:nogroup", filepath.Join(dir, "mail"), filepath.Join(dir, "home"), filepath.Join(dir, "sieve")).CombinedOutput(); err != nil {
		b.Fatalf("chown: %v: %s", err, out)
	}
	if sieve {
		for _, script := range []string{"junk", "lists", "plus"} {
			out, err := exec.Command("sievec", "-c", filepath.Join(dir, "dovecot.conf"), filepath.Join(dir, "sieve", script+".sieve")).CombinedOutput()
			if err != nil {
				b.Skipf("sievec: %v: %s", err, out)
			}
		}
	}
	cmd := exec.Command(bin, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if text, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && strings.Contains(string(text), "Error:") {
			b.Logf("the log of Dovecot: %.4000s", text)
		}
	})
	waitListening(b, address)
	return &filtering{name: name, address: address, pid: cmd.Process.Pid, filters: sieve, folder: func(box int, folder string) string {
		return filepath.Join(dir, "mail", fmt.Sprintf("user%d", box), folder)
	}}
}

// round delivers messages, and returns how many a second, and how much CPU time the
// server took for each, in microseconds.
func (s *filtering) round(b *testing.B, messages int) (rate, cost float64) {
	const clients = 8
	errs := make(chan error, clients)
	before, begun := cpuOf(b, s.pid), time.Now()
	for i := range clients {
		go func() { errs <- s.deliver(i, messages/clients) }()
	}
	for range clients {
		if err := <-errs; err != nil {
			b.Fatalf("%s: %v", s.name, err)
		}
	}
	took := time.Since(begun)
	n := float64(messages / clients * clients)
	s.sent += messages / clients * clients
	return n / took.Seconds(), float64((cpuOf(b, s.pid) - before).Microseconds()) / n
}

// deliver delivers messages over one connection (RFC 2033), of four kinds in turn.
func (s *filtering) deliver(client, messages int) error {
	c, err := dialTalker(s.address, "LHLO")
	if err != nil {
		return err
	}
	defer c.Close()
	body := strings.Repeat("All work and no play makes mail a dull thing.\r\n", 40)
	for i := range messages {
		box, kind := (client+i/4)%filterBoxes, i%4
		to := fmt.Sprintf("user%d%s@example.org", box, []string{"", "", "+shop", ""}[kind])
		if err := c.say("MAIL FROM:<ann@example.net>\r\nRCPT TO:<"+to+">\r\n", 2, "250"); err != nil {
			return err
		}
		if err := c.say("DATA\r\n", 1, "354"); err != nil {
			return err
		}
		own := []string{
			fmt.Sprintf("Message-ID: <%d.%d.%d@example.net>\r\nSubject: Lunch\r\n", client, i, time.Now().UnixNano()),
			"Message-ID: <1@example.net>\r\nList-Id: The board <board.lists.example.net>\r\nSubject: Minutes\r\n",
			"Message-ID: <2@example.net>\r\nSubject: Your order\r\n",
			"Subject: Win the lottery\r\n",
		}[kind]
		header := "From: Ann <ann@example.net>\r\nTo: " + to + "\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\n" + own + "\r\n"
		if err := c.say(header+body+".\r\n", 1, "250"); err != nil {
			return err
		}
	}
	return c.say("QUIT\r\n", 1, "221")
}

// check fails when the filters did not do what they should: of four kinds of messages
// each lies in a folder of its own.
func (s *filtering) check(b *testing.B) {
	if !s.filters || s.name == "shipped" {
		return
	}
	for _, name := range []string{"", ".Lists.board", ".shop", ".Junk"} {
		n := 0
		for box := range filterBoxes {
			for _, sub := range []string{"new", "cur"} {
				list, _ := os.ReadDir(filepath.Join(s.folder(box, name), sub))
				n += len(list)
			}
		}
		if n != s.sent/4 {
			b.Errorf("%s: %d of %d messages in %q", s.name, n, s.sent/4, name)
		}
	}
}

// cpuOf returns the CPU time of a process and its children, also of those that have
// ended (proc(5)).
func cpuOf(b *testing.B, pid int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100
	parents := make(map[int]int)
	times := make(map[int]int)
	list, err := os.ReadDir("/proc")
	if err != nil {
		b.Skip(err)
	}
	for _, e := range list {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		parents[id], _ = strconv.Atoi(f[1])
		for _, field := range f[11:15] { // utime stime cutime cstime
			n, _ := strconv.Atoi(field)
			times[id] += n
		}
	}
	total := times[pid]
	for id := range times {
		if parents[id] == pid {
			total += times[id]
		}
	}
	return time.Duration(total) * tick
}
