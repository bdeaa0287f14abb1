package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"facteur/plugins/lua"
)

// mostMemory is what the server may have in use at the most, in KiB: two scripts at once that take
// all they may, and what the collector has not taken back yet.
const mostMemory = 256 << 10

// TestHostileScripts gives each hostile script of plugins/lua, but for some that are only
// busy, an account of its own and sends that account a message, while a well-behaved one gets its mail
// too: all mail is kept, the log says why a script failed, and the server stays
// small.
func TestHostileScripts(t *testing.T) {
	if raceDetector {
		t.Skip("it measures memory, which the race detector multiplies")
	}
	dir := t.TempDir()
	boxes := hostileSite(t, dir)
	s, log, at := running(t, dir)
	c, err := smtp.Dial(at["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.CommandTimeout, c.SubmissionTimeout = time.Minute, time.Minute
	for _, box := range append(boxes, "good") {
		to := box + "@example.org"
		text := "From: a@remote.example\r\nTo: " + to + "\r\nSubject: " + box + "\r\n\r\nKeep me.\r\n"
		if err := c.SendMail("a@remote.example", []string{to}, strings.NewReader(text)); err != nil {
			t.Errorf("%s: %v", box, err)
			continue
		}
		if kept, err := messages(mailDir(filepath.Join(dir, "data"), to, "INBOX")); err != nil || len(kept) == 0 {
			t.Errorf("%s: the mail is lost, %v", box, err)
		}
	}
	if n := strings.Count(log.text(), "msg=hook.failed"); n < len(boxes)/2 {
		t.Errorf("%d scripts, and the log tells of %d failures", len(boxes), n)
	}
	if most := peakMemory(t, s.cmd.Process.Pid); most > mostMemory {
		t.Errorf("the server took %d MB", most>>10)
	} else {
		t.Logf("%d scripts, at the most %d MB", len(boxes), most>>10)
	}
}

// hostileSite writes the settings and scripts, and returns the accounts.
func hostileSite(t *testing.T, dir string) []string {
	t.Helper()
	scripts, err := filepath.Glob("../../plugins/lua/testdata/hostile/*.lua")
	if err != nil || len(scripts) < 15 {
		t.Fatalf("%d hostile scripts, %v", len(scripts), err)
	}
	host := lua.New(lua.Options{})
	var boxes []string
	var settings strings.Builder
	settings.WriteString("hostname = \"mail.example.org\"\npostmaster = \"good@example.org\"\n" +
		"[listen]\nsmtp = \"127.0.0.1:0\"\n[domains.\"example.org\"]\n[accounts.\"good@example.org\"]\n")
	files := make(map[string]string)
	for _, path := range scripts {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, refused := host.Compile(filepath.Base(path), source)
		if refused != nil || !held.Match(source) || busy.Match(source) || bytes.Contains(source, []byte("dns")) {
			continue // it is refused when it is read, is meant to act, is one of many, or would ask the DNS of this machine
		}
		name := "h" + strconv.Itoa(len(boxes))
		boxes = append(boxes, name)
		files[filepath.Join(dir, name+".lua")] = string(source)
		fmt.Fprintf(&settings, "[accounts.\"%s@example.org\"]\nscripts = [\"%s.lua\"]\n", name, name)
	}
	files[filepath.Join(dir, "mail.toml")] = settings.String()
	writeAll(t, files)
	return boxes
}

// held are the scripts that come to nothing at delivery.
var held = regexp.MustCompile(`^-- expect: (instructions|memory|time|actions|redirects|kv|error)`)

// busy are those of them that only use up their CPU time, two seconds each. TestHostile of
// plugins/lua measures them all; here those that can meet no other limit stand for them.
var busy = regexp.MustCompile(`^-- expect: (instructions\|time|time\|instructions)\n`)

// peakMemory returns the most that a process had resident, in KiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("no VmHWM")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
