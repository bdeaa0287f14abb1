package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/password"
)

func to(targets ...string) []directory.Target {
	var list []directory.Target
	for _, t := range targets {
		if strings.Contains(t, "@") {
			list = append(list, directory.Target{Address: address.MustParse(t)})
		} else {
			list = append(list, directory.Target{Login: t})
		}
	}
	return list
}

// at returns listeners without proxies.
func at(addresses ...string) (all []Listener) {
	for _, a := range addresses {
		all = append(all, Listener{Address: a})
	}
	return all
}

func TestEverything(t *testing.T) {
	const file = "testdata/good/everything.toml"
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := filepath.Abs("testdata/good")
	cert := filepath.Join(dir, "cert.pem")
	const device = "sha256:yf77:tc_9nHmgYWwQUf4wPl-e3I3gdw6bdZJQtHx8hUt6_Pw"
	want := &Config{
		File:     filepath.Join(dir, "everything.toml"),
		Digest:   got.Digest,
		Hostname: "mail.xn--bcher-kva.example",
		Data:     "/var/lib/facteur",
		Location: time.UTC,
		Language: "fr",
		Listen: Listen{
			SMTP:        at("192.0.2.1:25", "[2001:db8::1]:25"),
			Submission:  at(":587"),
			Submissions: at(":465"),
			LMTP:        at("unix:" + filepath.Join(dir, "lmtp.sock")),
			IMAP:        at("localhost:143"),
			IMAPS:       []Listener{{"0.0.0.0:993", []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}},
			POP3:        at("[::1]:110"),
			POP3S:       at(":995", ":1995"),
			HTTP:        at(":80"),
			HTTPS:       append(at(":443"), Listener{"[::1]:8443", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("2001:db8:1::/48")}}),
		},
		TLS: TLS{
			Cert: cert, Key: cert, PlaintextLogin: PlaintextNever, MTASTS: "enforce",
			Domains: []DomainCert{{"example.org", cert, cert}},
		},
		Limits: Limits{MessageSize: 3 << 19, Recipients: 1000, Sending: Sending{
			Account:   []Window{{time.Second, 1, 1}, {90 * time.Second, 10, 20}, {24 * time.Hour, 100, 100}},
			NightFrom: time.Hour + 30*time.Minute, NightTo: 5 * time.Hour, NightDivide: 10, WeekendDivide: 1,
		}},
		Retention: Retention{Deleted: 0, Trash: 14 * 24 * time.Hour, Junk: Never, Account: 7 * 24 * time.Hour, Quarantine: 3 * 24 * time.Hour, Trace: 30 * 24 * time.Hour},
		Lua: Lua{
			Instructions: 1_000_000, CPUSMTP: 500 * time.Millisecond, CPUDeliver: time.Minute, Memory: 64 << 20,
			Actions: 16, Redirects: 0, Vacations: 0, Replies: 3, Notices: 5, Lookups: 50, ScriptSize: 1_000_000,
		},
		Hosts: []string{"chat.example.net", "127.0.0.1:8080", "[::1]:80", "::1"},
		Plugins: []Plugin{
			{
				Name: "rspamd",
				Values: map[string]any{
					"url": "http://127.0.0.1:11334", "learn": true, "tries": int64(1000), "factor": 0.5, "headers": []any{"X-A", "X-B"},
				},
			},
			{Name: "clamav", Values: map[string]any{}},
		},
		Subscriptions: []string{"calendars.example.net", "127.0.0.1:8080"},
		Trusted:       []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("10.0.0.7/32")},
		Sealers:       []address.Domain{"example.net", "xn--bcher-kva.example"},
		DNSServers:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")},
		Scripts:       []string{"scripts/a.lua"},
		ScriptFiles: []Script{
			{"scripts/a.lua", filepath.Join(dir, "scripts/a.lua"), true, false},
			{"scripts/b.lua", filepath.Join(dir, "scripts/b.lua"), false, false},
			{"scripts/c.lua", filepath.Join(dir, "scripts/c.lua"), false, false},
		},
		Directory: directory.Options{
			Hostname:   "mail.xn--bcher-kva.example",
			Postmaster: address.MustParse("alice@example.org"),
			Quota:      directory.Unlimited,
			Domains: []directory.Domain{
				{Key: "other.example", Name: "other.example", Quota: 10_000_000_000},
				{
					Key: "example.org", Name: "example.org", Aliases: []address.Domain{"example.com", "xn--bcher-kva.example"}, CatchAll: to("example0001")[0],
					Quota: 2_000_000_000, MaxAccounts: 10, Separator: "-", Scripts: []string{"scripts/b.lua"},
				},
			},
			Accounts: []directory.Account{
				{
					Key: "Alice@Example.ORG", Address: address.MustParse("Alice@example.org"), Name: "Alice Martin", Login: "example0001",
					Password: "$argon2id$v=19$m=19456,t=2,p=1$HSevOw65Y1j1gEVL9C6flA$vUX5oLB0SmSZvJEFbnRNuh7P6IuICpfs+OBrUoHNn2Y",
					Quota:    500_000_000, Redirect: to("alice@elsewhere.net"), Keep: false,
					SendAs:  []address.Address{address.MustParse("newsletter@example.org"), address.MustParse("Alice@elsewhere.net")},
					Scripts: []string{"scripts/c.lua", "scripts/a.lua"}, Disabled: true, Sending: 0.5,
					Devices: []directory.Device{{Name: "phone", Line: device}, {Name: "tablet", Line: device}},
				},
				{Key: "bob@other.example", Address: address.MustParse("bob@other.example"), Keep: true, Sending: 16, Room: true},
			},
			Aliases: []directory.Alias{
				{Key: "info@example.org", Address: address.MustParse("info@example.org"), To: to("example0001")},
				{Key: "board@example.org", Address: address.MustParse("board@example.org"), To: to("alice@example.com", "bob@other.example", "carol@elsewhere.net")},
				{Key: "all@example.org", Address: address.MustParse("all@example.org"), To: to("board@example.org"), Posters: directory.Posters{Rule: directory.PostersMembers}},
				{Key: "more@example.org", Address: address.MustParse("more@example.org"), To: to("all@example.org"), Posters: directory.Posters{Rule: directory.PostersListed, List: to("example0001", "carol@elsewhere.net")}},
			},
			Shared: []directory.Shared{{
				Key: "office@example.org", Address: address.MustParse("office@example.org"), Name: "The office", Quota: 1_000_000_000_000,
				Owners: to("alice@example.org"), Members: to("bob@other.example"), Readers: to("example0001"),
			}},
			Sharing: []directory.Sharing{
				{
					Key: "Alice@example.com/Choir practice", Owner: address.MustParse("Alice@example.com"), Collection: "Choir practice",
					Members: to("bob@other.example"), Readers: to("example0001"), Published: "0123456789_abcdefghij-XYZ",
				},
				{Key: "bob@other.example/a/b", Owner: address.MustParse("bob@other.example"), Collection: "a/b", Readers: to("example0001"), FreeBusy: to("example0001")},
			},
		},
		Vacations: map[address.Key]hook.AutoReply{"bob@other.example": {
			Text: "I am away.\n\nBob\n", HTML: "<p>I am away.", Subject: "Away", From: address.MustParse("Bob@other.example"), Days: 14,
			Addresses: []address.Address{address.MustParse("bob@elsewhere.net")}, Handle: "summer",
			Start: hook.Date{Year: 2026, Month: 12, Day: 20}, Stop: hook.Date{Year: 2026, Month: 12, Day: 20},
		}},
	}
	for i, p := range got.Plugins {
		if place := p.Places[""]; place.Line == 0 || place.File == "" || len(p.Places) != len(p.Values)+1 {
			t.Errorf("%s: places %v", p.Name, p.Places)
		}
		got.Plugins[i].Places = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	files := []string{want.File, want.ScriptFiles[0].Path, want.ScriptFiles[1].Path, want.ScriptFiles[2].Path, cert}
	if !slices.Equal(got.Files(), files) {
		t.Errorf("files %v", got.Files())
	}
}

// designed is the table of [limits.sending] where the file says nothing.
var designed = Sending{
	Account:   []Window{{time.Minute, 50, 100}, {10 * time.Minute, 100, 200}, {time.Hour, 200, 400}, {10 * time.Hour, 500, 1000}},
	Client:    []Window{{time.Minute, 50, 100}, {10 * time.Minute, 100, 200}, {time.Hour, 300, 600}, {10 * time.Hour, 600, 1000}},
	NightFrom: 20 * time.Hour, NightTo: 7 * time.Hour, NightDivide: 4, WeekendDivide: 2,
}

// minimal is the shortest file that works.
const minimal = `hostname = "mail.example.org"
postmaster = "alice@example.org"
[listen]
smtp = "127.0.0.1:0"
[domains."example.org"]
[accounts."alice@example.org"]
`

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.toml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != filepath.Join(dir, "data") || c.Location != time.Local || c.TLS.PlaintextLogin != PlaintextLoopback ||
		c.Limits.MessageSize != 25_000_000 || c.Limits.Recipients != 100 || !reflect.DeepEqual(c.Limits.Sending, designed) || c.Retention != (Retention{Deleted: 60 * 24 * time.Hour, Trash: Never, Junk: Never, Account: 30 * 24 * time.Hour, Quarantine: 14 * 24 * time.Hour, Trace: 90 * 24 * time.Hour}) || c.Directory.Quota != 5_000_000_000 || c.Directory.Domains[0].Separator != "+" || !c.Directory.Accounts[0].Keep ||
		c.Lua != (Lua{5_000_000, 250 * time.Millisecond, 2 * time.Second, 32_000_000, 32, 4, 1, 1, 10, 20, 256_000}) {
		t.Errorf("%+v", c)
	}
	other, err := Parse(path, []byte(minimal+"\n"))
	if err != nil || other.Digest == c.Digest {
		t.Errorf("%v; the digest of another file is %s", err, other.Digest)
	}
}

// TestShipped loads the files that ship.
func TestShipped(t *testing.T) {
	for _, file := range []string{"../../mail.toml", "../../examples/association.toml", "../../examples/family.toml", "../../examples/behind-a-relay.toml", "../../examples/school.toml"} {
		c, err := Load(file)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		demo := c.DemoAccounts()
		if strings.HasSuffix(file, "mail.toml") != (len(demo) > 0) {
			t.Errorf("%s: the demonstration's password is that of %v", file, demo)
		}
	}
	c, err := Load("../../mail.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Limits.Sending, designed) {
		t.Errorf("mail.toml shows other limits than the defaults: %+v", c.Limits.Sending)
	}
	for _, name := range []string{"alice@example.org", "bob@example.org"} {
		a, ok := directory.New(c.Directory).Login(name)
		match, err := password.NewVerifier().Verify(t.Context(), string(a.Password), "demo")
		if !ok || !match || err != nil || !slices.Contains(c.DemoAccounts(), a.Address) {
			t.Errorf("%s can't log in with demo: %v, %v", name, match, err)
		}
	}
}

// TestShippedShowsAll takes the # off every line of the mail.toml that ships:
// every rule must be there, what is not supported yet must say so in its
// comment, and nothing else.
func TestShippedShowsAll(t *testing.T) {
	data, err := os.ReadFile("../../mail.toml")
	if err != nil {
		t.Fatal(err)
	}
	off := regexp.MustCompile(`(?m)^# (\[[a-z]|[a-z_.]+ +=|"[^"]+" +=)`)
	whole := off.ReplaceAll(data, []byte("$1"))
	_, err = Parse("../../mail.toml", whole)
	all, ok := err.(*Errors)
	if !ok {
		t.Fatalf("%v", err)
	}
	lines := strings.Split(string(whole), "\n")
	refused := map[int]bool{}
	for _, p := range all.Problems {
		if strings.Contains(p.Text, "not supported yet") {
			refused[p.Line] = true
			if !strings.Contains(lines[p.Line-1], "not supported yet") {
				t.Errorf("%v: the comment of the line does not say so", p)
			}
		} else if strings.Contains(p.Text, "unknown") || strings.Contains(p.Text, "TOML") || strings.Contains(p.Text, "twice") {
			t.Error(p)
		}
	}
	for i, line := range lines {
		if strings.Contains(line, "not supported yet") && !refused[i+1] && !strings.HasPrefix(line, "# ") {
			t.Errorf("line %d is supported: %s", i+1, line)
		}
	}
	root, ok := parse(whole, newReport("mail.toml", whole))
	if !ok {
		t.Fatal("no tree")
	}
	for _, r := range rules() {
		if !strings.HasPrefix(r.path, "listen.") || strings.Count(r.path, ".") == 1 { // else of a listener as a table
			if !shown(root, strings.Split(r.path, ".")) {
				t.Errorf("%s is not shown", r.path)
			}
		}
	}
}

// shown tells whether a rule's path is in a tree.
func shown(n *node, path []string) bool {
	if len(path) == 0 {
		return true
	}
	if n == nil || n.kind != table {
		return false
	}
	if !strings.HasPrefix(path[0], "<") {
		return shown(n.byName[path[0]], path[1:])
	}
	return slices.ContainsFunc(n.children, func(c *node) bool { return shown(c, path[1:]) })
}

func TestUnits(t *testing.T) {
	for s, want := range map[string]int64{
		"25 MB": 25_000_000, "25MB": 25_000_000, "1.5 GiB": 3 << 29, "1 kb": 1000, "1 KiB": 1024, "0 B": 0, "0.5 tb": 500_000_000_000, " 7 b ": 7,
		"": -1, "25": -1, "MB": -1, "1 2 MB": -1, "1e3 MB": -1, "-1 MB": -1, "1..5 MB": -1, "9999 TB": -1, "NaN MB": -1, "1 XB": -1,
	} {
		got, err := ParseSize(s)
		if (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "14 days": 14 * day, "1 day": day, "2 weeks": 14 * day, "1 year": 365 * day, "250 ms": 250 * time.Millisecond,
		"1.5 hours": 90 * time.Minute, "10m": 10 * time.Minute, "10 min": 10 * time.Minute, "3 h": 3 * time.Hour, "0s": 0,
		"": -1, "90": -1, "s": -1, "-1 s": -1, "1 month": -1, "1 ss": -1, "1h30m": -1, "101 years": -1, "never": -1,
	} {
		got, err := ParseDuration(s)
		if (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 64_000: "64 kB", 1500: "1500 B", 2_000_000_000: "2 GB", 3e12: "3 TB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
