// Package server builds the whole from its parts, changes it while it runs
// (reload.go), and has the verbs of the command line. It is the only place that
// knows all parts.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"facteur/server/auth"
	"facteur/server/autoreply"
	"facteur/server/buffer"
	"facteur/server/certs"
	"facteur/server/control"
	"facteur/server/deliver"
	"facteur/server/dns"
	"facteur/server/envelope"
	"facteur/server/follow"
	"facteur/server/httpd"
	"facteur/server/imapd"
	"facteur/server/intake"
	"facteur/server/kv"
	"facteur/server/limit"
	"facteur/server/listen"
	"facteur/server/mailbox"
	"facteur/server/mtasts"
	"facteur/server/people"
	"facteur/server/pop3d"
	"facteur/server/redirect"
	"facteur/server/relay"
	"facteur/server/retention"
	"facteur/server/safefile"
	"facteur/server/schedule"
	"facteur/server/scheduling"
	"facteur/server/senderauth"
	"facteur/server/smtpd"
	"facteur/server/spool"
	"facteur/server/srs"
	"facteur/server/statedb"
	"facteur/server/trace"
	"facteur/server/wire"
)

// ServeOptions are those of `facteur serve`.
type ServeOptions struct {
	Config  string
	Version string
	Verbose bool      // log each command of each SMTP and POP3 session
	Out     io.Writer // where to connect, for people
	Log     io.Writer

	RelayPort int // where other servers listen; 0: 25
}

// grace is how long a stop waits for messages that are on their way in.
const grace = 10 * time.Second

// Server is all parts of a running server.
type Server struct {
	opts    ServeOptions
	log     *slog.Logger
	started time.Time

	lock        *os.File
	resolver    *dns.Resolver
	policies    *mtasts.Store
	relay       *relay.Relay
	state       *statedb.DB
	sending     *limit.Sending
	inbound     *limit.Inbound
	greylist    *intake.Greylist
	notices     chan notice // to be sent
	memory      *kv.Store   // of scripts
	scripts     *scriptCounts
	failures    *failures
	trace       *trace.Log
	heldToday   perDay // notices of what scripts hold
	sharedToday perDay // notices of what is shared, by who gets them
	sharedBy    perDay // those, by who has them sent
	redirects   *redirect.Memory
	replies     *autoreply.Memory
	people      *people.Memory
	srs         *srs.Rewriter
	own         ownAddresses
	reports     reporting
	bins        *retention.Bins
	store       *mailbox.Store
	spool       *spool.Spool
	deliver     *deliver.Deliverer
	follow      *follow.Follower
	intake      *intake.Intake
	auth        *auth.Authenticator
	smtp        *smtpd.Server
	imap        *imapd.Server
	pop         *pop3d.Server
	dav         calendars
	scheduling  *scheduling.Scheduler
	once        *schedule.Memory
	web         *httpd.Server
	certs       certs.Live
	senders     *senderauth.Verifier
	keys        *senderauth.Keys
	sockets     *listen.Set
	control     *control.Server
	watcher     *watcher
	ready       chan struct{} // closed once all parts are there: the spool waits for it

	reloading sync.Mutex // one reload at a time
	live      atomic.Pointer[settings]
	last      atomic.Pointer[control.Reload]

	stopping   chan struct{} // closed when the server stops
	maintained sync.WaitGroup
	sweeping   sync.Mutex // one sweep of removed accounts at a time

	quarantineTold time.Time // when people were told last; of the goroutine of maintain
	removed        atomic.Pointer[[]control.Removed]
}

// Serve runs a server until ctx ends. It returns early when it can't start.
func Serve(ctx context.Context, o ServeOptions) error {
	s, err := start(o)
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	daily := time.NewTicker(24 * time.Hour) // certificates come near their end
	defer daily.Stop()
	s.printWelcome()
	for {
		select {
		case <-ctx.Done():
			return s.stop()
		case <-hangup:
			s.reload()
		case <-s.watcher.saved:
			s.reload()
		case <-daily.C:
			s.reload()
		}
	}
}

// start builds the parts, lowest first, and begins to serve.
func start(o ServeOptions) (_ *Server, err error) {
	s := &Server{opts: o, started: time.Now(), log: newLog(o), ready: make(chan struct{}), stopping: make(chan struct{}), notices: make(chan notice, maxNotices)}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.watcher, err = newWatcher(s.log); err != nil {
		return nil, fmt.Errorf("watching files: %w", err)
	}
	if s.opts.Config, err = filepath.Abs(o.Config); err != nil {
		return nil, err
	}
	s.watcher.Watch([]string{s.opts.Config}) // so that no save is missed from here on
	first, err := s.prepare(nil)
	if err != nil {
		return nil, err
	}
	s.live.Store(first)
	if err := s.openData(first); err != nil {
		return nil, err
	}
	if err := s.build(first); err != nil {
		return nil, err
	}
	plan, err := s.sockets.Plan(wanted(first))
	if err != nil {
		return nil, err
	}
	if s.control, err = control.Listen(controlPath(first.Data), s); err != nil {
		plan.Abort()
		return nil, err
	}
	close(s.ready)
	plan.Commit()
	s.maintained.Go(s.maintain)
	s.maintained.Go(s.writeNotices)
	s.startReports()
	s.startFollowing()
	s.startCalendars()
	s.watch(nil, first)
	go func() {
		if err := s.control.Serve(); err != nil {
			s.log.Error("control.failed", "error", err)
		}
	}()
	if os.Geteuid() == 0 {
		s.log.Warn("server.root", "advice", "run facteur as a user of its own; CAP_NET_BIND_SERVICE lets it bind the ports below 1024")
	}
	s.log.Info("server.ready", "version", o.Version, "config", first.File, "digest", first.Digest)
	return s, nil
}

func newLog(o ServeOptions) *slog.Logger {
	level := slog.LevelInfo
	if o.Verbose {
		level = wire.LevelTrace
	}
	return slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: level}))
}

func controlPath(data string) string { return filepath.Join(data, "control.sock") }

// openData takes the data folder, and opens what is kept there.
func (s *Server) openData(first *settings) error {
	spoolDir := filepath.Join(first.Data, "spool")
	tmp := filepath.Join(spoolDir, "tmp")
	domains := filepath.Join(first.Data, "domains")
	for _, dir := range []string{tmp, domains} {
		if err := safefile.MkdirAll(safefile.OS, dir); err != nil {
			return fmt.Errorf("the data folder can't be made: %w", err)
		}
	}
	var err error
	if s.lock, err = lockData(first.Data); err != nil {
		return err
	}
	if s.state, err = statedb.Open(filepath.Join(first.Data, "state.db"), s.log); err != nil {
		return err
	}
	if err := s.openRelay(first); err != nil {
		return err
	}
	if s.sending, err = limit.Open(limit.Options{State: s.state, Log: s.log, Table: sendingTable(first)}); err != nil {
		return fmt.Errorf("opening the sending limits: %w", err)
	}
	if s.greylist, err = intake.OpenGreylist(s.state); err != nil {
		return fmt.Errorf("opening the greylist: %w", err)
	}
	if err := s.openReports(first); err != nil {
		return err
	}
	if err := s.openScripts(first); err != nil {
		return err
	}
	if err := s.openForwarding(first.Data); err != nil {
		return err
	}
	if s.people, err = people.Open(s.state, nil); err != nil {
		return fmt.Errorf("opening what mailboxes know of people: %w", err)
	}
	// The spool before the mailboxes: it sweeps the drafts that a crash left.
	s.spool, err = spool.Open(spool.Options{
		Dir: spoolDir, FS: safefile.OS, Log: s.log, Hostname: string(first.Hostname), Attempt: (*attempts)(s),
		Inject: s.notify, Told: s.toldOf, Wanted: s.wantedBy,
	})
	if err != nil {
		return fmt.Errorf("opening the spool: %w", err)
	}
	if s.keys, err = senderauth.OpenKeys(keysDir(first.Data), safefile.OS, nil); err != nil {
		return err
	}
	s.openBins(first)
	if err := s.openCalendars(first); err != nil {
		return err
	}
	if err := s.openCalendarServer(first); err != nil {
		return err
	}
	return s.openMailboxes(first, false)
}

// notify sends a notice of the spool on its way.
func (s *Server) notify(ctx context.Context, env envelope.Envelope, b envelope.Body) error {
	select {
	case <-s.ready:
		return s.intake.Inject(ctx, env, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// build makes the parts that hold no data.
func (s *Server) build(first *settings) error {
	pool, err := buffer.NewPool(buffer.Options{Dir: filepath.Join(first.Data, "spool", "tmp")})
	if err != nil {
		return err
	}
	s.openFollowing(first)
	s.deliver = deliver.New(s.deliverOptions(), s.deliverSettings(first))
	s.follow.Use(s.deliver)
	s.follow.UseScheduling(s.scheduling)
	s.senders = senderauth.NewVerifier(senderauth.VerifierOptions{Log: s.log}, s.senderSettings(first))
	s.intake = intake.New(intake.Options{
		Deliver: s.deliver, Store: s.store, Log: s.log, Verifier: s.senders, Authenticated: s.authenticated,
		Sending: s.sending, Greylist: s.greylist, People: s.people, Notify: s.tellOwner, Trace: s.trace,
	}, s.intakeSettings(first))
	s.auth = auth.New(auth.Options{
		Directory: s.newestDirectory, Trusted: s.trusts, Seen: s.loginSeen, Log: s.log,
		Admit: (*backend)(s).admit,
	})
	s.inbound = limit.NewInbound(limit.InboundOptions{})
	s.certs.Use(first.certs)
	s.smtp = smtpd.New((*backend)(s), pool, s.log, s.smtpOptions(first))
	s.imap = imapd.New(s.imapOptions(first))
	s.pop = pop3d.New(maildrops{(*backend)(s)}, s.log, s.popOptions(first))
	s.web = httpd.New(s.webOptions(first))
	s.sockets = listen.New(listen.Options{Serve: s.serve, Proxies: s.proxies, Log: s.log})
	return nil
}

// serve serves one listener with its protocol.
func (s *Server) serve(ln net.Listener, service string) {
	var err error
	switch service {
	case "imap", "imaps":
		err = s.imap.Serve(ln, service)
	case pop3d.POP3, pop3d.POP3S:
		err = s.pop.Serve(ln, service)
	case httpd.HTTP, httpd.HTTPS:
		err = s.web.Serve(ln, service)
	default:
		err = s.smtp.Serve(ln, service)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Error("server.listener_failed", "service", service, "error", err)
	}
}

// stop ends the server: no new connections, messages on their way in are still
// taken, then everything is closed.
func (s *Server) stop() error {
	s.log.Info("server.stopping")
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	s.control.Close()
	s.sockets.Close()
	err := errors.Join(s.smtp.Shutdown(ctx), s.imap.Shutdown(ctx), s.pop.Shutdown(ctx), s.web.Shutdown(ctx))
	if errors.Is(err, context.DeadlineExceeded) { // some were too slow: what they sent was not answered
		s.log.Warn("server.cut_off", "after", grace)
		err = nil
	}
	s.release()
	s.log.Info("server.stopped")
	return err
}

// release closes what is open, in the reverse order of start.
func (s *Server) release() {
	close(s.stopping)
	s.maintained.Wait()
	if s.sockets != nil {
		s.sockets.Close()
	}
	if s.spool != nil {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		s.spool.Close(ctx)
		cancel()
	}
	s.closeRelay()
	if s.bins != nil {
		s.bins.Close()
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("server.store", "error", err)
		}
	}
	s.closeCalendars()
	s.closeScripts()
	if s.state != nil {
		if err := s.state.Close(); err != nil {
			s.log.Error("server.state", "error", err)
		}
	}
	if s.watcher != nil {
		s.watcher.Close()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}
