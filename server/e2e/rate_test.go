package e2e

import (
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/testkit"
)

// BenchmarkSending compares facteur with Postfix: how many recipients a second a local
// sink gets while 20 clients submit as fast as they can, with 1 and with 50 recipients
// a message. Both sync each message before they answer. facteur signs each message with
// DKIM, twice; Postfix does so, once, where opendkim is there as its milter. The rounds
// alternate; the medians are told.
//
//	go test ./server/e2e -run '^$' -bench Sending -benchtime 1x -timeout 30m
func BenchmarkSending(b *testing.B) {
	const rounds = 3
	to := newSink(b)
	servers := []*sending{startSending(b, to), startPostfix(b, to, "")}
	if milter := startSigner(b); milter != "" {
		servers = append(servers, startPostfix(b, to, milter))
	}
	for _, c := range []struct{ messages, recipients int }{{1000, 1}, {200, 50}} {
		b.Run(fmt.Sprintf("recipients=%d", c.recipients), func(b *testing.B) {
			rates := make(map[string][]float64)
			for range rounds {
				for _, s := range servers {
					rate := s.round(b, to, c.messages, c.recipients)
					rates[s.name] = append(rates[s.name], rate)
				}
			}
			for name, list := range rates {
				b.Logf("%s: %.0f recipients/s", name, list)
				slices.Sort(list)
				b.ReportMetric(list[rounds/2], name+"/s")
			}
			for _, s := range servers[1:] {
				b.ReportMetric(rates["facteur"][rounds/2]/rates[s.name][rounds/2], "times-"+s.name)
			}
			load, _ := os.ReadFile("/proc/loadavg")
			b.Logf("load %s", load)
		})
	}
}

// sending is a server that takes mail for the sink.
type sending struct {
	name    string
	address string
	login   string // what follows AUTH, "" for none
	signs   bool
}

// startSending starts facteur with the sink as the server of sink.example.
func startSending(b *testing.B, to *sink) *sending {
	zone := testkit.NewDNS(b, "sink.example. MX 10 mx.sink.example.\nmx.sink.example. A "+to.host+"\n")
	dir := b.TempDir()
	address := freeAddress(b)
	settings := `hostname = "mail.example.org"
postmaster = "alice@example.org"
[listen]
submission = "` + address + `"
[limits.sending]
account = {}
client = {}
[dns]
servers = ["` + zone.Addr() + `"]
[domains."example.org"]
[accounts."alice@example.org"]
password = "` + demoHash + `"
`
	if err := os.WriteFile(filepath.Join(dir, "mail.toml"), []byte(settings), 0o600); err != nil {
		b.Fatal(err)
	}
	serveBench(b, dir, address, nil)
	return &sending{"facteur", address, "PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00alice@example.org\x00demo")), true}
}

// startSigner starts opendkim, which signs for example.org, and returns its address,
// "" where it is not installed.
func startSigner(b *testing.B) string {
	bin, err := exec.LookPath("opendkim")
	if err != nil {
		b.Log("opendkim is missing")
		return ""
	}
	dir, address := b.TempDir(), freeAddress(b)
	key, err := rsa.GenerateKey(crand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(address)
	conf := "Mode s\nSyslog no\nDomain example.org\nSelector s\nCanonicalization relaxed/relaxed\nRequireSafeKeys no\n" +
		"InternalHosts 127.0.0.1\nSocket inet:" + port + "@" + host + "\nKeyFile " + dir + "/key.pem\n"
	for name, text := range map[string][]byte{"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command(bin, "-f", "-x", filepath.Join(dir, "conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	waitListening(b, address)
	return "inet:" + host + ":" + port
}

// startPostfix starts a Postfix of its own, with the sink as its relay host and perhaps
// a milter. All that concerns speed and syncs is its default.
func startPostfix(b *testing.B, to *sink, milter string) *sending {
	if _, err := exec.LookPath("/usr/sbin/postfix"); err != nil {
		b.Skip("postfix is missing")
	}
	dir := b.TempDir()
	address := freeAddress(b)
	for _, sub := range []string{"etc", "spool", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for d := dir; d != "/"; d = filepath.Dir(d) { // its processes run as postfix
		os.Chmod(d, 0o755)
	}
	if err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).Run(); err != nil {
		b.Skip("postfix needs root: ", err)
	}
	main := `compatibility_level = 3.6
queue_directory = ` + dir + `/spool
data_directory = ` + dir + `/data
maillog_file = ` + dir + `/log
maillog_file_prefixes = ` + dir + `
myhostname = mail.example.org
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [` + to.host + `]:25
smtpd_tls_security_level = none
smtp_tls_security_level = may
smtpd_milters = ` + milter + `
`
	master, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		b.Skip(err)
	}
	var lines []string
	for line := range strings.Lines(string(master)) {
		f := strings.Fields(line)
		if len(f) >= 8 && line[0] != '#' && line[0] != ' ' {
			if f[0] == "smtp" && f[1] == "inet" {
				f[0] = address
			}
			f[4] = "n" // no chroot
			line = strings.Join(f, " ") + "\n"
		}
		lines = append(lines, line)
	}
	for name, text := range map[string]string{"main.cf": main, "master.cf": strings.Join(lines, "")} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if out, err := exec.Command("/usr/sbin/postfix", "-c", dir+"/etc", "start").CombinedOutput(); err != nil {
		b.Fatalf("postfix: %v: %s", err, out)
	}
	b.Cleanup(func() { exec.Command("/usr/sbin/postfix", "-c", dir+"/etc", "stop").Run() })
	waitListening(b, address)
	if milter != "" {
		return &sending{"postfix+opendkim", address, "", true}
	}
	return &sending{"postfix", address, "", false}
}

// freeAddress is one that nothing listens at now.
func freeAddress(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func waitListening(b *testing.B, address string) {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	b.Fatalf("nothing listens at %s", address)
}

// round submits messages and returns how many recipients a second the sink got, from
// the first to the last.
func (s *sending) round(b *testing.B, to *sink, messages, recipients int) float64 {
	const clients = 20
	done := to.expect(messages * recipients)
	errs := make(chan error, clients)
	for range clients {
		go func() { errs <- s.submit(messages/clients, recipients) }()
	}
	for range clients {
		if err := <-errs; err != nil {
			b.Fatalf("%s: %v", s.name, err)
		}
	}
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		b.Fatalf("%s: %d of %d recipients in five minutes", s.name, to.recipients, to.want)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if want := s.signs; want && to.signed != to.messages || !want && to.signed != 0 {
		b.Fatalf("%s: %d of %d messages are signed", s.name, to.signed, to.messages)
	}
	return float64(messages*recipients) / to.last.Sub(to.first).Seconds()
}

// submit sends messages over one connection, each in two groups of commands.
func (s *sending) submit(messages, recipients int) error {
	c, err := dialTalker(s.address, "EHLO")
	if err != nil {
		return err
	}
	defer c.Close()
	if s.login != "" {
		if err := c.say("AUTH "+s.login+"\r\n", 1, "235"); err != nil {
			return err
		}
	}
	body := strings.Repeat("All work and no play makes mail a dull thing.\r\n", 40)
	for range messages {
		var b strings.Builder
		b.WriteString("MAIL FROM:<alice@example.org>\r\n")
		for i := range recipients {
			fmt.Fprintf(&b, "RCPT TO:<user%d@sink.example>\r\n", i)
		}
		if err := c.say(b.String(), 1+recipients, "250"); err != nil {
			return err
		}
		if err := c.say("DATA\r\n", 1, "354"); err != nil {
			return err
		}
		header := fmt.Sprintf("From: alice@example.org\r\nTo: undisclosed:;\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\nMessage-ID: <%x@example.org>\r\nSubject: Work\r\n\r\n", rand.Uint64())
		if err := c.say(header+body+".\r\n", 1, "250"); err != nil {
			return err
		}
	}
	return c.say("QUIT\r\n", 1, "221")
}
