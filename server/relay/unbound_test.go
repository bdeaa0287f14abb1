package relay

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"facteur/server/testkit"
)

// TestEncryptionUnbound goes through the table with real signatures, and unbound to
// validate them.
func TestEncryptionUnbound(t *testing.T) {
	path := findUnbound(t)
	w := newTLSWorld(t)
	d := testkit.NewDNS(t, w.zone)
	anchors := []string{d.Sign(t, "signed.example", false), d.Sign(t, "bogus.example", true)}
	for range 5 {
		if addr, ok := startUnbound(t, path, d.Addr(), anchors); ok {
			w.open(t, addr)
			w.run(t)
			return
		}
	}
	t.Fatal("unbound does not start")
}

func findUnbound(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"unbound", "/usr/sbin/unbound"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("E2E_REQUIRE") == "all" {
		t.Fatal("unbound is not installed")
	}
	t.Skip("unbound is not installed")
	return ""
}

// unboundConf forwards everything to one name server, and validates.
const unboundConf = `server:
  interface: 127.0.0.1@%s
  directory: "%s"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  module-config: "validator iterator"
  ede: yes
  qname-minimisation: no
%s
forward-zone:
  name: "."
  forward-addr: %s
remote-control:
  control-enable: no
`

// startUnbound starts a validating resolver and returns its address. It ends with the
// test. It is not ok when somebody else was given the port in the meantime.
func startUnbound(t *testing.T, path, server string, anchors []string) (addr string, ok bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close() // unbound takes it over
	dir := t.TempDir()
	var trust strings.Builder
	for _, a := range anchors {
		fmt.Fprintf(&trust, "  trust-anchor: \"%s\"\n", strings.ReplaceAll(a, "\t", " "))
	}
	_, port, _ := strings.Cut(addr, ":")
	conf := filepath.Join(dir, "unbound.conf")
	text := fmt.Sprintf(unboundConf, port, dir, trust.String(), strings.Replace(server, ":", "@", 1))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-d", "-p", "-c", conf)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := make(chan bool, 1)
	var reading sync.WaitGroup
	reading.Go(func() { // ends with unbound
		for lines := bufio.NewScanner(said); lines.Scan(); {
			t.Log(lines.Text())
			if strings.Contains(lines.Text(), "start of service") {
				running <- true
			}
		}
		close(running)
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		cmd.Wait() // it was killed
	})
	return addr, <-running
}
