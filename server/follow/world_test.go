package follow

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/autoreply"
	"facteur/server/collection"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/mailbox"
	"facteur/server/mailbox/mailboxtest"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/safefile"
	"facteur/server/schedule"
	"facteur/server/scheduling"
	"facteur/server/spool"
	"facteur/server/statedb"
	"facteur/server/testkit"
)

// program is a script of a test.
type program struct {
	stages []hook.Stage
	run    func(hook.Call) []hook.Action
}

func (program) Name() string                { return "test.lua" }
func (program) Hash() string                { return "" }
func (p program) Handles(s hook.Stage) bool { return slices.Contains(p.stages, s) }

func (p program) Run(_ context.Context, c hook.Call) hook.Outcome {
	return hook.Outcome{Actions: p.run(c)}
}

// world is a Follower over a real store, spool and delivery. Other servers answer as told.
type world struct {
	*testing.T
	dir      string
	store    *mailbox.Store
	queue    *spool.Spool
	db       *statedb.DB
	deliver  *deliver.Deliverer
	settings Settings
	*Follower
	kept      []*collection.Store
	calendars *scheduling.Scheduler
	ready     chan struct{}
	end       func()

	mu       sync.Mutex
	log      testkit.Log
	scripts  map[string]program // by mailbox
	answers  map[string]*fault.Fault
	sent     []sent
	injected []sent
	down     error // what the sending of an answer fails with
}

// sent is a message that left.
type sent struct {
	to, raw string
	env     envelope.Envelope
}

func addr(s string) address.Address { return address.MustParse(s) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), scripts: make(map[string]program), answers: make(map[string]*fault.Fault)}
	w.open()
	return w
}

// open starts the world, or starts it again on the same data.
func (w *world) open() {
	w.Helper()
	w.ready = make(chan struct{})
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	var err error
	check := func() {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
	}
	w.db, err = statedb.Open(filepath.Join(w.dir, "state.db"), log)
	check()
	w.queue, err = spool.Open(spool.Options{
		Dir: filepath.Join(w.dir, "spool"), FS: safefile.OS, Log: log, Hostname: "mail.example.org", Attempt: w,
		Inject: w.inject, Schedule: spool.Schedule{Jitter: -1},
		Wanted: func(e spool.Event) bool { return w.Wanted(e) }, Told: func(e spool.Event) { w.Told(e) },
	})
	check()
	w.store, err = mailbox.Open(mailbox.Options{Dir: filepath.Join(w.dir, "domains"), Tmp: filepath.Join(w.dir, "spool", "tmp"), Log: log, NoText: true})
	check()
	dir := directory.New(directory.Options{
		Domains:  []directory.Domain{{Name: "example.org"}},
		Accounts: []directory.Account{{Address: addr("alice@example.org")}, {Address: addr("bob@example.org")}},
		Shared:   []directory.Shared{{Address: addr("team@example.org")}},
	})
	hooks := func(a address.Address) []hook.Hook {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p, ok := w.scripts[a.String()]; ok {
			return []hook.Hook{{Program: p}}
		}
		return nil
	}
	w.settings = Settings{Hostname: "mail.example.org", Directory: dir, Hooks: hooks}
	replies, err := schedule.Open(w.db)
	check()
	redirects, err := redirect.Open(context.Background(), w.db, nil)
	check()
	auto, err := autoreply.Open(w.db, nil)
	check()
	w.Follower = New(Options{Store: w.store, Log: log, Replies: replies}, w.settings)
	w.openCalendars(log, dir, replies)
	w.deliver = deliver.New(deliver.Options{
		Store: w.store, Spool: w.queue, Log: log, Redirects: redirects, Replies: auto, Delivered: w.Delivered,
	}, deliver.Settings{Hostname: "mail.example.org", Directory: dir, Hooks: hooks})
	w.Use(w.deliver)
	close(w.ready)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Follower.Run(ctx)
	}()
	scheduled := make(chan struct{})
	go func() {
		defer close(scheduled)
		w.calendars.Run(ctx)
	}()
	w.end = func() {
		cancel()
		<-done
		<-scheduled
		for _, c := range w.kept {
			if err := c.Close(); err != nil {
				w.Error(err)
			}
		}
		w.queue.Close(ctx)
		if err := w.store.Close(); err != nil {
			w.Error(err)
		}
		if err := w.db.Close(); err != nil {
			w.Error(err)
		}
	}
}

// openCalendars makes what works invitations in. bob is no stranger to it, nor is ann.
func (w *world) openCalendars(log *slog.Logger, dir *directory.Directory, replies *schedule.Memory) {
	w.Helper()
	tmp := filepath.Join(w.dir, "spool", "tmp")
	open := func(name string, index func(collection.Kind, []byte) (collection.Facts, error)) *collection.Store {
		s, err := collection.Open(collection.Options{Dir: filepath.Join(w.dir, name), Tmp: tmp, Log: log, Index: index, Defaults: homes.Defaults()})
		if err != nil {
			w.Fatal(err)
		}
		return s
	}
	w.kept = []*collection.Store{open("domains", homes.Index), open("derived", homes.DerivedIndex)}
	newest := func() *directory.Directory { return dir }
	var err error
	w.calendars, err = scheduling.Open(scheduling.Options{
		Homes: homes.New(homes.Options{Store: w.kept[0], Derived: w.kept[1], Directory: newest}), Directory: newest,
		Dir: filepath.Join(w.dir, "scheduling"), Log: log, Ask: w.Invited, Answers: replies,
		Send: func(ctx context.Context, _ address.Address, env envelope.Envelope, b envelope.Body) error {
			return w.answer(ctx, env, b)
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.UseScheduling(w.calendars)
}

// logged counts the lines of an event that hold a text.
func (w *world) logged(event, text string) (n int) {
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "msg="+event+" ") && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// script gives a mailbox a script.
func (w *world) script(box string, run func(hook.Call) []hook.Action, stages ...hook.Stage) {
	w.mu.Lock()
	w.scripts[box] = program{stages, run}
	w.mu.Unlock()
	w.Apply(w.settings)
}

// Attempt is that of spool.Attempter.
func (w *world) Attempt(_ context.Context, item spool.Item) []spool.Result {
	<-w.ready
	w.mu.Lock()
	defer w.mu.Unlock()
	results := make([]spool.Result, len(item.Recipients))
	for i, r := range item.Recipients {
		if f := w.answers[r.ForwardPath.String()]; f != nil {
			results[i] = spool.Result{Fault: f, Remote: "mx.example.net"}
			continue
		}
		results[i] = spool.Result{Remote: "mx.example.net", Reply: "ok"}
		w.sent = append(w.sent, sent{r.ForwardPath.String(), rawOf(item.Body), item.Envelope})
	}
	return results
}

func (w *world) inject(_ context.Context, env envelope.Envelope, b envelope.Body) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.injected = append(w.injected, sent{env.Recipients[0].ForwardPath.String(), rawOf(b), env})
	return nil
}

// answer sends the answer to an invitation.
func (w *world) answer(ctx context.Context, env envelope.Envelope, b envelope.Body) error {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down != nil {
		return down
	}
	return w.inject(ctx, env, b)
}

// setDown has the sending of answers fail; nil: no more.
func (w *world) setDown(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = err
}

// answered returns the mail that was injected so far.
func (w *world) answered() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.injected)
}

// takeSent returns what left since it was called last: "TO Subject".
func (w *world) takeSent() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sent {
		m, err := mail.ReadMessage(strings.NewReader(s.raw))
		if err != nil {
			w.Error(err)
			continue
		}
		list = append(list, s.to+" "+m.Header.Get("Subject"))
	}
	w.sent = nil
	slices.Sort(list)
	return list
}

func rawOf(b envelope.Body) string {
	raw, err := io.ReadAll(envelope.NewReader(b))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// send delivers a message from a stranger, or from an account here, to one address.
func (w *world) send(raw, account, to string, change func(*deliver.Message)) {
	w.Helper()
	body := envelope.Bytes(strings.ReplaceAll(raw, "\n", "\r\n"))
	header, err := message.ReadHeader(body)
	if err != nil {
		w.Fatal(err)
	}
	m := deliver.Message{Body: body, Header: header, Envelope: envelope.Envelope{
		ID: envelope.NewID(), Session: envelope.Session{Listener: "smtp"}, Recipients: []envelope.Recipient{{ForwardPath: addr(to)}},
	}}
	m.Envelope.Sender.ReversePath = addr("z@example.com")
	if account != "" {
		m.Envelope.Session.Account, m.Envelope.Sender.ReversePath = addr(account), addr(account)
	}
	if change != nil {
		change(&m)
	}
	target := deliver.Target{Recipient: m.Envelope.Recipients[0], Destination: directory.Destination{Kind: directory.Remote, Address: addr(to)}}
	if w.settings.box(addr(to)) {
		target.Kind = directory.Box
	}
	for _, err := range w.deliver.Deliver(context.Background(), m, []deliver.Target{target}) {
		if err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) folder(box, name string) *mailbox.Mailbox {
	w.Helper()
	home, err := w.store.Home(addr(box))
	if err != nil {
		w.Fatal(err)
	}
	if !home.Exists(name) {
		if err := home.Create(name, ""); err != nil {
			w.Fatal(err)
		}
	}
	mb, err := home.Mailbox(name)
	if err != nil {
		w.Fatal(err)
	}
	return mb
}

// put puts a message into a folder.
func (w *world) put(mb *mailbox.Mailbox, text string, flags ...string) mailbox.UID {
	w.Helper()
	d, err := w.store.Draft()
	if err != nil {
		w.Fatal(err)
	}
	defer d.Discard()
	if _, err := d.Write([]byte("From: z@example.com\r\nReturn-Path: <y@example.com>\r\nSubject: " + text + "\r\n\r\n" + text + "\r\n")); err != nil {
		w.Fatal(err)
	}
	uid, err := mb.Add(d, mailbox.AddOptions{Flags: flags, InternalDate: time.Now()})
	if err == nil {
		err = mb.Sync()
	}
	if err != nil {
		w.Fatal(err)
	}
	return uid
}

// files returns what lies in the folders of a mailbox: "INBOX 1 \Seen".
func (w *world) files(box string) (list []string) {
	w.Helper()
	for _, m := range mailboxtest.All(w, w.store, addr(box)) {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %d %s", m.Folder, m.UID, m.Flags)))
	}
	return list
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
