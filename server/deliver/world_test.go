package deliver

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/mailbox/mailboxtest"
	"facteur/server/message"
	"facteur/server/safefile"
	"facteur/server/senderauth"
	"facteur/server/spool"
	"facteur/server/srs"
	"facteur/server/statedb"
	"facteur/server/testkit"
)

// world is a Deliverer over a real store and a real spool. Other servers are
// always busy, unless open is set.
type world struct {
	*testing.T
	dir   string
	fs    safefile.FS
	store *mailbox.Store
	queue *spool.Spool
	*Deliverer
	ready    chan struct{} // closed once all of it is there
	srs      *srs.Rewriter
	db       *statedb.DB // of Options.Redirects, when remembering
	settings Settings
	hooks    map[string][]hook.Hook // by mailbox

	mu   sync.Mutex
	log  testkit.Log
	open bool
	sent []string // "x@example.net: text"
	gone []departed
	keys error    // of all signatures
	said []Notice // by Tell
	told []string // reports of the spool
}

// setHooks gives a mailbox scripts, also while the spool is at work.
func (w *world) setHooks(box string, hooks []hook.Hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks[box] = hooks
}

// logged tells whether an event was logged.
func (w *world) logged(event string) bool {
	return strings.Contains(w.log.String(), "msg="+event)
}

func addr(s string) address.Address { return address.MustParse(s) }

func to(list ...string) []directory.Target {
	var out []directory.Target
	for _, s := range list {
		out = append(out, directory.Target{Address: addr(s)})
	}
	return out
}

// all@ is a list of crowd members, most@ of the first few of them.
const (
	crowd = 100
	few   = 20
)

func member(i int) string { return fmt.Sprintf("m%02d", i) }

func everybody() directory.Options {
	o := directory.Options{
		Domains: []directory.Domain{{Name: "example.org", Separator: "+"}},
		Accounts: []directory.Account{
			{Address: addr("alice@example.org")}, {Address: addr("bob@example.org")}, {Address: addr("carol@example.org")},
			{Address: addr("small@example.org"), Quota: 100},
			{Address: addr("gone@example.org"), Redirect: to("x@example.net")},
			{Address: addr("both@example.org"), Redirect: to("x@example.net", "y@example.net"), Keep: true},
			{Address: addr("off@example.org"), Redirect: to("x@example.net", "y@example.net")},
			{Address: addr("tiny@example.org"), Redirect: to("x@example.net", "y@example.net"), Quota: 1},
		},
		Aliases: []directory.Alias{
			{Address: addr("team@example.org"), To: to("alice@example.org", "bob@example.org", "carol@example.org", "x@example.net")},
			{Address: addr("out@example.org"), To: to("x@example.net")},
		},
	}
	var all []string
	for i := range crowd {
		name := member(i) + "@example.org"
		o.Accounts = append(o.Accounts, directory.Account{Address: addr(name)})
		all = append(all, name)
	}
	o.Aliases = append(o.Aliases, directory.Alias{Address: addr("all@example.org"), To: to(all...)},
		directory.Alias{Address: addr("most@example.org"), To: to(all[:few]...)})
	return o
}

// newWorld opens a world on a directory.
func newWorld(t *testing.T, dir string, fsys safefile.FS) *world {
	t.Helper()
	w := &world{T: t, dir: dir, fs: fsys, ready: make(chan struct{}), hooks: make(map[string][]hook.Hook)}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	var err error
	w.queue, err = spool.Open(spool.Options{
		Dir: filepath.Join(dir, "spool"), FS: fsys, Log: log, Hostname: "mail.example.org", Attempt: w, Inject: w.report,
		Schedule: spool.Schedule{Jitter: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.store, err = mailbox.Open(mailbox.Options{Dir: filepath.Join(dir, "domains"), Tmp: filepath.Join(dir, "spool", "tmp"), FS: fsys, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w.srs = srs.New(srs.Options{Dir: filepath.Join(dir, "keys"), FS: fsys})
	w.settings = Settings{
		Hostname: "mail.example.org", Directory: directory.New(everybody()),
		Hooks: func(a address.Address) []hook.Hook {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.hooks[a.String()]
		},
	}
	w.Deliverer = New(Options{Store: w.store, Spool: w.queue, Log: log, SRS: w.srs, Keys: signer{w}, Tell: w.tell}, w.settings)
	close(w.ready)
	return w
}

// close ends the world; attempts that run are broken off.
func (w *world) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.queue.Close(ctx)
	w.store.Close()
	if w.db != nil {
		w.db.Close()
	}
}

// Attempt is that of spool.Attempter, with what package server does for local ones.
func (w *world) Attempt(ctx context.Context, item spool.Item) []spool.Result {
	<-w.ready
	results := make([]spool.Result, len(item.Recipients))
	if !item.Local {
		text, raw := textOf(item.Body), rawOf(item.Body)
		from := item.Envelope.Sender.ReversePath
		if from.IsSRS() { // whatever happened since: a bounce comes back
			if _, err := w.srs.Reverse(ctx, from); err != nil {
				w.Errorf("%s: %v", from, err)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, r := range item.Recipients {
			if !w.open {
				results[i].Fault = fault.New(fault.TryLater, "Busy")
				continue
			}
			w.sent = append(w.sent, r.ForwardPath.String()+": "+text)
			w.gone = append(w.gone, departed{r.ForwardPath.String(), from.String(), raw})
		}
		return results
	}
	header, err := message.ReadHeader(item.Body)
	if err != nil {
		w.Error(err)
	}
	var targets []Target
	for _, r := range item.Recipients {
		targets = append(targets, Target{
			Destination: directory.Destination{Kind: directory.Box, Address: r.ForwardPath}, Recipient: r.Recipient, Unique: item.ID,
		})
	}
	for i, err := range w.Deliver(ctx, Message{Envelope: item.Envelope, Body: item.Body, Header: header}, targets) {
		if err != nil {
			results[i].Fault = fault.As(err)
		}
	}
	return results
}

func (w *world) report(_ context.Context, env envelope.Envelope, body envelope.Body) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, err := io.ReadAll(envelope.NewReader(body))
	w.told = append(w.told, env.Recipients[0].ForwardPath.String()+"\n"+string(raw))
	return err
}

func rawOf(b envelope.Body) string {
	raw, err := io.ReadAll(envelope.NewReader(b))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// textOf returns the line that tells a test's messages from each other.
func textOf(b envelope.Body) string {
	_, text, _ := strings.Cut(rawOf(b), "\r\n\r\n")
	return strings.TrimSpace(text)
}

// mail is a message with its recipients.
type mail struct {
	text   string
	header string
	from   string // "-": the null reverse-path
	notify envelope.Notify
	to     []string
	unique string
	lmtp   bool
	as     string             // the account that sends it
	auth   senderauth.Results // of one that nobody here sends
	hold   string
	junk   bool
}

// send delivers a message to what its recipients lead to, and returns the
// answers by the address of the destination.
func (w *world) send(m mail) map[string]error {
	w.Helper()
	body := envelope.Bytes("From: " + cmp.Or(m.as, "z@example.com") + "\r\n" + m.header + "\r\n" + m.text + "\r\n")
	header, err := message.ReadHeader(body)
	if err != nil {
		w.Fatal(err)
	}
	env := envelope.Envelope{ID: cmp.Or(m.unique, envelope.NewID()), Session: envelope.Session{Listener: "smtp"}}
	if m.as != "" {
		env.Session.Account = addr(m.as)
	}
	if m.from != "-" {
		env.Sender.ReversePath = addr(cmp.Or(m.from, m.as, "z@example.com"))
	}
	var targets []Target
	for _, s := range m.to {
		r := envelope.Recipient{ForwardPath: addr(s), Notify: m.notify}
		env.Recipients = append(env.Recipients, r)
		res := w.settings.Directory.Resolve(r.ForwardPath)
		if !res.Local {
			res.Destinations = []directory.Destination{{Kind: directory.Remote, Address: r.ForwardPath}}
		}
		for _, d := range res.Destinations {
			targets = append(targets, Target{Destination: d, Recipient: r, Unique: m.unique, Answered: m.lmtp})
		}
	}
	answers := make(map[string]error)
	errs := w.Deliver(context.Background(), Message{Envelope: env, Body: body, Header: header, Trace: []byte("Received: test\r\n"), Auth: m.auth, Hold: m.hold, Junk: m.junk}, targets)
	for i, err := range errs {
		answers[targets[i].Address.String()] = err
	}
	return answers
}

// found is a message in a mailbox.
type found struct {
	text, raw, flags string
}

// box returns what is in a folder, "alice/INBOX".
func (w *world) box(where string) []found {
	w.Helper()
	who, folder, _ := strings.Cut(where, "/")
	var out []found
	for _, m := range mailboxtest.Folder(w, w.store, addr(who+"@example.org"), folder) {
		out = append(out, found{textOf(envelope.Bytes(m.Text)), m.Text, m.Flags})
	}
	return out
}

// count returns how often a text is in INBOX.
func (w *world) count(who, text string) int {
	n := 0
	for _, f := range w.box(who + "/INBOX") {
		if f.text == text {
			n++
		}
	}
	return n
}

// waiting returns who the spool has yet to reach: "x@example.net" or, of a
// local one, "local bob@example.org".
func (w *world) waiting() []string {
	var out []string
	for _, e := range w.queue.List() {
		for _, r := range e.Recipients {
			switch {
			case r.Done:
			case r.Local:
				out = append(out, "local "+r.Address.String())
			default:
				out = append(out, r.Address.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

// files returns the texts in all folders of some people: "alice/INBOX".
func (w *world) files(who ...string) []string {
	w.Helper()
	var out []string
	for _, name := range who {
		for _, m := range mailboxtest.All(w, w.store, addr(name+"@example.org")) {
			out = append(out, strings.TrimSpace(name+"/"+m.Folder+" "+m.Flags))
		}
	}
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func taken(t *testing.T, answers map[string]error) {
	t.Helper()
	for _, who := range slices.Sorted(maps.Keys(answers)) {
		if answers[who] != nil {
			t.Errorf("%s: %v", who, answers[who])
		}
	}
}

// script is a program with a fixed outcome at the stage deliver.
type script struct {
	out hook.Outcome
}

func (script) Name() string              { return "test.lua" }
func (script) Hash() string              { return "" }
func (script) Handles(s hook.Stage) bool { return s == hook.Deliver }

func (s script) Run(context.Context, hook.Call) hook.Outcome { return s.out }

func does(actions ...hook.Action) []hook.Hook {
	return []hook.Hook{{Program: script{hook.Outcome{Actions: actions}}}}
}
