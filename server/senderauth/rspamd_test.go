package senderauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/envelope"
	"facteur/server/testkit"
)

// rspamdConf is what of rspamd is needed here. It speaks over a Unix socket, and asks
// the name server of the test alone.
const rspamdConf = `
options {
  pidfile = "DIR/pid"; tempdir = "DIR"; control_socket = "DIR/control mode=0600"; url_tld = "DIR/tld";
  filters = "dkim"; disable_hyperscan = true; local_addrs = [];
  dns { nameserver = ["DNS:1"]; timeout = 5s; retransmits = 1; }
}
logging { type = "console"; level = "info"; }
worker "normal" { bind_socket = "DIR/socket mode=0600"; count = 1; }
lua = "/usr/share/rspamd/rules/rspamd.lua";
modules { path = "/usr/share/rspamd/plugins/"; }
dkim { }
spf { }
dmarc { }
arc { }
dkim_signing {
  sign_authenticated = true; use_domain = "header"; check_pubkey = false; allow_username_mismatch = true; allow_hdrfrom_mismatch = true;
  domain { example.org { selector = "SELECTOR"; path = "DIR/key.pem"; } }
}
`

// rspamd is a running rspamd.
type rspamd struct {
	*testing.T
	client http.Client
}

func startRspamd(t *testing.T, zone string, key *signingKey) *rspamd {
	t.Helper()
	dir := t.TempDir()
	name := testkit.NewDNS(t, zone)
	conf := strings.NewReplacer("DIR", dir, "DNS", name.Addr(), "SELECTOR", key.selector).Replace(rspamdConf)
	for file, text := range map[string]string{"rspamd.conf": conf, "tld": "org\nnet\ncom\n", "key.pem": privatePEM(t, key)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("rspamd", "--no-fork", "--insecure", "--config", filepath.Join(dir, "rspamd.conf"))
	testkit.Daemon(t, cmd, "(normal)")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(dir, "socket"))
	}
	return &rspamd{t, http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// check has a message judged, of a stranger or of its own user.
func (r *rspamd) check(message, user string) (symbols, signature string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), "POST", "http://rspamd/checkv2", strings.NewReader(message))
	if err != nil {
		r.Fatal(err)
	}
	for name, value := range map[string]string{"IP": "192.0.2.1", "Helo": "mail.example.org", "From": "alice@example.org", "User": user} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	reply, err := r.client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer reply.Body.Close()
	var answer struct {
		Symbols   map[string]struct{ Options []string }
		Signature string `json:"dkim-signature"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		r.Fatal(err)
	}
	var all []string
	for name, s := range answer.Symbols {
		if strings.Contains(name, "DKIM") || strings.Contains(name, "SPF") || strings.Contains(name, "DMARC") || strings.Contains(name, "ARC_") {
			all = append(all, fmt.Sprint(name, s.Options))
		}
	}
	return strings.Join(all, " "), answer.Signature
}

// TestRspamd has rspamd judge what we sign and seal, and us what it signs.
func TestRspamd(t *testing.T) {
	needs(t, "rspamd", "rspamd", "--version")
	w := newWorld(t)
	w.keys.now, w.Verifier.opts.Now = time.Now, time.Now // it knows the real time only
	signed := w.sign("example.org", letter)
	w.publish("example.net")
	set, err := w.keys.Seal("example.net", "mail.example.net", w.verify(signed), parse(t, signed), envelope.Bytes(signed))
	if err != nil {
		t.Fatal(err)
	}
	w.dns.txt["example.org"] = []string{"v=spf1 ip4:192.0.2.1 -all"}
	w.dns.txt["_dmarc.example.org"] = []string{"v=DMARC1; p=reject"}
	key := inUse(w.keys.list("example.org"))[0]
	r := startRspamd(t, w.dns.zone(), key)
	for name, c := range map[string]struct {
		message string
		want    []string
	}{
		"signed":  {signed, []string{"R_DKIM_ALLOW[example.org:s=" + key.selector + " example.org:s=", "R_SPF_ALLOW", "DMARC_POLICY_ALLOW"}},
		"changed": {strings.Replace(signed, "Dear Bob", "Dear all", 1), []string{"R_DKIM_REJECT"}},
		"sealed":  {string(set) + signed, []string{"ARC_ALLOW[example.net:s=", "R_DKIM_ALLOW"}},
		"broken":  {strings.Replace(string(set)+signed, "Dear Bob", "Dear all", 1), []string{"ARC_REJECT"}},
	} {
		got, _ := r.check(c.message, "")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	_, field := r.check(letter, "alice")
	if got := dkimResults(w.verify("DKIM-Signature: " + field + "\r\n" + letter)); got != "pass" {
		t.Errorf("%s of %s", got, field)
	}
}

// zone is the texts of a fake DNS for a real one.
func (f *fakeDNS) zone() string {
	var out strings.Builder
	for name, texts := range f.txt {
		for _, text := range texts {
			fmt.Fprintf(&out, "%s. TXT", name)
			for len(text) > 250 {
				fmt.Fprintf(&out, " %q", text[:250])
				text = text[250:]
			}
			fmt.Fprintf(&out, " %q\n", text)
		}
	}
	return out.String()
}
