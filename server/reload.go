package server

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"facteur/server/address"
	"facteur/server/config"
	"facteur/server/connection"
	"facteur/server/control"
	"facteur/server/deliver"
	"facteur/server/hook"
	"facteur/server/imapd"
	"facteur/server/intake"
	"facteur/server/pop3d"
	"facteur/server/smtpd"
	"facteur/server/spool"
)

// reload loads the settings anew and puts them in force, or changes nothing.
func (s *Server) reload() control.Reload {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.prepare(s.live.Load())
	result := control.Reload{At: time.Now()}
	if err == nil {
		err = s.change(next)
	}
	if err != nil {
		result.Problems = listProblems(err)
		for _, p := range result.Problems {
			s.log.Error("server.reload_failed", "problem", p.String(), "result", "the settings in force stay")
		}
	}
	s.last.Store(&result)
	return result
}

// prepare loads everything aside: nothing is in force yet. When it fails, the
// files are watched that may put it right.
func (s *Server) prepare(old *settings) (*settings, error) {
	next, err := loadSettings(s.opts.Config, old)
	if err == nil {
		err = s.complete(old, next)
	}
	if err != nil {
		var several *config.Errors
		if errors.As(err, &several) {
			s.watch(several.Unread, old, next)
		} else {
			s.watch(nil, old, next)
		}
		return nil, err
	}
	return next, nil
}

// complete loads what stands outside mail.toml and its scripts.
func (s *Server) complete(old, next *settings) (err error) {
	next.directory = s.withSenders(next.Config.Directory)
	if old != nil && next.Data != old.Data {
		return fmt.Errorf("data can't change while the server runs: it serves %s; restart it to serve %s", old.Data, next.Data)
	}
	if next.certs, err = loadCerts(next); err != nil {
		return err
	}
	for _, text := range next.warnings() {
		s.log.Warn("script.warning", "text", text)
	}
	for _, text := range next.certs.Warnings(time.Now()) {
		s.log.Warn("certs.warning", "text", text)
	}
	next.smarthost, err = loadSmarthost(next)
	return err
}

// change binds what is new, puts the settings in force, and closes what is not
// wanted any more.
func (s *Server) change(next *settings) error {
	plan, err := s.sockets.Plan(wanted(next))
	if err != nil {
		return err
	}
	old := s.live.Swap(next)
	s.apply(next)
	plan.Commit()
	s.recheck(old, next)
	s.watch(nil, next)
	s.log.Info("server.reloaded", "digest", next.Digest, "accounts", len(next.Directory.Accounts))
	return nil
}

// apply hands each part its settings. Parts that look them up through s.live
// have them already.
func (s *Server) apply(next *settings) {
	s.applyRelay(next)
	s.deliver.Apply(s.deliverSettings(next))
	s.senders.Apply(s.senderSettings(next))
	s.intake.Apply(s.intakeSettings(next))
	s.sending.Apply(sendingTable(next))
	s.certs.Use(next.certs)
	s.smtp.Apply(s.smtpOptions(next))
	s.imap.Apply(s.imapOptions(next))
	s.pop.Apply(s.popOptions(next))
	s.web.Apply(s.webOptions(next))
	s.dav.homes.Apply(homesSettings(next))
	s.spool.Apply(spool.Options{Hostname: string(next.Hostname)})
	s.applyReports(next)
	s.follow.Apply(s.followSettings(next))
	s.scripts.load(next)
	s.trace.Apply(next.Retention.Trace)
}

// recheck ends the sessions whose login is gone, and forgets what is kept of
// accounts and shared mailboxes that are.
func (s *Server) recheck(old, next *settings) {
	s.imap.Recheck() // smtp and pop did it in Apply
	for _, a := range old.directory.Boxes() {
		if _, stays := next.directory.Box(a); !stays {
			s.store.Forget(a)
			s.dav.forget(a)
			s.log.Info("server.account_removed", "account", a.String(), "result", "its folder stays for now, see facteur status")
		}
	}
	s.sweepRemoved()
}

// watch has the files of settings watched, and more.
func (s *Server) watch(more []string, versions ...*settings) {
	files := slices.Clone(more)
	for _, v := range versions {
		if v != nil {
			files = append(files, v.Files()...)
		}
	}
	slices.Sort(files)
	s.watcher.Watch(slices.Compact(files))
}

func (s *Server) deliverSettings(c *settings) deliver.Settings {
	return deliver.Settings{
		Hostname: string(c.Hostname), Directory: c.directory, Hooks: s.filing(c), Location: c.Location, Vacation: c.vacation,
		Services: s.services(),
	}
}

func (s *Server) intakeSettings(c *settings) intake.Settings {
	return intake.Settings{
		Hostname: string(c.Hostname), Directory: c.directory, Location: c.Location,
		ServerHooks: c.hooks(c.Scripts), BoxHooks: c.boxHooks, DomainHooks: c.domainHooks, Handled: c.handled(),
		Trusted: c.Trusted, Unlimited: s.trusts, Recipients: c.Limits.Recipients,
		Services: s.services(),
	}
}

func (s *Server) smtpOptions(c *settings) smtpd.Options {
	conns := s.connections(c)
	conns.Limits = s.inboundLimits(c.Trusted)
	o := smtpd.Options{
		Hostname: string(c.Hostname), MessageSize: c.Limits.MessageSize, Recipients: c.Limits.Recipients,
		Settings: conns,
	}
	if slices.ContainsFunc(c.hooks(c.Scripts), func(h hook.Hook) bool { return h.Program.Handles(hook.Connect) }) {
		o.Connect = (*backend)(s).connect
	}
	return o
}

func (s *Server) connections(c *settings) connection.Settings {
	return connection.Settings{
		Limits: connection.Limits{Trusted: c.Trusted}, TLS: s.certs.Config(), PlaintextLogin: string(c.TLS.PlaintextLogin),
	}
}

func (s *Server) imapOptions(c *settings) imapd.Options {
	return imapd.Options{
		Store: s.store, Auth: s.auth, Log: s.log,
		TLS: s.certs.Config(), PlaintextLogin: c.TLS.PlaintextLogin == config.PlaintextLoopback, AppendLimit: c.Limits.MessageSize,
		Limits:  connection.Limits{Trusted: c.Trusted},
		Follows: s.follow.Follows, Stored: s.storedBy,
		QuotaOf: func(a address.Address) int64 {
			box, _ := c.directory.Box(a)
			return box.Quota
		},
		Roles: func(account address.Address) []imapd.Shared {
			var all []imapd.Shared
			for _, r := range c.directory.Shared(account) {
				all = append(all, imapd.Shared{Address: r.Address, Rights: r.Rights})
			}
			return all
		},
		Members: func(shared address.Address) []imapd.Grant {
			var all []imapd.Grant
			for _, r := range c.directory.Members(shared) {
				all = append(all, imapd.Grant{Account: r.Account, Rights: r.Rights})
			}
			return all
		},
	}
}

func (s *Server) popOptions(c *settings) pop3d.Options {
	return pop3d.Options{Hostname: string(c.Hostname), Settings: s.connections(c)}
}
