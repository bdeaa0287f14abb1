package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/limit"
	"facteur/server/senderauth"
	"facteur/server/testkit"
)

var bob = []string{"bob@example.org"}

// named is a script of a name: what it may ask for depends on whose it is.
func named(name string, stage hook.Stage, actions ...hook.Action) hook.Hook {
	for i := range actions {
		actions[i].Script = name
	}
	return hook.Hook{Program: script{name: name, stage: stage, out: hook.Outcome{Actions: actions}}}
}

// queued lists what waits in the spool: "to via: hold".
func (w *world) queued() []string {
	w.Helper()
	var out []string
	for _, e := range w.queue.List() {
		d, err := w.queue.Show(e.ID)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range d.Recipients {
			s := r.Address.String()
			if !r.Forwarder.IsZero() {
				s += " by " + r.Forwarder.String()
			}
			if e.Hold != "" {
				s += ": " + e.Hold
			}
			if e.Quarantine {
				s += ", quarantine"
			}
			out = append(out, s)
		}
	}
	return out
}

// TestMailStage: it runs for all, before any recipient, with the scripts of an own user.
func TestMailStage(t *testing.T) {
	no := hook.Action{Kind: hook.Reject, Fault: fault.Reply(fault.Policy, 550, "5.7.9", "No")}
	later := hook.Action{Kind: hook.Tempfail, Fault: fault.Reply(fault.TryLater, 451, "4.7.9", "Later")}
	alice := map[string][]hook.Hook{"alice@example.org": {at(hook.Mail, no)}}
	for _, c := range []struct {
		name   string
		server []hook.Hook
		box    map[string][]hook.Hook
		mail   mail
		want   string
	}{
		{"nothing", []hook.Hook{at(hook.Mail)}, nil, mail{to: bob}, ""},
		{"reject", []hook.Hook{at(hook.Mail, no)}, nil, mail{to: bob}, "550 5.7.9"},
		{"tempfail", []hook.Hook{at(hook.Mail, later)}, nil, mail{to: bob}, "451 4.7.9"},
		{"of an own user", []hook.Hook{at(hook.Mail, no)}, nil, mail{as: "alice@example.org", to: bob}, "550 5.7.9"},
		{"by LMTP", []hook.Hook{at(hook.Mail, no)}, nil, mail{listener: "lmtp", to: bob}, "550 5.7.9"},
		{"of that user's scripts", nil, alice, mail{as: "alice@example.org", to: bob}, "550 5.7.9"},
		{"not for mail to them", nil, alice, mail{to: []string{"alice@example.org"}}, ""},
	} {
		w := newWorld(t)
		w.hooks(c.server, c.box)
		if got := answer(w.send(c.mail).mail); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestConnectAndAuth: what scripts say of a client and of a login.
func TestConnectAndAuth(t *testing.T) {
	no := hook.Action{Kind: hook.Reject, Fault: fault.New(fault.Policy, "Not from there")}
	delay := func(d time.Duration) hook.Action { return hook.Action{Kind: hook.Delay, For: d} }
	w := newWorld(t)
	var calls []hook.Call
	w.hooks([]hook.Hook{
		at(hook.Connect, delay(2*time.Second), delay(time.Hour)), at(hook.Connect, no),
		{Program: script{stage: hook.Connect, calls: &calls}},
	}, nil)
	g := w.Connect(t.Context(), envelope.Session{ID: "s", RDNS: "c.example"})
	if g.Delay != maxDelay || answer(g.Refusal) != "550 5.7.1" || len(calls) != 0 {
		t.Errorf("%+v", g)
	}
	w.hooks([]hook.Hook{{Program: script{stage: hook.Connect, calls: &calls}}}, nil)
	if g := w.Connect(t.Context(), envelope.Session{ID: "s", RDNS: "c.example"}); g != (Greeting{}) || calls[0].Client.RDNS != "c.example" || calls[0].Message != nil {
		t.Errorf("%+v", g)
	}

	login := hook.Login{Account: addr("alice@example.org"), Device: "phone", Mechanism: "PLAIN"}
	calls = nil
	w.hooks([]hook.Hook{{Program: script{stage: hook.Auth, calls: &calls}}}, map[string][]hook.Hook{"alice@example.org": {at(hook.Auth, no)}})
	if err := w.Auth(t.Context(), envelope.Session{Listener: "imap"}, login); answer(err) != "550 5.7.1" {
		t.Error(err)
	}
	if c := calls[0]; *c.Login != login || c.Client.Listener != "imap" {
		t.Errorf("%+v", c)
	}
	if err := w.Auth(t.Context(), envelope.Session{}, hook.Login{Account: addr("bob@example.org")}); err != nil {
		t.Error(err)
	}
	failing := hook.Hook{Program: script{stage: hook.Auth, out: hook.Outcome{Err: errors.New("boom")}}, Required: true}
	w.hooks([]hook.Hook{failing}, nil)
	if err := w.Auth(t.Context(), envelope.Session{}, login); !fault.Temporary(err) {
		t.Error(err)
	}
}

// TestRewrite: a recipient goes where a script says, as far as the sender might have written
// there; it stays what it was for reports.
func TestRewrite(t *testing.T) {
	to := func(list ...string) []hook.Hook {
		var all []hook.Hook
		for _, s := range list {
			all = append(all, at(hook.Rcpt, hook.Action{Kind: hook.Rewrite, Address: addr(s)}))
		}
		return all
	}
	const alice = "alice@example.org"
	for _, c := range []struct {
		name   string
		server []hook.Hook
		mail   mail
		want   string
		boxes  map[string]int
		queued []string
	}{
		{"to another box", to(alice), mail{to: bob}, "", map[string]int{alice: 1}, nil},
		{"the last one counts", to("nobody@example.org", alice), mail{to: bob}, "", map[string]int{alice: 1}, nil},
		{"to itself", to("Bob@example.org"), mail{to: bob}, "", map[string]int{bob[0]: 1}, nil},
		{"to an alias that leaves", to("out@example.org"), mail{to: bob}, "", nil, []string{"x@example.net by out@example.org"}},
		{"to nobody", to("nobody@example.org"), mail{to: bob}, "550 5.1.1", nil, nil},
		{"no open relay", to("x@example.net"), mail{to: bob}, "550 5.7.1", nil, nil},
		{"an own user may", to("y@example.net"), mail{as: alice, to: bob}, "", nil, []string{"y@example.net by bob@example.org"}},
		{"round and round", to("bob@example.org"), mail{to: []string{alice, bob[0]}}, "", map[string]int{bob[0]: 1}, nil},
		{"full", to("full@example.org"), mail{to: bob}, "452 4.2.2", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks(c.server, nil)
			r := w.send(c.mail)
			if got := answer(r.first()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			for _, box := range []string{alice, bob[0], "full@example.org"} {
				if n := len(w.inbox(box)); n != c.boxes[box] {
					t.Errorf("%d in %s", n, box)
				}
			}
			if got := w.queued(); fmt.Sprint(got) != fmt.Sprint(c.queued) {
				t.Errorf("%q", got)
			}
		})
	}
}

// resolver is a script of the stage resolve.
func resolver(name string, destinations ...string) hook.Hook {
	return hook.Hook{Program: script{name: name, stage: hook.Resolve, out: hook.Outcome{Destinations: destinations, Trace: []hook.Line{{Script: name, Line: 7}}}}}
}

// TestResolveStage: what scripts say of addresses that nothing else claims.
func TestResolveStage(t *testing.T) {
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprintf("n%d@example.net", i)
	}
	bad := func(required bool, h hook.Hook) hook.Hook { h.Required = required; return h }
	failing := hook.Hook{Program: script{name: "bad.lua", stage: hook.Resolve, out: hook.Outcome{Err: errors.New("boom")}}}
	for _, c := range []struct {
		name           string
		server, domain []hook.Hook
		to, want       string
		boxes          int
		queued         []string
	}{
		{"none", nil, nil, "new@example.org", "550 5.1.1", 0, nil},
		{"here", []hook.Hook{resolver("s.lua", "bob@example.org")}, nil, "new@example.org", "", 1, nil},
		{"elsewhere", []hook.Hook{resolver("s.lua", "y@example.net")}, nil, "new@example.org", "", 0, []string{"y@example.net by new@example.org"}},
		{"of the domain", nil, []hook.Hook{resolver("d.lua", "bob@example.org")}, "new@example.com", "", 1, nil},
		{"the server's first", []hook.Hook{resolver("s.lua", "bob@example.org")}, []hook.Hook{resolver("d.lua", "alice@example.org", "office@example.org")}, "new@example.org", "", 1, nil},
		{"several", []hook.Hook{resolver("s.lua", "bob@example.org", "alice@example.org", "Bob@example.org")}, nil, "new@example.org", "", 2, nil},
		{"known addresses are not asked about", []hook.Hook{resolver("s.lua", "bob@example.org", "alice@example.org")}, nil, "office@example.org", "", 1, nil},
		{"not for strangers' domains", []hook.Hook{resolver("s.lua", "bob@example.org")}, nil, "x@example.net", "550 5.7.1", 0, nil},
		{"round and round", []hook.Hook{resolver("s.lua", "new@example.org")}, nil, "new@example.org", "550 5.1.1", 0, nil},
		{"too many", []hook.Hook{resolver("s.lua", many...)}, nil, "new@example.org", "550 5.1.1", 0, nil},
		{"too many, required", []hook.Hook{bad(true, resolver("s.lua", many...))}, nil, "new@example.org", "451 4.3.0", 0, nil},
		{"no address", []hook.Hook{resolver("s.lua", "bob@example.org", "bob")}, nil, "new@example.org", "550 5.1.1", 0, nil},
		{"failing", []hook.Hook{failing, resolver("s.lua", "bob@example.org")}, nil, "new@example.org", "", 1, nil},
		{"failing, required", []hook.Hook{bad(true, failing), resolver("s.lua", "bob@example.org")}, nil, "new@example.org", "451 4.3.0", 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.settings.DomainHooks = func(d address.Domain) []hook.Hook {
				if d != "example.org" { // also of mail to a domain alias
					t.Errorf("asked for the scripts of %s", d)
				}
				return c.domain
			}
			w.hooks(c.server, nil)
			r := w.send(mail{to: []string{c.to}})
			if got := answer(r.first()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if boxes, _ := w.everywhere(); boxes != c.boxes || fmt.Sprint(w.queued()) != fmt.Sprint(c.queued) {
				t.Errorf("%d messages, %q", boxes, w.queued())
			}
		})
	}
	w := newWorld(t)
	w.hooks([]hook.Hook{resolver("s.lua", "bob@example.org")}, nil)
	router := w.route(w.live.Load())
	router.Trace = hook.TraceLines
	if steps := strings.Join(router.Resolve(t.Context(), addr("new@example.org")).Steps, "\n"); !strings.Contains(steps, "says s.lua:7") {
		t.Error(steps)
	}
	// A message of this server itself finds its way by them too.
	env := envelope.Envelope{ID: "dsn1", Recipients: []envelope.Recipient{{ForwardPath: addr("new@example.org")}}}
	if err := w.Inject(t.Context(), env, envelope.Bytes("From: postmaster@example.org\r\n\r\nHi\r\n")); err != nil || len(w.inbox(bob[0])) != 1 {
		t.Error(err)
	}
}

// TestAddRcpt: a script's further recipient gets the message, and the sender never hears of
// it; only the server's scripts may add one to which the sender could not have written.
func TestAddRcpt(t *testing.T) {
	add := func(name string, stage hook.Stage, list ...string) hook.Hook {
		var actions []hook.Action
		for _, s := range list {
			actions = append(actions, hook.Action{Kind: hook.AddRcpt, Address: addr(s)})
		}
		return named(name, stage, actions...)
	}
	var crowd []string
	for i := range 200 {
		crowd = append(crowd, fmt.Sprintf("n%d@example.net", i))
	}
	const alice = "alice@example.org"
	for _, c := range []struct {
		name    string
		server  []hook.Hook
		box     []hook.Hook // of bob
		mail    mail
		boxes   map[string]int
		queued  int
		first   string // in the queue
		ignored int
	}{
		{"here", []hook.Hook{add("s.lua", hook.Data, alice)}, nil, mail{to: bob}, map[string]int{bob[0]: 1, alice: 1}, 0, "", 0},
		{"there already", []hook.Hook{add("s.lua", hook.Data, "Bob@example.org")}, nil, mail{to: bob}, map[string]int{bob[0]: 1}, 0, "", 0},
		{"by the server, elsewhere", []hook.Hook{add("s.lua", hook.Data, "x@example.net")}, nil, mail{to: bob}, map[string]int{bob[0]: 1}, 1, "x@example.net by postmaster@example.org", 0},
		{"by an account, here", nil, []hook.Hook{add("b.lua", hook.Data, alice)}, mail{to: bob}, map[string]int{bob[0]: 1, alice: 1}, 0, "", 0},
		{"by an account, elsewhere: no open relay", nil, []hook.Hook{add("b.lua", hook.Data, "x@example.net")}, mail{to: bob}, map[string]int{bob[0]: 1}, 0, "", 1},
		{"by an account, nobody", nil, []hook.Hook{add("b.lua", hook.Data, "nobody@example.org")}, mail{to: bob}, map[string]int{bob[0]: 1}, 0, "", 1},
		{"of an own user, elsewhere", nil, []hook.Hook{add("b.lua", hook.Submit, "x@example.net")}, mail{as: bob[0], to: []string{alice}}, map[string]int{alice: 1}, 1, "x@example.net", 0},
		{"too many", []hook.Hook{add("s.lua", hook.Data, crowd...)}, nil, mail{to: bob}, map[string]int{bob[0]: 1}, 99, "n0@example.net by postmaster@example.org", 101},
		{"by LMTP", []hook.Hook{add("s.lua", hook.Data, alice)}, nil, mail{listener: "lmtp", to: bob}, map[string]int{bob[0]: 1, alice: 1}, 0, "", 0},
		{"full", []hook.Hook{add("s.lua", hook.Data, "full@example.org")}, nil, mail{to: bob}, map[string]int{bob[0]: 1}, 1, "full@example.org", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks(c.server, map[string][]hook.Hook{bob[0]: c.box})
			r := w.send(c.mail)
			if r.first() != nil || len(r.receipt.PerRecipient) != 1 || r.receipt.PerRecipient[0] != nil {
				t.Errorf("%v, %+v", r.first(), r.receipt)
			}
			for _, box := range []string{alice, bob[0]} {
				got := w.inbox(box)
				if len(got) != c.boxes[box] {
					t.Errorf("%d in %s", len(got), box)
				}
				if len(got) > 0 && len(c.boxes) > 1 && strings.Contains(got[0], "Delivered-To") {
					t.Error(got[0])
				}
			}
			q := w.queued()
			if len(q) != c.queued || len(q) > 0 && q[0] != c.first {
				t.Errorf("%q", q)
			}
			for _, e := range w.queue.List() {
				for _, to := range e.Recipients {
					if to.Notify != envelope.NotifyNever {
						t.Errorf("the sender would be told of %s", to.Address)
					}
				}
			}
			if n := strings.Count(w.log.String(), "msg=hook.ignored"); n != c.ignored {
				t.Errorf("%d actions ignored", n)
			}
		})
	}
}

// TestHeld: quarantine and hold take a message in and keep it from all of its recipients.
func TestHeld(t *testing.T) {
	order := func(kind hook.Kind, why string) hook.Action { return hook.Action{Kind: kind, Text: why} }
	const alice = "alice@example.org"
	for _, c := range []struct {
		name   string
		stage  hook.Stage
		orders []hook.Action
		mail   mail
		queued string
		told   int
	}{
		{"quarantine", hook.Data, []hook.Action{order(hook.Quarantine, "smells")}, mail{to: []string{bob[0], "out@example.org"}}, "[x@example.net by out@example.org: smells, quarantine bob@example.org: smells, quarantine]", 0},
		{"by LMTP", hook.Data, []hook.Action{order(hook.Quarantine, "smells")}, mail{listener: "lmtp", to: bob}, "[bob@example.org: smells, quarantine]", 0},
		{"without a reason", hook.Data, []hook.Action{order(hook.Quarantine, "")}, mail{to: bob}, "[bob@example.org: by a script, quarantine]", 0},
		{"hold", hook.Submit, []hook.Action{order(hook.Hold, "think")}, mail{as: alice, to: []string{"x@example.net"}}, "[x@example.net: think]", 1},
		{"quarantine is stronger", hook.Submit, []hook.Action{order(hook.Hold, "think"), order(hook.Quarantine, "smells"), order(hook.Hold, "again")}, mail{as: alice, to: bob}, "[bob@example.org: smells, quarantine]", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var told []Notice
			w.Intake.opts.Notify = func(n Notice) { told = append(told, n) }
			w.hooks([]hook.Hook{at(c.stage, c.orders...)}, nil)
			if r := w.send(c.mail); r.first() != nil || r.receipt.PerRecipient[0] != nil {
				t.Error(r.first())
			}
			if got := fmt.Sprint(w.queued()); got != c.queued {
				t.Error(got)
			}
			if boxes, _ := w.everywhere(); boxes != 0 || len(told) != c.told {
				t.Errorf("%d messages, told %+v", boxes, told)
			}
			for _, n := range told {
				if !n.Script || n.Account != addr(alice) || n.Reason != "think" || n.ID == "" {
					t.Errorf("%+v", n)
				}
			}
		})
	}
}

// TestRouteAndCopies: the way out is the operator's to say; a copy is for the sender's own
// mailbox.
func TestRouteAndCopies(t *testing.T) {
	route := func(name, to string) hook.Hook {
		return named(name, hook.Submit, hook.Action{Kind: hook.Route, Relay: to})
	}
	for _, c := range []struct {
		name        string
		server, box []hook.Hook
		via         string
	}{
		{"none", nil, nil, ""},
		{"the server's", []hook.Hook{route("s.lua", "gateway.example:26")}, nil, "gateway.example:26"},
		{"an account's", nil, []hook.Hook{route("a.lua", "gateway.example:26")}, ""},
		{"no host", []hook.Hook{route("s.lua", "gateway.example")}, nil, ""},
	} {
		w := newWorld(t)
		w.hooks(c.server, map[string][]hook.Hook{"alice@example.org": c.box})
		if r := w.send(mail{as: "alice@example.org", to: []string{"x@example.net"}}); r.first() != nil {
			t.Error(r.first())
		}
		if via := (<-w.attempts).Via; via != c.via {
			t.Errorf("%s: via %q", c.name, via)
		}
		if ignored := strings.Contains(w.log.String(), "msg=hook.ignored"); ignored != (c.via == "" && len(c.server)+len(c.box) > 0) {
			t.Errorf("%s: ignored %v", c.name, ignored)
		}
	}

	w := newWorld(t)
	into := func(folder string, create bool) hook.Hook {
		return at(hook.Submit, hook.Action{Kind: hook.FileInto, Folder: folder, Create: create, Flags: []string{`\Flagged`}})
	}
	w.hooks([]hook.Hook{into("Work/Out", true), into("Not/There", false)}, nil)
	if r := w.send(mail{as: "alice@example.org", to: bob}); r.first() != nil {
		t.Error(r.first())
	}
	for folder, n := range map[string]int{"Work/Out": 1, "Sent": 1, "INBOX": 0} {
		if got := w.folder("alice@example.org", folder); len(got) != n {
			t.Errorf("%d in %s", len(got), folder)
		}
	}
}

// TestHeaderEdits: fields go and change, but for those that tell where a message has been.
func TestHeaderEdits(t *testing.T) {
	actions := []hook.Action{
		{Kind: hook.RemoveHeader, Name: "X-Mailer"}, {Kind: hook.RemoveHeader, Name: "Received"}, {Kind: hook.RemoveHeader, Name: "DKIM-Signature"},
		{Kind: hook.SubjectPrefix, Text: "[ext] "}, {Kind: hook.AddHeader, Name: "From", Value: "eve@example.net"}, {Kind: hook.AddHeader, Name: "X-Seen", Value: "yes"},
	}
	const header = "Received: from far\r\nDKIM-Signature: v=1; d=example.net; h=subject:from; b=x\r\nFrom: alice@example.org\r\nX-Mailer: y\r\nSubject: Hi\r\nDate: x\r\nMessage-ID: <1@x>\r\n"
	for _, stage := range []hook.Stage{hook.Data, hook.Submit} {
		w := newWorld(t)
		w.hooks([]hook.Hook{at(stage, actions...)}, nil)
		m := mail{to: bob, header: header}
		if stage == hook.Submit {
			m.as = "alice@example.org"
		}
		if r := w.send(m); r.first() != nil {
			t.Fatal(r.first())
		}
		got := w.inbox(bob[0])[0]
		const below = "Received: from far\r\nDKIM-Signature: v=1; d=example.net; h=subject:from; b=x\r\nFrom: alice@example.org\r\nSubject: [ext] Hi\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\n\r\n"
		if !strings.HasSuffix(got, below) || !strings.Contains(got, "X-Seen: yes\r\nReceived: from client.example") || strings.Contains(got, "eve@") {
			t.Errorf("%s: %s", stage, got)
		}
		log := w.log.String()
		if strings.Count(log, "msg=hook.ignored") != 3 || !strings.Contains(log, "msg=hook.signature_broken") || !strings.Contains(log, "signer=example.net") {
			t.Error(log)
		}
	}
}

// memory is the State of a fake run.
type memory struct {
	hook.State
	err       error
	committed *int
	cancelled *int
	again     *int
}

func (m memory) Commit(context.Context) error { *m.committed++; return m.err }
func (m memory) Cancel()                      { *m.cancelled++ }
func (m memory) Again()                       { *m.again++ }

// TestMemoryOfData: what scripts of data and submit noted holds once the message is taken, or
// they refused it; not when it comes again, or duplicate and discard would lose it.
func TestMemoryOfData(t *testing.T) {
	for _, c := range []struct {
		name                        string
		to                          string
		action                      hook.Action
		committed, cancelled, again int
		fails                       bool
	}{
		{"taken", "bob@example.org", hook.Action{Kind: hook.Score}, 1, 0, 0, false},
		{"dropped", "bob@example.org", hook.Action{Kind: hook.Discard}, 1, 0, 0, false},
		{"refused", "bob@example.org", hook.Action{Kind: hook.Reject, Fault: fault.New(fault.Policy, "")}, 1, 0, 0, true},
		{"put off", "bob@example.org", hook.Action{Kind: hook.Tempfail, Fault: fault.New(fault.TryLater, "")}, 1, 0, 1, true},
		{"no room", "small@example.org", hook.Action{Kind: hook.Score}, 0, 1, 0, true},
	} {
		for _, listener := range []string{"smtp", "lmtp"} {
			w := newWorld(t)
			var committed, cancelled, again int
			w.hooks([]hook.Hook{{Program: script{stage: hook.Data, out: hook.Outcome{
				Actions: []hook.Action{c.action}, State: memory{committed: &committed, cancelled: &cancelled, again: &again},
			}}}}, nil)
			r := w.send(mail{listener: listener, to: []string{c.to}, text: strings.Repeat("x", 2000)})
			failed := r.first() != nil || len(r.receipt.PerRecipient) > 0 && r.receipt.PerRecipient[0] != nil
			if failed != c.fails || committed != c.committed || cancelled != c.cancelled || again != c.again {
				t.Errorf("%s by %s: %v; committed %d, cancelled %d, again %d", c.name, listener, r.first(), committed, cancelled, again)
			}
		}
	}
}

// TestCommit: what scripts noted is durable right after the stages before the message, whatever
// they said; when it can't be, a required one refuses. With the message there, it is taken all
// the same: its memory holds once the message is durable.
func TestCommit(t *testing.T) {
	for _, c := range []struct {
		required bool
		err      error
		refuse   bool
		want     string
	}{
		{false, nil, false, ""}, {false, errors.New("disk full"), false, ""}, {true, errors.New("disk full"), false, "451 4.3.0"}, {true, nil, true, "550 5.7.1"},
	} {
		for _, stage := range []hook.Stage{hook.Mail, hook.Rcpt, hook.Data} {
			w := newWorld(t)
			n := 0
			out := hook.Outcome{State: memory{err: c.err, committed: &n}}
			want := c.want
			if stage == hook.Data && c.err != nil {
				want = ""
			}
			if c.refuse {
				out.Actions = []hook.Action{{Kind: hook.Reject, Fault: fault.New(fault.Policy, "")}}
			}
			w.hooks([]hook.Hook{{Program: script{stage: stage, out: out}, Required: c.required}}, nil)
			if got := answer(w.send(mail{to: bob}).first()); got != want || n != 1 {
				t.Errorf("%+v at %s: %q, committed %d times", c, stage, got, n)
			}
		}
	}
}

// TestAddedRecipientsCount: what scripts add to mail of an own user counts in its limits.
func TestAddedRecipientsCount(t *testing.T) {
	w := newSenders(t, limit.Table{Account: []limit.Window{{Period: time.Hour, Warn: 3, Refuse: 3}}}, "Tue 2026-11-24 12:00")
	w.hooks([]hook.Hook{named("s.lua", hook.Submit, hook.Action{Kind: hook.AddRcpt, Address: addr("y@example.net")}, hook.Action{Kind: hook.AddRcpt, Address: addr("z@example.net")})}, nil)
	if r := w.send(mail{as: "alice@example.org", to: []string{"x@example.net"}}); r.first() != nil {
		t.Fatal(r.first())
	}
	if r := w.send(mail{as: "alice@example.org", to: []string{"x@example.net"}}); r.first() == nil {
		t.Error("three recipients more were let through")
	}
}

// TestNoScript: where no script has a stage, those of mailboxes are not even looked up.
func TestNoScript(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.settings.Handled = func(s hook.Stage) bool { return s == hook.Data }
	w.settings.BoxHooks = func(a address.Address) []hook.Hook {
		asked = append(asked, a.String())
		return nil
	}
	w.settings.DomainHooks = func(d address.Domain) []hook.Hook {
		t.Errorf("asked for the scripts of %s", d)
		return nil
	}
	w.Apply(w.settings)
	w.send(mail{to: []string{bob[0], "nobody@example.org"}})
	w.send(mail{as: "alice@example.org", to: bob})
	if err := w.Auth(t.Context(), envelope.Session{}, hook.Login{Account: addr("alice@example.org")}); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(asked) != "[bob@example.org]" {
		t.Errorf("asked for the scripts of %q", asked)
	}
}

// TestRewriteToClosedList: a list that a recipient was sent to, and then was not for lack of
// room, has no say about the rest of the message.
func TestRewriteToClosedList(t *testing.T) {
	o := everybody()
	o.Aliases = append(o.Aliases, directory.Alias{Address: addr("board@example.org"), To: to("full@example.org"),
		Posters: directory.Posters{Rule: directory.PostersListed, List: to("z@example.net")}})
	w := newWorld(t)
	w.settings.Directory = directory.New(o)
	resolver, err := dns.New(dns.Options{Servers: []string{testkit.NewDNS(t, "").Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	w.Intake.opts.Verifier = senderauth.NewVerifier(senderauth.VerifierOptions{Log: w.opts.Log}, senderauth.Settings{Resolver: resolver})
	w.hooks(nil, map[string][]hook.Hook{"alice@example.org": {at(hook.Rcpt, hook.Action{Kind: hook.Rewrite, Address: addr("board@example.org")})}})
	r := w.send(mail{size: 50, to: []string{"alice@example.org", bob[0]}})
	if answer(r.rcpt[0]) != "452 4.2.2" || r.rcpt[1] != nil || r.data != nil {
		t.Errorf("%v, %v", r.rcpt, r.data)
	}
	// With room, its rule holds for the message as if it had been named.
	o.Accounts[3].Quota = 0
	w.settings.Directory = directory.New(o)
	w.Apply(w.settings)
	if r := w.send(mail{to: []string{"alice@example.org"}}); answer(r.data) != "550 5.7.2" {
		t.Errorf("%v", r.data)
	}
}

// TestRecipientsApart: scripts of a mailbox are not told at rcpt who else gets the message.
func TestRecipientsApart(t *testing.T) {
	w := newWorld(t)
	var server, own []hook.Call
	w.hooks([]hook.Hook{{Program: script{stage: hook.Rcpt, calls: &server}}},
		map[string][]hook.Hook{bob[0]: {{Program: script{stage: hook.Rcpt, calls: &own}}}})
	w.send(mail{to: []string{"alice@example.org", bob[0]}})
	if len(server) != 2 || len(own) != 1 || len(server[1].Message.Recipients) != 1 || len(own[0].Message.Recipients) != 0 {
		t.Errorf("%d and %d calls: %+v", len(server), len(own), own)
	}
}
