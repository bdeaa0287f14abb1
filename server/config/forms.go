package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"facteur/scripts"
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/password"
	"facteur/server/safefile"
)

// form is how a value is written.
type form struct {
	// is completes "this must be ...".
	is   string
	kind kind
	also kind // of the value as well; table: no other
	// read returns what the value stands for. dir is the folder of the file.
	// Errors tell what is wrong, as a rule without the value: it may be secret.
	read func(n *node, dir string) (any, error)
	// of is set for a list of values; one alone may stand for a list of one when
	// single is set.
	of     *form
	single bool
	tables bool // in the list there may be tables too
	// free: any simple value, or a list of such.
	free bool
}

// hinted is an error with advice.
type hinted struct{ text, hint string }

func (e hinted) Error() string { return e.text }

// texts makes a form of a text.
func texts(is string, read func(s, dir string) (any, error)) *form {
	return &form{is: is, kind: text, read: func(n *node, dir string) (any, error) { return read(n.text, dir) }}
}

func listOf(f *form) *form {
	return &form{is: "a list, each " + f.is, kind: list, of: f}
}

func oneOrMore(f *form) *form {
	return &form{is: f.is + ", or a list of such", kind: list, of: f, single: true}
}

func oneOf(words ...string) *form {
	return texts(`"`+strings.Join(words, `" or "`)+`"`, func(s, _ string) (any, error) {
		for _, w := range words {
			if s == w {
				return s, nil
			}
		}
		return nil, fmt.Errorf(`this must be "%s"`, strings.Join(words, `" or "`))
	})
}

// anyForm is of keys that are not supported yet.
var anyForm = &form{is: "a value", kind: text}

// freeForm is of values whose form a plugin knows.
var freeForm = &form{is: "a value", kind: text, free: true}

// hostForm is a host that scripts may reach, with or without a port.
var hostForm = texts(`a host such as "chat.example.net" or "127.0.0.1:8080"`, func(s, _ string) (any, error) {
	host, port := s, ""
	if strings.Contains(s, "/") {
		return nil, hinted{fmt.Sprintf("%q is not a host", s), "write the name alone, without https:// and path"}
	}
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return nil, hinted{fmt.Sprintf("%q is not a host", s), `write "chat.example.net" or "chat.example.net:8443"`}
		}
	}
	if _, err := netip.ParseAddr(host); err != nil {
		d, err := address.ParseDomain(host)
		if err != nil || strings.HasPrefix(string(d), "[") {
			return nil, hinted{fmt.Sprintf("%q is not a host", s), `write "chat.example.net" or "chat.example.net:8443"`}
		}
		host = string(d)
	}
	if port == "" {
		return host, nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("%q is not a port", port)
	}
	return net.JoinHostPort(host, port), nil
})

var flagForm = &form{is: "true or false", kind: boolean, read: func(n *node, _ string) (any, error) {
	return n.text == "true", nil
}}

func numberBetween(least, most int) *form {
	return &form{is: fmt.Sprintf("a whole number between %d and %d", least, most), kind: integer, read: func(n *node, _ string) (any, error) {
		i, err := strconv.ParseInt(strings.ReplaceAll(n.text, "_", ""), 0, 64)
		if err != nil || i < int64(least) || i > int64(most) {
			return nil, fmt.Errorf("this must be a number between %d and %d", least, most)
		}
		return int(i), nil
	}}
}

// maxText is the greatest length of a name, in octets.
const maxText = 255

var textForm = texts("a text", func(s, _ string) (any, error) {
	switch {
	case len(s) > maxText:
		return nil, fmt.Errorf("this is longer than %d octets", maxText)
	case strings.TrimSpace(s) == "":
		return nil, hinted{"this is empty", "take the line out, or write something"}
	case strings.ContainsFunc(s, unicode.IsControl):
		return nil, errors.New("this holds a control character")
	}
	return s, nil
})

var domainForm = texts(`a domain such as "example.org"`, func(s, _ string) (any, error) {
	d, err := address.ParseDomain(s)
	if err == nil && strings.HasPrefix(string(d), "[") {
		err = fmt.Errorf("%q is not a domain", s)
	}
	return d, err
})

var addressForm = texts(`an address such as "alice@example.org"`, func(s, _ string) (any, error) {
	return address.Parse(s)
})

var targetForm = texts("an address or a login name", func(s, _ string) (any, error) {
	if strings.Contains(s, "@") {
		a, err := address.Parse(s)
		return directory.Target{Address: a}, err
	}
	name, err := textForm.read(&node{text: s}, "")
	if err != nil {
		return nil, err
	}
	return directory.Target{Login: name.(string)}, nil
})

// posterRules are the words that "posters" may be, alone.
func posterRules() map[string]directory.PosterRule {
	return map[string]directory.PosterRule{
		"anyone": directory.PostersAnyone, "members": directory.PostersMembers, "domain": directory.PostersDomain,
	}
}

// posterForm reads a rule, or who may write.
var posterForm = texts(`"members", "domain", "anyone", or an address`, func(s, dir string) (any, error) {
	if rule, ok := posterRules()[s]; ok {
		return rule, nil
	}
	return targetForm.read(&node{text: s}, dir)
})

var separatorForm = texts(`one character such as "+", or "" for none`, func(s, _ string) (any, error) {
	if s != "" && (len(s) > 1 || !strings.Contains("!#$%&'*+-/=?^_`{|}~", s)) {
		return nil, hinted{fmt.Sprintf("%q can't be between a name and its subaddress", s), `write one character such as "+" or "-", or "" for none`}
	}
	return s, nil
})

var zoneForm = texts(`a time zone such as "Europe/Brussels"`, func(s, _ string) (any, error) {
	if s == "" || len(s) > maxText {
		return nil, hinted{"there is no such time zone", `write one such as "Europe/Brussels"`}
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, hinted{fmt.Sprintf("there is no time zone %q on this machine", s), `write one such as "Europe/Brussels"; the package that brings them is called tzdata`}
	}
	return zone, nil
})

// hashForm and deviceForm never repeat what they read.
var hashForm = texts("a password hash", func(s, _ string) (any, error) {
	if err := password.Check(s); err != nil {
		return nil, hinted{err.Error(), "make one with facteur passwd"}
	}
	return s, nil
})

var deviceForm = texts("the line of an app password", func(s, _ string) (any, error) {
	if err := password.CheckDevice(s); err != nil {
		return nil, hinted{err.Error(), "copy the whole line that facteur printed"}
	}
	return s, nil
})

var pathForm = texts("a path", func(s, dir string) (any, error) { return absolute(s, dir) })

// absolute returns a path relative to the folder of the file.
func absolute(s, dir string) (string, error) {
	if s == "" || strings.ContainsRune(s, 0) {
		return "", errors.New("this must be a path")
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(dir, s)
	}
	return filepath.Clean(s), nil
}

var fileForm = texts("a file", func(s, dir string) (any, error) {
	path, err := absolute(s, dir)
	if err != nil {
		return nil, err
	}
	return path, readable(path, s)
})

var scriptForm = texts("a Lua file", func(s, dir string) (any, error) {
	path, err := absolute(s, dir)
	if err != nil {
		return nil, err
	}
	script := Script{Name: filepath.ToSlash(filepath.Clean(s)), Path: path}
	if _, shipped := scripts.Find(script.Name); shipped && absent(path) {
		script.BuiltIn = true
		return script, nil
	}
	if absent(path) {
		if near := guessScript(script.Name, dir); near != "" {
			return script, unread{hinted{fmt.Sprintf("there is no file %q", s), near}, path}
		}
	}
	return script, readable(path, s)
})

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

// unread is an error about the file at path.
type unread struct {
	error
	path string
}

func (e unread) Unwrap() error { return e.error }

// readable tells why a file can't be read; name is the path as it is written.
func readable(path, name string) error {
	if err := tryFile(path, name); err != nil {
		return unread{err, path}
	}
	return nil
}

func tryFile(path, name string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return hinted{fmt.Sprintf("there is no file %q", name), "paths are relative to the folder of this file"}
	case err != nil:
		return fmt.Errorf("%q can't be read: %w", name, safefile.Reason(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q is no file", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return hinted{fmt.Sprintf("%q can't be read: %v", name, safefile.Reason(err)), "give the user that facteur runs as the right to read it"}
	}
	return f.Close()
}

var listenForm = texts(`an address such as "127.0.0.1:25", ":25" or "unix:/run/facteur/lmtp.sock"`, func(s, dir string) (any, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		abs, err := absolute(path, dir)
		if err == nil && len(abs) > maxSocketPath {
			err = fmt.Errorf("the path of this socket is longer than %d octets", maxSocketPath)
		}
		return "unix:" + abs, err
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, hinted{"this is no address to listen on", `write "127.0.0.1:25", "[::1]:25", or ":25" for all addresses of the machine`}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return nil, hinted{fmt.Sprintf("%q is no port", port), "a port is a number up to 65535"}
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return nil, hinted{fmt.Sprintf("%q is no IP address", host), "write an address of this machine, or nothing before the colon for all of them"}
	}
	return net.JoinHostPort(host, port), nil
})

// listenersForm is of a service.
var listenersForm = &form{is: listenForm.is + ", or a list of such", kind: list, of: listenForm, single: true, tables: true}

// proxyForm is a network whose word is taken for whose a connection is.
var proxyForm = texts(`the address or network of a proxy, such as "10.0.0.1" or "10.0.0.0/24"`, func(s, dir string) (any, error) {
	v, err := networkForm.read(&node{text: s}, dir)
	if p, ok := v.(netip.Prefix); ok && err == nil && p.Bits() == 0 {
		return nil, hinted{fmt.Sprintf("%q is everybody, who could then take any address", s), "write the address of the proxy"}
	}
	return v, err
})

// maxSocketPath is that of sun_path, less the NUL (unix(7)).
const maxSocketPath = 107

var networkForm = texts(`a network such as "192.168.1.0/24"`, func(s, _ string) (any, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, hinted{fmt.Sprintf("%q is no network", s), `write "192.168.1.0/24" or "2001:db8::/32"`}
	}
	if p != p.Masked() {
		return nil, hinted{fmt.Sprintf("%q is an address in a network", s), fmt.Sprintf("write %q for the network, %q for this address alone", p.Masked(), p.Addr())}
	}
	return p, nil
})

// dnsPort is the port of name servers (RFC 1035 4.2).
const dnsPort = 53

var serverForm = texts(`the address of a name server such as "127.0.0.1:53"`, func(s, _ string) (any, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, dnsPort), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return nil, hinted{fmt.Sprintf("%q is no address of a name server", s), `write "127.0.0.1" or "127.0.0.1:53"`}
	}
	return ap, nil
})
