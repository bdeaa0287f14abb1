package server

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// rank orders the packages: each imports packages of a lower rank only. The
// picture and the reasons are in README.md.
var rank = map[string]int{
	"server/address": 0, "server/fault": 0, "server/envelope": 0, "server/wire": 0, "server/safefile": 0, "server/feed": 0, "server/contentline": 0, "server/utf7": 0,
	"server/message": 1, "server/dns": 1, "server/listen": 1, "server/hook": 1, "server/password": 1,
	"server/directory": 1, "server/imapwire": 1, "server/buffer": 1, "server/resident": 1, "server/retention": 1, "server/testkit": 1, "server/statedb": 1, "server/ical": 1, "server/vcard": 1, "server/davxml": 1,
	"scripts":     1,
	"server/auth": 2, "server/maildir": 2, "server/config": 2, "server/certs": 2, "plugins/lua": 2,
	"server/senderauth": 2, "server/srs": 2, "server/mtasts": 2, "server/limit": 2, "server/publish": 2,
	"server/kv": 2, "server/transfer": 2, "server/davclient": 2, "server/trace": 2, "server/people": 2, "server/itip": 2,
	"plugins/plugintest": 3, "plugins/clamav": 4, "plugins/rspamd": 4, "plugins/dnsbl": 4, "plugins/http": 4, "plugins/lists": 4,
	"server/relay": 3, "server/connection": 3, "server/msgindex": 3, "server/fts": 3, "server/report": 3, "server/trial": 3,
	"server/mailbox": 4, "server/spool": 4, "server/redirect": 4, "server/collection": 4, "server/files": 4,
	"server/mailbox/mailboxtest": 5, "server/imapsearch": 5, "server/autoreply": 5, "server/schedule": 5, "server/homes": 5,
	"server/deliver": 6, "server/attachments": 6, "server/scheduling": 6,
	"server/intake": 7, "server/follow": 7,
	"server/smtpd": 8, "server/imapd": 8, "server/pop3d": 8, "server/control": 8, "server/davd": 8, "server/httpd": 8,
	"server":     9,
	"server/e2e": 10,
	"":           10, // main
}

// vocabulary may be imported by its own rank: addresses stand in envelopes, and
// a message implements what hooks declare.
var vocabulary = map[string]bool{"server/address": true, "server/fault": true, "server/hook": true}

// TestLayers fails on any import that does not go down a rank.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "facteur/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for _, to := range p.Imports {
			checkEdge(t, p.ImportPath, to)
		}
		for _, to := range append(p.TestImports, p.XTestImports...) {
			if !strings.HasSuffix(to, "/testkit") && to != p.ImportPath {
				checkEdge(t, p.ImportPath, to)
			}
		}
	}
}

func checkEdge(t *testing.T, from, to string) {
	t.Helper()
	if to != "facteur" && !strings.HasPrefix(to, "facteur/") {
		return
	}
	from, to = relative(from), relative(to)
	low, okLow := rank[to]
	high, okHigh := rank[from]
	if strings.HasPrefix(to, "scripts") || strings.HasPrefix(from, "scripts") {
		return // the embedded scripts are data
	}
	switch {
	case !okLow || !okHigh:
		t.Errorf("%q or %q has no rank: put it into the table", from, to)
	case low >= high && !(low == high && vocabulary[to] && !vocabulary[from]):
		t.Errorf("%s (rank %d) imports %s (rank %d): imports go down", from, high, to, low)
	}
}

func relative(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "facteur"), "/")
}
