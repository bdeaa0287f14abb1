package server

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/intake"
	"facteur/server/limit"
)

// sendingTable returns [limits.sending] for package limit.
func sendingTable(c *settings) limit.Table {
	windows := func(list []config.Window) []limit.Window {
		made := make([]limit.Window, len(list))
		for i, w := range list {
			made[i] = limit.Window(w)
		}
		return made
	}
	clock := func(d time.Duration) limit.Clock { return limit.Clock(d / time.Minute) }
	s := c.Limits.Sending
	return limit.Table{
		Account: windows(s.Account), Client: windows(s.Client), Weekend: s.WeekendDivide, Zone: c.Location,
		Night: limit.Night{From: clock(s.NightFrom), To: clock(s.NightTo), Divide: s.NightDivide},
	}
}

// loginSeen notes from where an account is used (auth.Options.Seen). Of the good
// logins those count that can send.
func (s *Server) loginSeen(account address.Address, try auth.Attempt, good bool) {
	sends := try.Protocol == "submission" || try.Protocol == "submissions"
	if s.trusts(try.Remote) || good && !sends {
		return
	}
	now := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.sending.Visit(ctx, limit.Visit{Account: account, Client: try.Remote, Failed: !good}, now) {
		c, _ := s.sending.IsClosed(account)
		s.tellOwner(intake.Notice{Account: account, Reason: c.Reason, At: now})
	}
}

// Reopen is that of control.LimitBackend.
func (s *Server) Reopen(ctx context.Context, account control.Name, say func(string)) error {
	a, err := s.accountNamed(account.Name)
	if err != nil {
		return err
	}
	was, err := s.sending.Reopen(ctx, a)
	switch {
	case err != nil:
		return err
	case !was:
		return fmt.Errorf("%s is not closed for sending", a)
	}
	say(a.String() + " may send again.")
	return nil
}

// accountNamed returns the address of an account, which may be gone from
// mail.toml.
func (s *Server) accountNamed(name string) (address.Address, error) {
	if account, ok := s.live.Load().directory.Login(name); ok {
		return account.Address, nil
	}
	a, err := address.Parse(name)
	if err != nil {
		return a, fmt.Errorf("%q is no account", name)
	}
	return a, nil
}

// Unblock is that of control.LimitBackend.
func (s *Server) Unblock(_ context.Context, who control.Name, say func(string)) error {
	failures := 0
	if network, ok := parseNetwork(who.Name); ok {
		failures = s.auth.ForgetClients(network)
	} else {
		a, err := s.accountNamed(who.Name)
		if err != nil {
			return fmt.Errorf("%q is no account and no IP address", who.Name)
		}
		failures = s.auth.ForgetAccount(a)
	}
	if failures == 0 {
		return fmt.Errorf("no failed login of %s is remembered", who.Name)
	}
	s.log.Info("server.unblocked", "who", who.Name, "failures", failures)
	say(fmt.Sprintf("%s of %s are forgotten.", counted(failures, "failed login"), who.Name))
	return nil
}

// parseNetwork reads "192.0.2.1", "2001:db8::1" or "2001:db8::/64".
func parseNetwork(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil {
		ip = ip.Unmap().WithZone("")
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// maxSlowed is how many slowed clients and accounts status names.
const maxSlowed = 50

// limited tells who is limited, for status.
func (s *Server) limited() control.LimitStatus {
	var st control.LimitStatus
	for _, c := range s.sending.AllClosed() {
		st.Closed = append(st.Closed, control.Closed{Account: c.Account.String(), Since: c.Since, Reason: c.Reason})
	}
	for _, x := range s.auth.Slowed(maxSlowed) {
		slow := control.Slowed{Unknown: x.Unknown, Failures: x.Failures, Blocked: x.Blocked, Until: x.Until}
		if x.Client.IsValid() {
			slow.Client = strings.TrimSuffix(x.Client.String(), "/32")
		}
		if !x.Account.IsZero() {
			slow.Account = x.Account.String()
		}
		st.Slowed = append(st.Slowed, slow)
	}
	return st
}

func printLimited(w io.Writer, st control.LimitStatus) {
	for _, c := range st.Closed {
		fmt.Fprintf(w, "%s is closed for sending since %s, because %s; to let it send again: facteur account reopen %s\n",
			c.Account, c.Since.Local().Format(time.DateTime), c.Reason, c.Account)
	}
	for _, x := range st.Slowed {
		what, lift := "each login waits", x.Client
		if x.Blocked {
			what = "logins are refused"
		}
		if lift == "" {
			lift = x.Account
		}
		fmt.Fprintf(w, "%s: %s until %s, after %s", slowedName(x), what, x.Until.Local().Format(time.DateTime), counted(x.Failures, "failed login"))
		if lift != "" {
			fmt.Fprintf(w, "; to lift it: facteur unblock %s", lift)
		}
		fmt.Fprintln(w)
	}
}

// slowedName is "192.0.2.1 at alice@example.org".
func slowedName(x control.Slowed) string {
	account := x.Account
	if x.Unknown {
		account = "a name that is no account"
	}
	switch {
	case x.Client == "":
		return account + ", from unknown addresses"
	case account == "":
		return x.Client
	}
	return x.Client + " at " + account
}

// ReopenAccount has the running server open an account for sending again.
func ReopenAccount(ctx context.Context, w io.Writer, path, account string) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	return c.Reopen(ctx, account, func(line string) { fmt.Fprintln(w, line) })
}

// Unblock has the running server forget the failed logins of an account, an IP
// address or a network.
func Unblock(ctx context.Context, w io.Writer, path, who string) error {
	c, err := client(path)
	if err != nil {
		return err
	}
	return c.Unblock(ctx, who, func(line string) { fmt.Fprintln(w, line) })
}
