package server

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"facteur/server/control"
	"facteur/server/httpd"
)

// Status tells the command line how the server is (control.Backend).
func (s *Server) Status() control.Status {
	live := s.live.Load()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	st := control.Status{
		Version: s.opts.Version, PID: os.Getpid(), Started: s.started, Config: live.File, LoadedAt: live.loaded,
		LastReload: s.last.Load(), Accounts: len(live.Directory.Accounts), Memory: mem.Sys - mem.HeapReleased,
		Removed: s.removedAccounts(), Relay: s.relay.Trouble(),
	}
	for _, b := range s.sockets.Bound() {
		l, _ := live.listener(b.Wanted)
		st.Listeners = append(st.Listeners, control.Listener{
			Service: b.Service, Address: b.Addr.String(), Proxied: len(l.Proxies) > 0,
		})
	}
	st.Warnings = s.warnings(live, st.Listeners)
	counts := s.spool.Counts()
	st.Queue = counts.Recipients
	st.QueueStatus = control.QueueStatus{Messages: counts.Entries, Held: counts.Held, Oldest: timeOrNil(counts.Oldest)}
	st.LimitStatus = s.limited()
	st.Scripts = s.scripts.status(time.Now())
	st.Failing = s.failingStatus()
	return st
}

// Reload is reload for the command line (control.Backend).
func (s *Server) Reload() control.Reload { return s.reload() }

func printStatus(w io.Writer, st control.Status) {
	fmt.Fprintf(w, "facteur %s runs since %s (process %d, %d MB)\n", st.Version, st.Started.Format(time.DateTime), st.PID, st.Memory>>20)
	fmt.Fprintf(w, "settings: %s, in force since %s, %s\n", st.Config, st.LoadedAt.Format(time.DateTime), counted(st.Accounts, "account"))
	if r := st.LastReload; r != nil && len(r.Problems) > 0 {
		fmt.Fprintf(w, "the save of %s is NOT in force, the settings from before stay:\n", r.At.Format(time.DateTime))
		for _, p := range r.Problems {
			fmt.Fprintf(w, "  %v\n", p)
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range st.Listeners {
		through := ""
		if l.Proxied {
			through = " (also through proxies)"
		}
		fmt.Fprintf(tw, "  %s\t%s%s\n", l.Service, l.Address, through)
	}
	tw.Flush()
	for _, warning := range st.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	queueStatus(w, st)
	if st.Relay != "" {
		fmt.Fprintf(w, "no mail leaves: %s\n", st.Relay)
	}
	printLimited(w, st.LimitStatus)
	printScripts(w, st.Scripts)
	printFailing(w, st.Failing)
	for _, r := range st.Removed {
		when := "its folder stays"
		if r.Until != nil {
			when = "its folder moves to removed/ on " + r.Until.Local().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s is not in the settings since %s: %s; put it back and its mail is there again\n",
			r.Account, r.Since.Local().Format(time.DateOnly), when)
	}
}

// printWelcome says where to connect and as whom.
func (s *Server) printWelcome() {
	live := s.live.Load()
	w := s.opts.Out
	fmt.Fprintf(w, "facteur %s serves %s\n", s.opts.Version, live.File)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, b := range s.sockets.Bound() {
		l, _ := live.listener(b.Wanted)
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", b.Service, b.Addr, textOf(b.Service, len(l.Proxies) > 0))
	}
	tw.Flush()
	if demo := live.DemoAccounts(); len(demo) > 0 {
		for _, a := range demo {
			fmt.Fprintf(w, "Log in as %s with the password \"demo\".\n", a)
		}
	} else {
		fmt.Fprintf(w, "%s may log in.\n", counted(len(live.Directory.Accounts), "account"))
	}
	fmt.Fprintln(w, "Saving the settings is enough to change them. Stop with Ctrl-C.")
}

// textOf says what a listener is for.
func textOf(service string, proxied bool) string {
	if service == httpd.HTTP && proxied { // the proxy has the TLS
		return "calendars and contacts, through a proxy; else leads to https"
	}
	return serviceText[service]
}

var serviceText = map[string]string{
	"smtp":        "mail from other servers",
	"submission":  "mail from your mail program, STARTTLS",
	"submissions": "mail from your mail program, TLS",
	"lmtp":        "mail from a local program",
	"imap":        "reading mail, STARTTLS",
	"imaps":       "reading mail, TLS",
	"pop3":        "fetching mail, STARTTLS",
	"pop3s":       "fetching mail, TLS",
	"http":        "leads to https",
	"https":       "calendars and contacts, TLS",
}
