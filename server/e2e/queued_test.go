package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/safefile"
	"facteur/server/spool"
	"facteur/server/testkit"
)

// BenchmarkQueued starts facteur over a queue of 100,000 messages to 1,000 domains and
// tells how long that takes, how much memory it has then, and what a list of all of
// them costs.
//
//	go test ./server/e2e -run '^$' -bench Queued -benchtime 1x -timeout 30m
func BenchmarkQueued(b *testing.B) {
	const messages, domains = 100_000, 1_000
	dir := b.TempDir()
	fillSpool(b, filepath.Join(dir, "data", "spool"), messages, domains)
	zone := testkit.NewDNS(b, "")
	settings := "hostname = \"mail.example.org\"\npostmaster = \"alice@example.org\"\n[listen]\nsubmission = \"" + freeAddress(b) +
		"\"\n[dns]\nservers = [\"" + zone.Addr() + "\"]\n[domains.\"example.org\"]\n[accounts.\"alice@example.org\"]\npassword = \"" + demoHash + "\"\n"
	if err := os.WriteFile(filepath.Join(dir, "mail.toml"), []byte(settings), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		log := newEvents()
		begun := time.Now()
		s, err := launch(dir, os.Environ(), log)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := log.wait(ready, s.gone); !ok {
			b.Fatal(log.text())
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-start")
		b.ReportMetric(resident(b, s, "VmRSS"), "MB-resident")
		begun = time.Now()
		cmd := exec.Command("facteur", "queue", "list")
		cmd.Dir = dir
		out, err := cmd.Output()
		if n := strings.Count(string(out), "waits until"); err != nil || n != messages {
			b.Fatalf("%d listed, %v", n, err)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "s-to-list")
		b.ReportMetric(resident(b, s, "VmHWM"), "MB-at-most")
		if err := s.terminate(); err != nil {
			b.Error(err)
		}
	}
}

// fillSpool makes a queue that waits for later, without syncs.
func fillSpool(b *testing.B, dir string, messages, domains int) {
	fsys := safefile.Unsynced{FS: safefile.OS}
	s, err := spool.Open(spool.Options{Dir: dir, FS: fsys, Idle: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	text := "From: alice@example.org\r\nSubject: Work\r\n\r\n" + strings.Repeat("All work and no play makes mail a dull thing.\r\n", 40)
	for i := range messages {
		d, err := safefile.NewDraft(fsys, filepath.Join(dir, "tmp"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Write([]byte(text)); err != nil {
			b.Fatal(err)
		}
		to := spool.Recipient{Recipient: envelope.Recipient{ForwardPath: address.MustParse(fmt.Sprintf("user%d@d%d.example", i, i%domains))}}
		e := spool.Entry{
			Envelope: envelope.Envelope{
				ID: envelope.NewID(), Received: time.Now(),
				Session: envelope.Session{ID: envelope.NewID(), Listener: "submission", Helo: "client.example", ESMTP: true, Account: address.MustParse("alice@example.org")},
				Sender:  envelope.Sender{ReversePath: address.MustParse("alice@example.org"), Size: int64(len(text))},
			},
			Recipients: []spool.Recipient{to}, NotBefore: time.Now().Add(12 * time.Hour),
		}
		p, err := s.Add(b.Context(), e, d)
		d.Discard()
		if err != nil {
			b.Fatal(err)
		}
		p.Release()
	}
}

// resident returns a line of a server's /proc/PID/status in MB.
func resident(b *testing.B, s *server, line string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), line+":")
	var kB float64
	if _, err := fmt.Sscan(after, &kB); err != nil {
		b.Fatal(err)
	}
	return kB / 1024
}
