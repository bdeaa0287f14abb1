package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facteur/server/testkit"
)

// postfix is the Postfix of the exchange. It hands what is for its users to a sink.
type postfix struct {
	dir     string
	address string
	sink    *testkit.Peer
}

// havePostfix tells whether there is a Postfix that can be run here.
func havePostfix(t *testing.T) bool {
	_, err := exec.LookPath("postfix")
	if err == nil && os.Getuid() == 0 {
		return true
	}
	if os.Getenv("E2E_REQUIRE") == "all" {
		t.Fatalf("Postfix is missing, or not to be started by user %d, and E2E_REQUIRE=all wants it: %v", os.Getuid(), err)
	}
	t.Log("without Postfix: it is not installed, or this is not root")
	return false
}

// postfixMain is main.cf: usual settings, but for places, routes, and a schedule of
// seconds in place of minutes.
const postfixMain = `
compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = mail.%[2]s
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = %[2]s
virtual_mailbox_maps = static:ok
virtual_transport = smtp:[127.0.0.1]:%[3]s
transport_maps = texthash:%[1]s/etc/transport
smtp_host_lookup = native
smtp_tls_security_level = may
smtpd_tls_security_level = none
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
`

func newPostfix(t *testing.T, s *site, sites []*site) *postfix {
	dir, err := os.MkdirTemp("", "facteur-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &postfix{dir: dir, address: net.JoinHostPort(loopback(), "25"), sink: testkit.NewPeer(t, testkit.PeerOptions{})}
	_, sinkPort, _ := net.SplitHostPort(p.sink.Addr())
	routes := ""
	for _, other := range sites {
		if other != s {
			routes += fmt.Sprintf("%s smtp:[%s]\n", other.domain, other.mx[0])
		}
	}
	// Its programs run under its own user.
	for _, name := range []string{"", "etc", "spool", "data"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "chown", "postfix", filepath.Join(dir, "data"))
	writeAll(t, map[string]string{
		filepath.Join(dir, "etc/main.cf"):   fmt.Sprintf(postfixMain, dir, s.domain, sinkPort),
		filepath.Join(dir, "etc/master.cf"): postfixMaster(t, p.address),
		filepath.Join(dir, "etc/transport"): routes,
	})
	p.start(t)
	for _, proxy := range s.proxies {
		proxy.Receiver(p.address)
	}
	return p
}

// postfixMaster is the usual master.cf, without chroot, on the address.
func postfixMaster(t *testing.T, address string) string {
	usual, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		t.Fatal(err)
	}
	smtp := regexp.MustCompile(`(?m)^smtp( +inet .*)`)
	service := regexp.MustCompile(`(?m)^(\S+\s+(?:inet|unix|unix-dgram|fifo)\s+\S+\s+\S+\s+)\S+`)
	return service.ReplaceAllString(smtp.ReplaceAllString(string(usual), address+"$1"), "${1}n")
}

func (p *postfix) start(t *testing.T) {
	t.Cleanup(func() {
		run(t, "postfix", "-c", filepath.Join(p.dir, "etc"), "stop")
		if log, err := os.ReadFile(filepath.Join(p.dir, "log")); err == nil && t.Failed() {
			t.Logf("the end of the log of Postfix:\n%s", log[max(0, len(log)-20000):])
		}
	})
	run(t, "postfix", "-c", filepath.Join(p.dir, "etc"), "start")
	for begun := time.Now(); ; {
		c, err := net.Dial("tcp", p.address)
		if err == nil {
			c.Close()
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("Postfix did not start: %v", err)
		}
	}
}

// run runs a command that must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (p *postfix) entrance() (string, <-chan struct{}) {
	return p.address, nil // it lives on
}

func (p *postfix) login() string { return "" }

// waiting counts the messages in its queues.
func (p *postfix) waiting() (int, error) {
	n := 0
	for _, queue := range []string{"maildrop", "incoming", "active", "deferred"} {
		err := filepath.WalkDir(filepath.Join(p.dir, "spool", queue), func(path string, d os.DirEntry, err error) error {
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			if err == nil && d.Type().IsRegular() {
				n++
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (p *postfix) hurry() error {
	if out, err := exec.Command("postqueue", "-c", filepath.Join(p.dir, "etc"), "-f").CombinedOutput(); err != nil {
		return fmt.Errorf("postqueue: %w: %s", err, out)
	}
	return nil
}

var angled = regexp.MustCompile(`<([^>]*)>`)

func (p *postfix) mail() (map[string][]string, error) {
	mail := make(map[string][]string)
	for _, m := range p.sink.Messages() {
		for _, to := range m.To {
			address := strings.ToLower(angled.FindStringSubmatch(to)[1])
			mail[address] = append(mail[address], m.Data)
		}
	}
	return mail, nil
}

func (p *postfix) killed(_, _ time.Time) bool { return false }
