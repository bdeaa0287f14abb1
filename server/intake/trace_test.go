package intake

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"facteur/server/envelope"
	"facteur/server/fault"
	"facteur/server/hook"
	"facteur/server/trace"
)

// TestTrace compares what is noted of connections and messages.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "trace")
	log, err := trace.Open(trace.Options{Dir: dir, Keep: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	w.Intake.opts.Trace = log
	for _, c := range []struct {
		name string
		mail mail
		find string
		want string
	}{
		{"taken", mail{from: "one@example.net", to: []string{"alice@example.org", "bob@example.org"}, header: "From: z@example.net\r\nMessage-ID: <1@x>\r\n"},
			"one@example.net", "in smtp 192.0.2.1 [alice@example.org bob@example.org] <1@x>"},
		{"submitted", mail{as: "alice@example.org", to: []string{"bob@example.org"}, header: "From: alice@example.org\r\nMessage-ID: <2@x>\r\n"}, "alice@example.org", "in alice@example.org 192.0.2.1 [bob@example.org] <2@x>"},
		{"no such recipient", mail{from: "two@example.net", to: []string{"nobody@example.org"}}, "two@example.net", "refused rcpt 192.0.2.1 [nobody@example.org] 550"},
		{"another's name", mail{as: "bob@example.org", from: "carol@example.net", to: []string{"bob@example.org"}}, "carol@example.net", "refused mail 192.0.2.1 [] 550"},
		{"at data, before it came in", mail{from: "four@example.net", to: []string{"alice@example.org"}, header: "From: z@example.net\r\n" + strings.Repeat("Received: x\r\n", 101)},
			"four@example.net", "refused data 192.0.2.1 [alice@example.org] 554"},
	} {
		w.send(c.mail)
		log.Flush()
		stories, err := trace.Find(context.Background(), dir, trace.Query{Address: c.find})
		if err != nil || len(stories) == 0 {
			t.Errorf("%s: %v, %v", c.name, stories, err)
			continue
		}
		if got := told(last(stories[0])); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// What the spool brings again came in before.
	tx := envelope.Envelope{ID: "again", Session: envelope.Session{ID: "s9", Listener: "smtp"}, Recipients: []envelope.Recipient{{ForwardPath: addr("alice@example.org")}}}
	if err := w.Inject(t.Context(), tx, envelope.Bytes("From: z@example.net\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	tx.ID, tx.Session = "own", envelope.Session{}
	if err := w.Inject(t.Context(), tx, envelope.Bytes("From: z@example.net\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	w.traceGreeting(envelope.Session{ID: "s8"}, Greeting{Refusal: fault.New(fault.Policy, "no")})
	w.traceGreeting(envelope.Session{ID: "s7"}, Greeting{})
	w.traceScripts(hook.Call{Stage: hook.Connect, Client: &hook.Client{ID: "s6"}}, hook.Result{
		Ran: []hook.Ran{{Script: "a.lua", Hash: "1"}}, Actions: []hook.Action{{Kind: hook.Stop, Script: "a.lua", Line: 3}},
	})
	log.Flush()
	for id, want := range map[string]string{"again": "", "own": "in", "s8": "refused", "s7": "", "s6": "scripts"} {
		stories, err := trace.Find(context.Background(), dir, trace.Query{ID: id})
		got := ""
		if len(stories) > 0 {
			got = string(stories[0].Events[0].Kind)
		}
		if got != want || err != nil {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}

// last returns the last event: all refusals here are of one connection.
func last(s trace.Story) trace.Event { return s.Events[len(s.Events)-1] }

func told(e trace.Event) string {
	s := string(e.Kind) + " " + e.Stage
	if e.Kind == trace.In {
		s += e.Client.Listener
	}
	if e.Client.User != "" && e.Kind == trace.In {
		s = string(e.Kind) + " " + e.Client.User
	}
	s += fmt.Sprintf(" %s %v", e.Client.IP, e.To)
	if e.MessageID != "" {
		s += " " + e.MessageID
	}
	if e.Why != "" {
		s += " " + e.Why[:3]
	}
	return s
}
