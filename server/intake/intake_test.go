package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
)

// answer renders the reply code, "" for none.
func answer(err error) string {
	if err == nil {
		return ""
	}
	f := fault.As(err)
	return fmt.Sprintf("%d %s", f.Code, f.Enhanced())
}

// TestRecipients asks who takes mail, from whom.
func TestRecipients(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		as, listener, to string
		size             int64
		want             string
	}{
		{to: "alice@example.org"},
		{to: "Alice@EXAMPLE.org"},
		{to: "alice+shop@example.com"},
		{to: "info@example.org"},
		{to: "out@example.org"}, // forwarding is not relaying
		{to: "office@example.org"},
		{to: "postmaster"},
		{to: "PostMaster@example.com"},
		{to: "abuse@mail.example.org"},
		{to: "nobody@example.org", want: "550 5.1.1"},
		{to: "nobody@example.org", as: "alice@example.org", want: "550 5.1.1"},
		{to: "x@example.net", want: "550 5.7.1"},
		{to: "alice@sub.example.org", want: "550 5.7.1"},
		{to: `"alice@example.org"@example.net`, want: "550 5.7.1"},
		{to: "alice%example.net@example.org", want: "550 5.1.1"},
		{to: "x@example.net", listener: "lmtp", want: "550 5.7.1"},
		{to: "x@example.net", as: "alice@example.org", listener: "submission"},
		{to: "full@example.org", want: "452 4.2.2"},
		{to: "both@example.org"}, // one of them has room
		{to: "small@example.org", size: 999},
		{to: "small@example.org", size: 1001, want: "452 4.2.2"},
		{to: "small@example.org"},
	} {
		r := w.send(mail{as: c.as, listener: c.listener, to: []string{c.to}, size: c.size})
		if got := answer(r.first()); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestWayBack: only reports go back to the sender of what was forwarded, from
// strangers; our own users may write to anybody.
func TestWayBack(t *testing.T) {
	const back = "SRS0=HHHH=TT=example.net=far@example.org"
	for _, c := range []struct {
		from, as, listener, want string
	}{
		{from: "<>"},
		{from: "<>", listener: "lmtp"},
		{from: "spam@example.net", want: "550 5.7.1"},
		{from: "far@example.net", want: "550 5.7.1"},
		{from: "alice@example.org", want: "550 5.7.1"},
		{from: "spam@example.net", listener: "lmtp", want: "550 5.7.1"},
		{from: "alice@example.org", as: "alice@example.org", listener: "submission"},
	} {
		r := newWorld(t).send(mail{from: c.from, as: c.as, listener: c.listener, to: []string{back}})
		if got := answer(r.first()); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestSenders tries to send in the name of others.
func TestSenders(t *testing.T) {
	const alice = "From: alice@example.org\r\n"
	for _, c := range []struct {
		name, as, from, header, want string
	}{
		{"own", "alice@example.org", "alice@example.org", alice, ""},
		{"own, other case and domain", "alice@example.org", "Alice@example.com", "From: <ALICE@Example.COM>\r\n", ""},
		{"own, subaddress", "alice@example.org", "alice+x@example.org", alice, ""},
		{"sole alias", "alice@example.org", "info@example.org", "From: info@example.org\r\n", ""},
		{"send_as", "alice@example.org", "news@example.net", "From: news@example.net\r\n", ""},
		{"shared", "bob@example.org", "office@example.org", "From: office@example.org\r\n", ""},
		{"null reverse-path", "alice@example.org", "<>", alice, ""},
		{"null reverse-path, stranger", "alice@example.org", "<>", "From: bob@example.org\r\n", "550 5.7.1"},
		{"reverse-path of a stranger", "alice@example.org", "bob@example.org", alice, "550 5.7.1"},
		{"list", "bob@example.org", "team@example.org", "From: bob@example.org\r\n", "550 5.7.1"},
		{"shared, not a member", "small@example.org", "office@example.org", "From: small@example.org\r\n", "550 5.7.1"},
		{"From of a stranger", "alice@example.org", "alice@example.org", "From: bob@example.org\r\n", "550 5.7.1"},
		{"Sender of a stranger", "alice@example.org", "alice@example.org", alice + "Sender: bob@example.org\r\n", "550 5.7.1"},
		{"own Sender", "alice@example.org", "alice@example.org", alice + "Sender: alice@example.org\r\n", ""},
		{"From of two", "alice@example.org", "alice@example.org", "From: alice@example.org, bob@example.org\r\n", "550 5.7.1"},
		{"two From fields", "alice@example.org", "alice@example.org", alice + "FROM: bob@example.org\r\n", "550 5.6.0"},
		{"two From fields, both own", "alice@example.org", "alice@example.org", alice + alice, "550 5.6.0"},
		{"two Sender fields", "alice@example.org", "alice@example.org", alice + "Sender: alice@example.org\r\nsender: bob@example.org\r\n", "550 5.6.0"},
		{"space before the colon", "alice@example.org", "alice@example.org", alice + "From : bob@example.org\r\n", "550 5.6.0"},
		{"line without a colon", "alice@example.org", "alice@example.org", "bob@example.org\r\n" + alice, "550 5.6.0"},
		{"folded before the name", "alice@example.org", "alice@example.org", " From: bob@example.org\r\n" + alice, "550 5.6.0"},
		{"no From", "alice@example.org", "alice@example.org", "Subject: x\r\n", "550 5.6.0"},
		{"empty From", "alice@example.org", "alice@example.org", "From: \r\n", "550 5.6.0"},
		{"empty group", "alice@example.org", "alice@example.org", "From: us:;\r\n", "550 5.6.0"},
		{"group", "alice@example.org", "alice@example.org", "From: us: alice@example.org, bob@example.org;\r\n", "550 5.7.1"},
		{"own group", "alice@example.org", "alice@example.org", "From: us: alice@example.org;\r\n", ""},
		{"display name like an address", "alice@example.org", "alice@example.org", "From: bob@example.org <alice@example.org>\r\n", "550 5.7.1"},
		{"quoted display name", "alice@example.org", "alice@example.org", "From: \"Bob\" <alice@example.org>\r\n", ""},
		{"two angles", "alice@example.org", "alice@example.org", "From: <alice@example.org> <bob@example.org>\r\n", "550 5.6.0"},
		{"comment", "alice@example.org", "alice@example.org", "From: alice@example.org (bob@example.org)\r\n", "550 5.7.1"},
		{"encoded address", "alice@example.org", "alice@example.org", "From: =?utf-8?q?bob=40example.org?=\r\n", "550 5.6.0"},
		{"encoded angle", "alice@example.org", "alice@example.org", "From: =?utf-8?q?=3Cbob=40example.org=3E?= <alice@example.org>\r\n", "550 5.7.1"},
		{"encoded name", "alice@example.org", "alice@example.org", "From: =?utf-8?q?Al=C3=AFce?= <alice@example.org>\r\n", ""},
		{"route", "alice@example.org", "alice@example.org", "From: <@bob@example.org:alice@example.org>\r\n", "550 5.6.0"},
		{"folded", "alice@example.org", "alice@example.org", "From: Alice\r\n <alice@example.org>,\r\n bob@example.org\r\n", "550 5.7.1"},
		{"no login, any From", "", "z@example.net", "From: alice@example.org\r\n", ""},
		{"no login, two From", "", "z@example.net", alice + alice, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.send(mail{as: c.as, from: c.from, header: c.header, to: []string{"bob@example.org"}})
			if got := answer(r.first()); got != c.want {
				t.Errorf("%q, want %q: %v", got, c.want, r.first())
			}
			boxes, spooled := w.everywhere()
			if want := map[bool]int{true: 1}[c.want == ""]; boxes != want || spooled != 0 {
				t.Errorf("%d messages, %d spooled", boxes, spooled)
			}
		})
	}
}

// TestReceivedLoop counts hops.
func TestReceivedLoop(t *testing.T) {
	w := newWorld(t)
	for n, want := range map[int]string{100: "", 101: "554 5.4.6"} {
		r := w.send(mail{header: strings.Repeat("Received: x\r\n", n), to: []string{"bob@example.org"}})
		if got := answer(r.first()); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// TestHooks runs scripts at the SMTP stages.
func TestHooks(t *testing.T) {
	reject := hook.Action{Kind: hook.Reject, Fault: fault.Reply(fault.Policy, 554, "5.7.9", "No")}
	tempfail := hook.Action{Kind: hook.Tempfail, Fault: fault.Reply(fault.TryLater, 450, "4.7.9", "Later")}
	discard := hook.Action{Kind: hook.Discard}
	score := func(points float64, rule string) hook.Action {
		return hook.Action{Kind: hook.Score, Points: points, Rule: rule}
	}
	failing := func(stage hook.Stage, required bool) hook.Hook {
		return hook.Hook{Program: script{name: "bad.lua", stage: stage, out: hook.Outcome{Err: errors.New("boom")}}, Required: required}
	}
	bob := []string{"bob@example.org"}
	for _, c := range []struct {
		name   string
		server []hook.Hook
		box    map[string][]hook.Hook
		mail   mail
		want   string
		boxes  int
		top    string // of the first message of bob@, below Return-Path and Delivered-To
	}{
		{name: "reject at rcpt", server: []hook.Hook{at(hook.Rcpt, reject)}, mail: mail{to: bob}, want: "554 5.7.9"},
		{name: "tempfail at rcpt", server: []hook.Hook{at(hook.Rcpt, tempfail)}, mail: mail{to: bob}, want: "450 4.7.9"},
		{name: "one recipient rejects", box: map[string][]hook.Hook{"bob@example.org": {at(hook.Rcpt, reject)}}, mail: mail{to: []string{"bob@example.org", "alice@example.org"}}, want: "554 5.7.9", boxes: 1},
		{name: "reject at data", server: []hook.Hook{at(hook.Data, reject)}, mail: mail{to: bob}, want: "554 5.7.9"},
		{name: "tempfail at data", server: []hook.Hook{at(hook.Data, tempfail)}, mail: mail{to: bob}, want: "450 4.7.9"},
		{name: "discard at data", server: []hook.Hook{at(hook.Data, discard)}, mail: mail{to: bob}},
		{name: "data is not for our own", server: []hook.Hook{at(hook.Data, reject)}, mail: mail{as: "alice@example.org", to: bob}, boxes: 1},
		{name: "submit is", server: []hook.Hook{at(hook.Submit, reject)}, mail: mail{as: "alice@example.org", to: bob}, want: "554 5.7.9"},
		{name: "submit is not for others", server: []hook.Hook{at(hook.Submit, reject)}, mail: mail{to: bob}, boxes: 1},
		{name: "submit of the sender", box: map[string][]hook.Hook{"alice@example.org": {at(hook.Submit, reject)}}, mail: mail{as: "alice@example.org", to: bob}, want: "554 5.7.9"},
		{name: "data of the only recipient", box: map[string][]hook.Hook{"bob@example.org": {at(hook.Data, reject)}}, mail: mail{to: bob}, want: "554 5.7.9"},
		{name: "data of one of two", box: map[string][]hook.Hook{"bob@example.org": {at(hook.Data, reject)}}, mail: mail{to: []string{"bob@example.org", "alice@example.org"}}, boxes: 2},
		{
			name:   "score and header",
			server: []hook.Hook{at(hook.Data, score(1.5, "BAD_WORD"), hook.Action{Kind: hook.AddHeader, Name: "X-Seen", Value: "yes"}), at(hook.Data, score(-0.5, "KNOWN"))},
			mail:   mail{to: bob}, boxes: 1, top: "X-Seen: yes\r\nX-Spam-Score: 1 (BAD_WORD=1.5 KNOWN=-0.5)\r\nReceived: from client.example",
		},
		{
			name: "bad header", server: []hook.Hook{at(hook.Data, hook.Action{Kind: hook.AddHeader, Name: "X Bad", Value: "yes"})},
			mail: mail{to: bob}, boxes: 1, top: "Received: from client.example",
		},
		{name: "failing", server: []hook.Hook{failing(hook.Data, false)}, mail: mail{to: bob}, boxes: 1},
		{name: "required failing at rcpt", server: []hook.Hook{failing(hook.Rcpt, true)}, mail: mail{to: bob}, want: "451 4.3.0"},
		{name: "required failing at data", server: []hook.Hook{failing(hook.Data, true)}, mail: mail{to: bob}, want: "451 4.3.0"},
		{name: "required failing at submit", server: []hook.Hook{failing(hook.Submit, true)}, mail: mail{as: "alice@example.org", to: bob}, want: "451 4.3.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks(c.server, c.box)
			r := w.send(c.mail)
			if got := answer(r.first()); got != c.want {
				t.Errorf("%q, want %q: %v", got, c.want, r.first())
			}
			if boxes, _ := w.everywhere(); boxes != c.boxes {
				t.Errorf("%d messages, want %d", boxes, c.boxes)
			}
			if c.top != "" {
				const above = "Return-Path: <z@example.net>\r\nDelivered-To: bob@example.org\r\n"
				if got := w.inbox("bob@example.org")[0]; !strings.HasPrefix(got, above+c.top) {
					t.Error(got)
				}
			}
		})
	}
}

// TestFacts: what scripts are told.
func TestFacts(t *testing.T) {
	w := newWorld(t)
	var rcpt, submit []hook.Call
	w.hooks([]hook.Hook{
		{Program: script{stage: hook.Rcpt, calls: &rcpt}}, {Program: script{stage: hook.Submit, calls: &submit}},
	}, nil)
	r := w.send(mail{as: "alice@example.org", listener: "submission", to: []string{"info+x@example.com", "x@example.net"}, size: 7})
	if r.first() != nil {
		t.Fatal(r.first())
	}
	if len(rcpt) != 2 || len(submit) != 1 {
		t.Fatal(len(rcpt), len(submit))
	}
	to := rcpt[0].Recipient
	if to.Address != addr("alice@example.org") || to.Original != addr("info+x@example.com") || to.Detail != "x" || len(to.Path) < 2 {
		t.Errorf("%+v", to)
	}
	if c := rcpt[1].Client; c.User != "alice@example.org" || c.Listener != "submission" || c.IP.String() != "192.0.2.1" || c.Helo != "client.example" {
		t.Errorf("%+v", c)
	}
	m := submit[0].Message
	if m.ID != r.receipt.ID || len(m.Recipients) != 2 || m.ReversePath != addr("alice@example.org") || len(m.Content.Addresses("From")) != 1 {
		t.Errorf("%+v", m)
	}
	if rcpt[1].Message.Content != nil || rcpt[1].Message.Size != 7 {
		t.Errorf("%+v", rcpt[1].Message)
	}
}

// TestOnce: however many recipients lead to a mailbox, it gets the message once,
// and its file names nobody.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	r := w.send(mail{as: "alice@example.org", to: []string{"bob@example.org", "team@example.org", "Bob+x@example.com", "x@example.net", "postmaster", "info@example.org"}})
	if r.first() != nil {
		t.Fatal(r.first())
	}
	if len(r.receipt.PerRecipient) != 6 || r.receipt.ID == "" {
		t.Errorf("%+v", r.receipt)
	}
	if boxes, spooled := w.everywhere(); boxes != 2 || spooled != 1 {
		t.Errorf("%d messages, %d spooled", boxes, spooled)
	}
	got := w.inbox("bob@example.org")
	if len(got) != 1 || strings.Contains(got[0], "Delivered-To") || strings.Contains(got[0], "for <") || !strings.Contains(got[0], " id "+r.receipt.ID) {
		t.Errorf("%q", got)
	}
}

// TestPartly: what is told when some recipients can't be served after DATA.
func TestPartly(t *testing.T) {
	const loops = "From: z@example.net\r\nDelivered-To: out@example.org\r\n"
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name         string
		mail         mail
		data         string
		perRecipient []string
		boxes        int
	}{
		{"loop alone", mail{header: loops, to: []string{"out@example.org"}}, "554 5.4.6", nil, 0},
		{"loop beside another", mail{header: loops, to: []string{"out@example.org", "bob@example.org"}}, "554 5.4.6", nil, 0},
		{"the same by LMTP", mail{header: loops, listener: "lmtp", to: []string{"out@example.org", "bob@example.org"}}, "", []string{"554 5.4.6", ""}, 1},
		{"LMTP, nobody", mail{header: loops, listener: "lmtp", to: []string{"out@example.org", "small@example.org"}, text: long}, "", []string{"554 5.4.6", "452 4.2.2"}, 0},
		{"no hope for the other", mail{header: loops, to: []string{"out@example.org", "small@example.org"}, text: long}, "554 5.4.6", nil, 0},
		{"full alone", mail{to: []string{"small@example.org"}, text: long}, "452 4.2.2", nil, 0},
		{"full beside another", mail{to: []string{"small@example.org", "bob@example.org"}, text: long}, "", []string{"", ""}, 1},
		{"full by LMTP", mail{listener: "lmtp", to: []string{"small@example.org", "bob@example.org"}, text: long}, "", []string{"452 4.2.2", ""}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.send(c.mail)
			if got := answer(r.data); got != c.data {
				t.Errorf("%q: %v", got, r.data)
			}
			var got []string
			for _, err := range r.receipt.PerRecipient {
				got = append(got, answer(err))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.perRecipient) {
				t.Errorf("%q", got)
			}
			if boxes, _ := w.everywhere(); boxes != c.boxes {
				t.Errorf("%d messages", boxes)
			}
		})
	}
}

// TestInject: this server's own messages may go anywhere, see no scripts, and
// come once however often they are given.
func TestInject(t *testing.T) {
	w := newWorld(t)
	reject := hook.Action{Kind: hook.Reject, Fault: fault.New(fault.Policy, "")}
	w.hooks([]hook.Hook{at(hook.Rcpt, reject), at(hook.Data, reject), at(hook.Submit, reject)}, nil)
	env := envelope.Envelope{ID: "abcdefgh23456723"}
	for _, s := range []string{"bob@example.org", "x@example.net"} {
		env.Recipients = append(env.Recipients, envelope.Recipient{ForwardPath: addr(s)})
	}
	body := envelope.Bytes("From: postmaster@example.org\r\n\r\nhello\r\n")
	for range 3 {
		if err := w.Inject(context.Background(), env, body); err != nil {
			t.Fatal(err)
		}
	}
	if boxes, spooled := w.everywhere(); boxes != 1 || spooled != 1 {
		t.Errorf("%d messages, %d spooled", boxes, spooled)
	}
	if got := w.inbox("bob@example.org"); !strings.Contains(got[0], " id "+env.ID) || !strings.HasPrefix(got[0], "Return-Path: <>\r\n") {
		t.Errorf("%q", got)
	}
	env.Recipients = nil
	if err := w.Inject(context.Background(), env, body); err == nil {
		t.Error("no recipients, no error")
	}
}
