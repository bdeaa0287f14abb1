package server

import (
	"net"
	"slices"
	"strconv"

	"facteur/server/config"
	"facteur/server/httpd"
	"facteur/server/listen"
)

// wanted lists the addresses to listen on.
func wanted(c *settings) []listen.Wanted {
	var all []listen.Wanted
	for _, s := range c.Listen.Services() {
		for _, l := range s.Listeners {
			all = append(all, listen.Wanted{Service: s.Name, Address: l.Address})
		}
	}
	return all
}

// proxies returns who may speak for others on a listener, by the newest settings. Web servers may do
// so in requests (listen.Forwards).
func (s *Server) proxies(w listen.Wanted) listen.Proxies {
	l, ok := s.live.Load().listener(w)
	return listen.Proxies{Networks: l.Proxies, Optional: w.Service == httpd.HTTP || w.Service == httpd.HTTPS, Closed: !ok}
}

// listener returns what the settings say of an open listener. false: they do not have it, and it
// is about to be closed.
func (c *settings) listener(w listen.Wanted) (config.Listener, bool) {
	for _, s := range c.Listen.Services() {
		if s.Name != w.Service {
			continue
		}
		if i := slices.IndexFunc(s.Listeners, func(l config.Listener) bool { return l.Address == w.Address }); i >= 0 {
			return s.Listeners[i], true
		}
	}
	return config.Listener{}, false
}

// outside returns the port at which those elsewhere find a listener that is bound to a port, and as
// what service; 0: they do not. A proxy has the usual one, and TLS before a plain web server.
func outside(service string, l config.Listener, bound int) (string, int) {
	switch {
	case len(l.Proxies) > 0 && service == httpd.HTTP:
		return httpd.HTTPS, usualPort(httpd.HTTPS)
	case len(l.Proxies) > 0:
		return service, usualPort(service)
	case l.Here():
		return service, 0
	}
	return service, bound
}

// usualPort is where clients look for a service first.
func usualPort(service string) int {
	return map[string]int{
		"smtp": 25, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, // RFC 8314 7
		httpd.HTTP: 80, httpd.HTTPS: 443,
	}[service]
}

// port is the one in the address of a listener, 0 when it has none yet, or is no TCP port.
func port(l config.Listener) int {
	_, text, err := net.SplitHostPort(l.Address)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(text) // a number: config has checked it
	return n
}
