package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"facteur/server/testkit"
)

const redirectConfig = `
hostname   = "mail.%[1]s"
postmaster = "post@%[1]s"
listen.smtp = "%[2]s:25"
dns.servers = ["%[3]s"]
[domains."%[1]s"]
[accounts."post@%[1]s"]
[accounts."box@%[1]s"]
scripts = ["on.lua"]
`

// TestRedirectLoop has scripts of two servers send all mail to each other: a message goes
// there and back once, with a reverse-path of each server (SRS0, SRS1), and is kept where it
// has been before. Nothing waits then, and nobody else was sent anything.
func TestRedirectLoop(t *testing.T) {
	domains := []string{"a.example", "b.example"}
	var hosts []string
	var zone strings.Builder
	for _, d := range domains {
		host := loopback()
		ln, err := net.Listen("tcp", net.JoinHostPort(host, "25"))
		if err != nil && os.Getenv("E2E_REQUIRE") != "all" {
			t.Skipf("port 25 of a loopback address can't be had: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		hosts = append(hosts, host)
		fmt.Fprintf(&zone, "%[1]s. MX 10 mail.%[1]s.\nmail.%[1]s. A %[2]s\n", d, host)
	}
	dns := testkit.NewDNS(t, zone.String())
	var dirs []string
	var servers []*server
	var logs []*events
	for i, d := range domains {
		dir := t.TempDir()
		writeAll(t, map[string]string{
			filepath.Join(dir, "mail.toml"): fmt.Sprintf(redirectConfig, d, hosts[i], dns.Addr()),
			filepath.Join(dir, "on.lua"):    fmt.Sprintf("function deliver(m, box) box:redirect(\"box@%s\") end\n", domains[1-i]),
		})
		s, log, _ := running(t, dir)
		dirs, servers, logs = append(dirs, dir), append(servers, s), append(logs, log)
	}
	c, err := smtp.Dial(net.JoinHostPort(hosts[0], "25"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := "From: s@elsewhere.example\r\nTo: box@a.example\r\nMessage-ID: <1@elsewhere.example>\r\nSubject: Round\r\n\r\nText.\r\n"
	if err := c.SendMail("s@elsewhere.example", []string{"box@a.example"}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	// It left b, which notes that once a has answered.
	if _, ok := logs[0].wait(regexp.MustCompile(`msg=deliver\.filed .*box=box@a\.example`), servers[0].gone); !ok {
		t.Fatalf("a did not keep it:\n%s", logs[0].text())
	}
	if _, ok := logs[1].wait(regexp.MustCompile(`msg=spool\.sent .*box@a\.example`), servers[1].gone); !ok {
		t.Fatalf("b did not send it:\n%s", logs[1].text())
	}
	for i, want := range []int{1, 0} {
		kept, err := messages(mailDir(filepath.Join(dirs[i], "data"), "box@"+domains[i], "INBOX"))
		if err != nil || len(kept) != want {
			t.Errorf("%d messages at %s, %v", len(kept), domains[i], err)
		}
		if st, err := askStatus(dirs[i]); err != nil || st.Queue != 0 {
			t.Errorf("%d wait at %s, %v", st.Queue, domains[i], err)
		}
		if want == 0 || len(kept) == 0 {
			continue
		}
		raw, err := os.ReadFile(kept[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			"Return-Path: <SRS1=", "@b.example>\r\n", "\r\nDelivered-To: box@b.example\r\n", "\r\nDelivered-To: box@a.example\r\n", "\r\nSubject: Round\r\n",
		} {
			if !strings.Contains(string(raw), part) {
				t.Errorf("no %q in\n%s", part, raw)
			}
		}
	}
	for i, log := range logs {
		if n := strings.Count(log.text(), "msg=spool.sent"); n != 1 {
			t.Errorf("%s sent %d messages", domains[i], n)
		}
	}
}
