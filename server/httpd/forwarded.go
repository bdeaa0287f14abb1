package httpd

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"facteur/server/listen"
)

// forwarded is what a proxy says of a request.
type forwarded struct {
	client netip.Addr // invalid: it does not say
	scheme string     // "https", "http"; "": it does not say
	host   string     // that the client asked for; "": that of the request
}

// Why what a proxy says can't be believed. Each header that it does not set itself may be the
// client's, so two that differ are as bad as none.
var (
	errForwarded = errors.New("this is not a list of addresses")
	errTwoTales  = errors.New("the headers Forwarded and X-Forwarded-For (or -Proto) differ: the proxy must take away the one that it does not set")
)

// readForwarded reads what the proxy at an address says, in X-Forwarded-For and its like, or in
// Forwarded (RFC 7239). Who is asking is the rightmost address that is not a trusted proxy's: what
// stands left of it may be of its own making.
func readForwarded(h http.Header, proxy netip.Addr, proxies []netip.Prefix) (out forwarded, err error) {
	var old, standard forwarded
	if old.client, _, err = furthest(listed(h, "X-Forwarded-For"), proxy, proxies); err != nil {
		return out, err
	}
	old.scheme, old.host = strings.ToLower(last(h, "X-Forwarded-Proto")), last(h, "X-Forwarded-Host")
	hops, err := parseForwarded(strings.Join(h.Values("Forwarded"), ","))
	if err != nil {
		return out, err
	}
	nodes := make([]string, len(hops))
	for i, hop := range hops {
		nodes[i] = hop.node
	}
	var at int
	if standard.client, at, err = furthest(nodes, proxy, proxies); err != nil {
		return out, err
	}
	if len(hops) > 0 {
		standard.scheme, standard.host = hops[at].scheme, hops[at].host
	}
	if differ(old.client, standard.client) || differ(old.scheme, standard.scheme) {
		return out, errTwoTales
	}
	return forwarded{cmp.Or(old.client, standard.client), cmp.Or(old.scheme, standard.scheme), cmp.Or(old.host, standard.host)}, nil
}

// differ tells whether both are there and not the same.
func differ[T comparable](a, b T) bool {
	var none T
	return a != none && b != none && a != b
}

// listed returns the elements of a header that is a list.
func listed(h http.Header, name string) (all []string) {
	for _, line := range h.Values(name) {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.TrimSpace(element); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// last returns the last element of a header: that of the proxy next to us.
func last(h http.Header, name string) string {
	if all := listed(h, name); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// furthest returns the client of a list of nodes, the nearest last, and which one it is.
func furthest(nodes []string, proxy netip.Addr, proxies []netip.Prefix) (client netip.Addr, at int, err error) {
	for i, node := range slices.Backward(nodes) {
		ip, err := parseNode(node)
		if err != nil {
			return client, 0, err
		}
		client, at = listen.Client(proxy, ip), i
		if !listen.Within(proxies, ip) {
			break
		}
		proxy = client
	}
	return client, at, nil
}

// parseNode reads an address, with or without a port (RFC 7239 6). A name in its place ("unknown",
// "_hidden") is an error: nobody must count as the proxy that hides them.
func parseNode(node string) (netip.Addr, error) {
	text := node
	if rest, ok := strings.CutPrefix(node, "["); ok {
		var port string
		if text, port, ok = strings.Cut(rest, "]"); !ok || port != "" && port[0] != ':' {
			return netip.Addr{}, errForwarded
		}
	} else if strings.Count(node, ":") == 1 {
		text, _, _ = strings.Cut(node, ":")
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, errForwarded
	}
	if ip = ip.Unmap(); ip.IsUnspecified() || ip.IsMulticast() {
		return netip.Addr{}, errForwarded
	}
	return ip, nil
}

// hop is an element of Forwarded.
type hop struct{ node, scheme, host string }

// parseForwarded reads the elements of Forwarded (RFC 7239 4).
func parseForwarded(text string) (hops []hop, err error) {
	var h hop
	said := false // something of h
	add := func() error {
		if said && h.node == "" {
			return errForwarded // nobody knows whose it is
		}
		if said {
			hops = append(hops, h)
		}
		h, said = hop{}, false
		return nil
	}
	for {
		text = strings.TrimLeft(text, " \t")
		switch {
		case text == "":
			return hops, add()
		case text[0] == ',':
			if err := add(); err != nil {
				return nil, err
			}
			text = text[1:]
			continue
		case text[0] == ';':
			text = text[1:]
			continue
		}
		var name, value string
		if name, value, text, err = forwardedPair(text); err != nil {
			return nil, err
		}
		said = true
		field := map[string]*string{"for": &h.node, "proto": &h.scheme, "host": &h.host}[strings.ToLower(name)]
		switch {
		case field == nil: // "by", and what else there may be
		case *field != "" || value == "":
			return nil, errForwarded
		default:
			*field = value
		}
		h.scheme = strings.ToLower(h.scheme)
	}
}

// forwardedPair reads name=value, with what follows it.
func forwardedPair(text string) (name, value, rest string, err error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok || !isToken(name) {
		return "", "", "", errForwarded
	}
	if value, rest, ok = quotedString(rest); !ok {
		end := strings.IndexAny(rest, ",; \t")
		if end < 0 {
			end = len(rest)
		}
		if value, rest = rest[:end], rest[end:]; !isToken(value) {
			return "", "", "", errForwarded
		}
	}
	rest = strings.TrimLeft(rest, " \t")
	if rest != "" && rest[0] != ',' && rest[0] != ';' {
		return "", "", "", errForwarded
	}
	return name, value, rest, nil
}

// quotedString reads one (RFC 9110 5.6.4). ok is false, and rest all, when text does not begin
// with one.
func quotedString(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", text, false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", text, false
}

// isToken tells whether s is one (RFC 9110 5.6.2). An address with a colon in it, which is none, is
// taken too: not all proxies quote it.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/;<=>?@\{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
