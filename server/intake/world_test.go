package intake

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/mailbox/mailboxtest"
	"facteur/server/safefile"
	"facteur/server/spool"
	"facteur/server/testkit"
)

func addr(s string) address.Address { return address.MustParse(s) }

func to(list ...string) []directory.Target {
	var out []directory.Target
	for _, s := range list {
		out = append(out, directory.Target{Address: addr(s)})
	}
	return out
}

func everybody() directory.Options {
	return directory.Options{
		Hostname: "mail.example.org", Postmaster: addr("alice@example.org"),
		Unwrap:  func(address.Address) (address.Address, error) { return addr("far@example.net"), nil },
		Domains: []directory.Domain{{Name: "example.org", Aliases: []address.Domain{"example.com"}, Separator: "+"}},
		Accounts: []directory.Account{
			{Address: addr("alice@example.org"), SendAs: []address.Address{addr("news@example.net")}},
			{Address: addr("bob@example.org")},
			{Address: addr("small@example.org"), Quota: 1000},
			{Address: addr("full@example.org"), Quota: 1},
		},
		Aliases: []directory.Alias{
			{Address: addr("info@example.org"), To: to("alice@example.org")},
			{Address: addr("team@example.org"), To: to("alice@example.org", "bob@example.org", "x@example.net")},
			{Address: addr("both@example.org"), To: to("full@example.org", "bob@example.org")},
			{Address: addr("out@example.org"), To: to("x@example.net")},
		},
		Shared: []directory.Shared{{Address: addr("office@example.org"), Members: to("bob@example.org"), Owners: to("alice@example.org")}},
	}
}

// world is an Intake over a real store and a real spool, whose attempts at other
// servers are always answered with 450.
type world struct {
	*testing.T
	*Intake
	store    *mailbox.Store
	queue    *spool.Spool
	settings Settings
	attempts chan spool.Item // the first hundred, while there is room
	log      testkit.Log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, attempts: make(chan spool.Item, 100)}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	var err error
	w.queue, err = spool.Open(spool.Options{
		Dir: filepath.Join(dir, "spool"), FS: safefile.Unsynced{FS: safefile.OS}, Log: log, Attempt: w,
		Inject: func(ctx context.Context, env envelope.Envelope, b envelope.Body) error {
			return errors.New("not in this test")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.store, err = mailbox.Open(mailbox.Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "spool", "tmp"), FS: safefile.Unsynced{FS: safefile.OS}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.queue.Close(ctx)
		w.store.Close()
	})
	none := func(address.Address) []hook.Hook { return nil }
	d := directory.New(everybody())
	w.settings = Settings{Hostname: "mail.example.org", Directory: d, BoxHooks: none}
	w.Intake = New(Options{
		Deliver: deliver.New(deliver.Options{Store: w.store, Spool: w.queue, Log: log}, deliver.Settings{Directory: d, Hooks: none}),
		Store:   w.store, Log: log,
	}, w.settings)
	return w
}

// Attempt is that of spool.Attempter.
func (w *world) Attempt(_ context.Context, item spool.Item) []spool.Result {
	select {
	case w.attempts <- item:
	default:
	}
	results := make([]spool.Result, len(item.Recipients))
	for i := range results {
		results[i].Fault = fault.New(fault.TryLater, "Busy")
	}
	return results
}

// mail is a transaction.
type mail struct {
	as       string // the account of the login, "" without one
	listener string // "" is smtp
	from     string // "<>": the null reverse-path; "" is z@example.net
	size     int64
	hold     time.Duration // from when it is sent (RFC 4865)
	to       []string
	header   string // "" is a From that fits
	text     string
}

// result is what came of it.
type result struct {
	mail    error
	rcpt    []error
	data    error
	receipt Receipt
}

// first returns the first error of the transaction.
func (r result) first() error {
	for _, err := range append([]error{r.mail}, append(r.rcpt, r.data)...) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) send(m mail) (r result) {
	w.Helper()
	ctx := context.Background()
	sess := envelope.Session{ID: "s1", Listener: cmp.Or(m.listener, "smtp"), Remote: netip.MustParseAddrPort("192.0.2.1:4000"), Helo: "client.example", ESMTP: true}
	var cred auth.Credential
	if m.as != "" {
		cred.Account, sess.Account = addr(m.as), addr(m.as)
	}
	tx := w.Begin(sess, cred)
	sender := envelope.Sender{Size: m.size}
	if m.hold > 0 {
		sender.HoldUntil = w.Intake.opts.Now().Add(m.hold)
	}
	if m.from != "<>" {
		sender.ReversePath = addr(cmp.Or(m.from, m.as, "z@example.net"))
	}
	if r.mail = tx.Mail(ctx, sender); r.mail != nil {
		return r
	}
	taken := 0
	for _, s := range m.to {
		rcpt := envelope.Recipient{ForwardPath: address.Address{Local: s}} // <postmaster>
		if strings.Contains(s, "@") {
			rcpt.ForwardPath = addr(s)
		}
		err := tx.Rcpt(ctx, rcpt)
		if err == nil {
			taken++
		}
		r.rcpt = append(r.rcpt, err)
	}
	if taken == 0 {
		return r
	}
	header := cmp.Or(m.header, "From: "+cmp.Or(m.as, "z@example.net")+"\r\n")
	r.receipt, r.data = tx.Data(ctx, envelope.Bytes(header+"\r\n"+m.text+"\r\n"))
	return r
}

// inbox returns the messages of an account in INBOX.
func (w *world) inbox(who string) []string {
	w.Helper()
	return w.folder(who, "INBOX")
}

// folder returns the messages in a folder of an account.
func (w *world) folder(who, name string) []string {
	w.Helper()
	var out []string
	for _, m := range mailboxtest.Folder(w, w.store, addr(who), name) {
		out = append(out, m.Text)
	}
	return out
}

// everywhere counts the messages of all accounts, and of the spool.
func (w *world) everywhere() (boxes, spooled int) {
	w.Helper()
	for _, a := range []string{"alice@example.org", "bob@example.org", "small@example.org", "full@example.org", "office@example.org"} {
		boxes += len(w.inbox(a))
	}
	for _, e := range w.queue.List() {
		spooled += len(e.Recipients)
	}
	return boxes, spooled
}

// script is a program with fixed outcomes.
type script struct {
	name  string
	stage hook.Stage
	out   hook.Outcome
	calls *[]hook.Call
}

func (s script) Name() string               { return s.name }
func (script) Hash() string                 { return "" }
func (s script) Handles(st hook.Stage) bool { return st == s.stage }

func (s script) Run(_ context.Context, c hook.Call) hook.Outcome {
	if s.calls != nil {
		*s.calls = append(*s.calls, c)
	}
	return s.out
}

func at(stage hook.Stage, actions ...hook.Action) hook.Hook {
	return hook.Hook{Program: script{name: "test.lua", stage: stage, out: hook.Outcome{Actions: actions}}}
}

func (w *world) hooks(server []hook.Hook, box map[string][]hook.Hook) {
	w.settings.ServerHooks = server
	w.settings.BoxHooks = func(a address.Address) []hook.Hook { return box[a.String()] }
	w.Apply(w.settings)
}
