package homes

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
)

// sourceName is the property of a calendar that has the address of what it is subscribed
// to; the objects are in the derived store.
const sourceName = hidden + "source"

// fetchedName is the property, in the derived store, of what the last fetch found.
const fetchedName = hidden + "fetched"

// How often a source is fetched: again after a success, and after the first and the
// further failures.
const (
	fetchEvery = time.Hour
	retryAfter = 10 * time.Minute
	retryMost  = 24 * time.Hour
)

// feed is a calendar that is subscribed to.
type feed struct {
	owner  address.Address
	name   string
	source string
}

// feeds fetches what is subscribed to.
type feeds struct {
	client *http.Client
	kick   chan struct{} // there is something new to fetch

	mu    sync.Mutex
	hosts []string
}

// Settings are what a reload may change.
type Settings struct {
	// Hosts are those whose calendars people may subscribe to, with or without a port. None:
	// nobody may.
	Hosts []string
}

// Apply takes settings. It is called at each reload, when the directory is the new one: there
// may be accounts whose folders lay idle, and tables of [sharing] that name nothing.
func (h *Homes) Apply(s Settings) {
	h.shares.forget()
	h.warnOfSharing()
	h.feeds.mu.Lock()
	h.feeds.hosts = slices.Clone(s.Hosts)
	h.feeds.mu.Unlock()
	h.feeds.wake()
}

// Subscribes tells whether people may subscribe to anything now.
func (h *Homes) Subscribes() bool {
	h.feeds.mu.Lock()
	defer h.feeds.mu.Unlock()
	return h.feeds.client != nil && len(h.feeds.hosts) > 0
}

func (f *feeds) init(o Options) {
	f.kick = make(chan struct{}, 1)
	if o.Resolver != nil && o.Derived != nil {
		f.client = newClient(o, f.mayReach)
	}
}

func (f *feeds) wake() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// mayReach tells whether a URL is of a host that mail.toml names: with its port, or without
// where the port is that of the scheme.
func (f *feeds) mayReach(u *url.URL) error {
	usual := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if usual == "" || u.Host == "" || u.User != nil {
		return fault.New(fault.Policy, "A calendar to subscribe to has an address such as https://example.net/calendar.ics")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = usual
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.client == nil || !slices.Contains(f.hosts, net.JoinHostPort(host, port)) && (port != usual || !slices.Contains(f.hosts, host)) {
		return fault.Newf(fault.Policy, "mail.toml does not let people subscribe to calendars of %s: it must be in subscriptions of [calendars]", u.Host)
	}
	return nil
}

// maxFeeds bounds how many calendars of others a home has: they count towards no quota.
const maxFeeds = 50

// maxSource bounds the address of a source in octets.
const maxSource = 2 << 10

// readSource reads the address of a calendar to subscribe to.
func (f *feeds) readSource(source string) (*url.URL, error) {
	if rest, ok := strings.CutPrefix(source, "webcal://"); ok { // as the web has it
		source = "https://" + rest
	}
	u, err := url.Parse(source)
	if err != nil || len(source) > maxSource {
		return nil, fault.New(fault.Policy, "This is no address of a calendar")
	}
	return u, f.mayReach(u)
}

// Subscribe makes a calendar of what another server publishes, durably. It is fetched soon,
// and every hour while Run runs. The error is a fault: Policy where mail.toml does not name
// the server.
func (h *Home) Subscribe(segment, source string, props collection.Props) (*Collection, error) {
	if err := free(segment); err != nil {
		return nil, err
	}
	u, err := h.homes.feeds.readSource(source)
	if err != nil {
		return nil, err
	}
	if h.homes.shares.count(h.homes, h.Owner) >= maxFeeds {
		return nil, fault.Newf(fault.Policy, "A home has at most %d calendars that it is subscribed to", maxFeeds)
	}
	props = withoutHidden(props)
	props.Other[sourceName] = u.String()
	c, err := h.store.Create(segment, collection.Calendar, props)
	if err != nil {
		return nil, err
	}
	h.homes.shares.refresh(h.homes, h.Owner)
	h.homes.feeds.wake()
	return h.viewKept(c)
}

// Source returns the address of what the calendar is subscribed to; "": it is not.
func (c *Collection) Source() (string, error) {
	if c.Origin != Subscribed {
		return "", nil
	}
	p, err := c.described.Props()
	return p.Other[sourceName], err
}

// withFeed gives a calendar that is subscribed to its objects.
func (h *Home) withFeed(v *Collection) (*Collection, error) {
	if h.homes.shares.source(h.homes, h.Owner, v.described.Name()) == "" {
		return v, nil
	}
	if p, err := v.described.Props(); err != nil || p.Other[sourceName] == "" {
		return v, err // another program took it away
	}
	c, err := h.derived(feedName(v.described.Name()), collection.Calendar)
	if err != nil {
		return nil, err
	}
	v.Collection, v.Origin = c, Subscribed
	v.Rights &^= Write | Schedule
	v.label = v.described.Name()
	return v, nil
}

// feedName is the name in the derived store of what a calendar is subscribed to.
func feedName(name string) string { return "feed-" + madeID("feed", name) }

// source returns what a calendar is subscribed to, "" for nothing.
func (s *shares) source(h *Homes, owner address.Address, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all(h)
	for _, f := range s.feeds[owner.Key()] {
		if f.name == name {
			return f.source
		}
	}
	return ""
}

// count is how many calendars an owner is subscribed to.
func (s *shares) count(h *Homes, owner address.Address) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all(h)
	return len(s.feeds[owner.Key()])
}

// dropFeed removes the objects of a subscription that is gone.
func (h *Home) dropFeed(c *Collection) {
	h.changeFeed(c, func(home *collection.Home) error { return home.Delete(feedName(c.Segment)) })
}

func (h *Home) renameFeed(c *Collection, from, to string) {
	h.changeFeed(c, func(home *collection.Home) error { return home.Rename(feedName(from), feedName(to)) })
}

// changeFeed changes what is derived; when it fails all is fetched anew, or fills the disk
// a little.
func (h *Home) changeFeed(c *Collection, change func(*collection.Home) error) {
	if c.Origin != Subscribed {
		return
	}
	home, err := h.homes.opt.Derived.Home(h.Owner)
	if err == nil {
		err = change(home)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		h.homes.opt.Log.Warn("homes.subscription", "owner", h.Owner, "collection", c.Segment, "err", err)
	}
}

// Run fetches what people subscribed to until ctx is done.
func (h *Homes) Run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		h.fetchDue(ctx)
		h.tellFailing()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.feeds.kick:
		}
	}
}

// fetchDue fetches what is due, one after the other.
func (h *Homes) fetchDue(ctx context.Context) {
	if h.feeds.client == nil {
		return
	}
	for _, f := range h.shares.allFeeds(h) {
		if ctx.Err() != nil {
			return
		}
		if _, ok := h.opt.Directory().Box(f.owner); !ok {
			continue
		}
		if err := h.fetchFeed(ctx, f); err != nil && ctx.Err() == nil {
			// The address may hold a secret: the log has the name here.
			h.opt.Log.Info("homes.subscription", "owner", f.owner, "collection", f.name, "err", plainError(err))
		}
	}
}

func (s *shares) allFeeds(h *Homes) (out []feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all(h)
	for _, owner := range sortedKeys(s.feeds) {
		out = append(out, s.feeds[owner]...)
	}
	return out
}

// fetchFeed fetches one calendar when it is due.
func (h *Homes) fetchFeed(ctx context.Context, f feed) error {
	home, err := h.opt.Derived.Home(f.owner)
	if err != nil {
		return err
	}
	c, err := openOrMake(home, feedName(f.name), collection.Calendar, collection.Props{})
	if err != nil {
		return err
	}
	p, err := c.Props()
	if err != nil {
		return err
	}
	last := readFetched(p, f.source)
	now := h.opt.Now()
	u, err := h.feeds.readSource(f.source)
	if last.waits(now, err == nil) {
		return nil
	}
	next := last
	if err == nil {
		next, err = h.fetchOne(ctx, c, f, u, last)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		next = last.failed(now, err)
	} else {
		next = next.worked(now)
	}
	return errors.Join(err, writeFetched(c, next))
}

// fetchOne fetches a calendar now.
func (h *Homes) fetchOne(ctx context.Context, c *collection.Collection, f feed, u *url.URL, last fetched) (fetched, error) {
	next, data, err := h.feeds.get(ctx, u, last)
	if err == nil && data != nil {
		err = h.takeFeed(c, f, data)
	}
	return next, err
}

// takeFeed gives a calendar the objects that were fetched.
func (h *Homes) takeFeed(c *collection.Collection, f feed, data []byte) error {
	want, err := splitFeed(data)
	if err != nil {
		return err
	}
	m := h.makers.get("feed " + string(f.owner.Key()) + "/" + f.name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reconcile(c, want); err != nil {
		return err
	}
	h.opt.Log.Info("homes.fetched", "owner", f.owner, "collection", f.name, "objects", len(want))
	return nil
}

// plainError leaves the URL out of an error.
func plainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Resolver finds the addresses of a host.
type Resolver interface {
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

// Dial opens a connection to an IP address and port.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)
