package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/control"
	"facteur/server/directory"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/relay"
	"facteur/server/report"
	"facteur/server/senderauth"
	"facteur/server/statedb"
)

// reporting is what has to do with reports.
type reporting struct {
	store  *report.Store
	daily  *report.Daily
	weekly *report.Weekly
}

// openReports opens the store of reports; startReports lets them be sent.
func (s *Server) openReports(first *settings) (err error) {
	if s.reports.store, err = report.Open(report.Options{DB: s.state, Log: s.log}); err != nil {
		return fmt.Errorf("opening the reports: %w", err)
	}
	s.reports.daily = report.NewDaily(report.DailyOptions{Store: s.reports.store, Inject: s.notify, Log: s.log}, s.dailySettings(first))
	s.reports.weekly = report.NewWeekly(report.WeeklyOptions{
		Store: s.reports.store, Complete: s.completeDigest, Inject: s.notify, Log: s.log,
	}, weeklySettings(first))
	return nil
}

// startReports sends what is due, until the server stops.
func (s *Server) startReports() {
	ctx, cancel := context.WithCancel(context.Background())
	s.maintained.Go(func() {
		<-s.stopping
		cancel()
	})
	s.maintained.Go(func() { s.reports.daily.Run(ctx) })
	s.maintained.Go(func() { s.reports.weekly.Run(ctx) })
}

func (s *Server) applyReports(c *settings) {
	s.reports.daily.Apply(s.dailySettings(c))
	s.reports.weekly.Apply(weeklySettings(c))
}

func (s *Server) dailySettings(c *settings) report.DailySettings {
	contact := postmasterAddress(c.Config)
	return report.DailySettings{
		Identity: report.Identity{Organization: contact.Domain, Contact: contact, Hostname: string(c.Hostname)},
		Resolver: s.resolver,
	}
}

func weeklySettings(c *settings) report.WeeklySettings {
	return report.WeeklySettings{Hostname: string(c.Hostname), To: postmasterAddress(c.Config), Location: c.Location}
}

// postmasterAddress is the postmaster's at the first domain, which signs.
func postmasterAddress(c *config.Config) address.Address {
	domain := c.Hostname
	if len(c.Directory.Domains) > 0 {
		domain = c.Directory.Domains[0].Name
	}
	return address.Address{Local: "postmaster", Domain: domain}
}

// filing returns the hooks of a mailbox: of the postmaster's, what files reports comes
// first.
func (s *Server) filing(c *settings) func(address.Address) []hook.Hook {
	first := hook.Hook{Program: report.Filing{Store: s.reports.store, Ours: c.directory.IsLocal}}
	var postmasters []address.Key
	for _, d := range c.directory.Resolve(postmasterAddress(c.Config)).Destinations {
		if d.Kind == directory.Box {
			postmasters = append(postmasters, d.Address.Key())
		}
	}
	return func(a address.Address) []hook.Hook {
		hooks := c.deliverHooks(a)
		if slices.Contains(postmasters, a.Key()) {
			hooks = append([]hook.Hook{first}, hooks...)
		}
		return hooks
	}
}

// authenticated counts the result of a message for the report to its author's domain.
func (s *Server) authenticated(env envelope.Envelope, f senderauth.Facts, r senderauth.Results) {
	s.reports.store.AddDMARC(report.FromResults(env.Recipients, f, r))
}

// encrypted counts a session with another server for the report to its domain.
func (s *Server) encrypted(r relay.TLSResult) {
	s.reports.store.AddTLS(report.TLSResult{
		Domain: string(r.Domain), PolicyType: r.PolicyType, PolicyStrings: r.PolicyStrings, MXPatterns: r.MXPatterns,
		MX: r.MX, Remote: r.Remote, Local: r.Local, Failure: r.Failure, Detail: r.Detail,
	})
}

// namesTimeout bounds the look-ups of names for a report.
const namesTimeout = 10 * time.Second

// completeDigest adds what the store of reports does not know.
func (s *Server) completeDigest(ctx context.Context, d *report.Digest) {
	live := s.live.Load()
	nameSources(ctx, d, s.resolver, string(live.Hostname))
	counts := s.spool.Counts()
	d.Queue = report.Queue{Waiting: counts.Recipients, Held: counts.Held, Oldest: counts.Oldest}
	for _, c := range s.sending.AllClosed() {
		d.Limits = append(d.Limits, fmt.Sprintf("%s may not send since %s, because %s. If its password is safe again, `facteur account reopen %s` lets it.",
			c.Account, c.Since.In(live.Location).Format("2 January 15:04"), c.Reason, c.Account))
	}
}

// nameSources gives the senders in a digest their names, and tells which is this server.
func nameSources(ctx context.Context, d *report.Digest, r *dns.Resolver, hostname string) {
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	addrs, err := r.Addrs(ctx, hostname)
	if err != nil {
		addrs = nil // unknown: none is this server
	}
	d.Describe(ctx, r, func(ip netip.Addr) bool { return slices.Contains(addrs, ip) })
}

// Report is that of control.Backend.
func (s *Server) Report(ctx context.Context, days int) (*report.Digest, error) {
	from, to := lastDays(time.Now(), days, s.live.Load().Location)
	d, err := s.reports.store.Digest(ctx, from, to)
	if err == nil {
		s.completeDigest(ctx, d)
	}
	return d, err
}

// lastDays returns the time from so many days ago until now.
func lastDays(now time.Time, days int, l *time.Location) (from, to time.Time) {
	to = now.In(l).Add(time.Second).Truncate(time.Second) // what came in this second counts
	return to.AddDate(0, 0, -days), to
}

// PrintReport prints what is known of the last days: as the running server knows it,
// or without one from the data folder.
func PrintReport(w io.Writer, path string, days int, asJSON bool) error {
	if days < 1 || days > 100 {
		return errors.New("--days is a number from 1 to 100")
	}
	c, err := client(path)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	d, err := c.Report(days)
	if errors.Is(err, control.ErrNoServer) {
		d, err = reportBeside(w, cfg, days)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, d)
	}
	_, err = io.WriteString(w, d.Text(string(cfg.Hostname)))
	return err
}

// reportBeside makes the report without a server.
func reportBeside(w io.Writer, cfg *config.Config, days int) (*report.Digest, error) {
	from, to := lastDays(time.Now(), days, cfg.Location)
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) { // it never ran
		return &report.Digest{From: from, To: to}, nil
	}
	lock, err := lockData(cfg.Data)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := statedb.Open(filepath.Join(cfg.Data, "state.db"), log)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	store, err := report.Open(report.Options{DB: db, Log: log})
	if err != nil {
		return nil, err
	}
	d, err := store.Digest(context.Background(), from, to)
	if err != nil {
		return nil, err
	}
	if r, err := dns.New(dns.Options{Servers: dnsServers(&settings{Config: cfg})}); err == nil {
		nameSources(context.Background(), d, r, string(cfg.Hostname))
	}
	return d, nil
}
