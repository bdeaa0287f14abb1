package rspamd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"facteur/plugins/plugintest"
	"facteur/server/testkit"
)

// realConf is what of rspamd is needed here.
const realConf = `
options {
  pidfile = "DIR/pid"; tempdir = "DIR"; control_socket = "DIR/control mode=0600"; url_tld = "DIR/tld";
  filters = ""; disable_hyperscan = true; local_addrs = [];
  dns { nameserver = ["DNS:1"]; timeout = 5s; retransmits = 1; }
  gtube_patterns = "all";
}
logging { type = "console"; level = "info"; }
worker "normal" { bind_socket = "DIR/socket mode=0600"; count = 1; }
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions { reject = 15; add_header = 6; }
`

// A real rspamd takes the test message of all spam filters for what it is.
func TestRspamd(t *testing.T) {
	daemon, err := exec.LookPath("rspamd")
	if err != nil {
		if os.Getenv("E2E_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("rspamd is not installed")
	}
	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "DNS", testkit.NewDNS(t, "").Addr()).Replace(realConf)
	for file, text := range map[string]string{"rspamd.conf": conf, "tld": "org\nnet\ncom\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Daemon(t, exec.Command(daemon, "--no-fork", "--insecure", "--config", filepath.Join(dir, "rspamd.conf")), "(normal)")
	m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"url": "unix:" + filepath.Join(dir, "socket"), "timeout": "1 minute"}))
	const show = `local r, problem = rspamd.check() log(problem or r.action, r and r.symbols.GTUBE ~= nil)`
	gtube := "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
	call := plugintest.Call(t, strings.Replace(plugintest.Message, "How are you?", gtube, 1))
	if got := plugintest.Run(t, m, call, show); got != "reject\ttrue" {
		t.Errorf("the test message: %q", got)
	}
	if got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), show); !strings.HasSuffix(got, "\tfalse") || strings.HasPrefix(got, "reject") {
		t.Errorf("a plain message: %q", got)
	}
}
