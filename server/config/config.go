// Package config reads mail.toml into a Config.
//
// The file is read once and parsed strictly: what is not in the rules
// (schema.go) is an error, and so is a key whose feature this version does not
// have. All problems are told at once, each with line and column; only a syntax
// error hides what comes after it. The syntax tree is that of go-toml's
// unstable parser, which alone knows where everything stands; types, duplicates
// and values are checked here.
//
// Loading touches no file but mail.toml, and looks whether the scripts and
// certificates that it names can be read. Compiling and loading those, binding
// addresses and making folders is for others. Nothing here changes after Load,
// so a Config may be used by any number of goroutines.
package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"facteur/scripts"
	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/hook"
	"facteur/server/safefile"
)

// Config is what mail.toml says. All paths are absolute. It must not be changed.
type Config struct {
	File   string // the path of mail.toml
	Digest string // of its bytes; tells two versions apart

	Hostname      address.Domain
	Data          string         // the folder of everything that is kept
	Location      *time.Location // of rules with hours and dates
	Language      string         // "en" or "fr": of the text of invitations, and of notices about calendars
	Listen        Listen
	TLS           TLS
	Limits        Limits
	Retention     Retention
	Lua           Lua
	Plugins       []Plugin         // Go plugins that are on
	Hosts         []string         // that http.request may reach, with or without a port
	Subscriptions []string         // hosts whose calendars people may subscribe to, with or without a port
	Trusted       []netip.Prefix   // never slowed or blocked
	Sealers       []address.Domain // whose word counts on mail that they passed on (ARC)
	Relay         Relay
	DNSServers    []netip.AddrPort // none: the system's

	// Scripts are those for every message, in order, by name. Directory has
	// those of domains and accounts.
	Scripts []string
	// ScriptFiles is every script that the file names, each once.
	ScriptFiles []Script

	Directory directory.Options
	Vacations map[address.Key]hook.AutoReply // the notices that accounts have set (RFC 5230)
}

// Script is a Lua file.
type Script struct {
	Name     string // its path as mail.toml has it
	Path     string
	Required bool // when it fails at an SMTP stage: 451 instead of going on
	BuiltIn  bool // it ships with facteur, and there is no file at Path
}

// Read returns the source of a script.
func (s Script) Read() ([]byte, error) {
	if s.BuiltIn {
		shipped, _ := scripts.Find(s.Name)
		return shipped.Source, nil
	}
	return os.ReadFile(s.Path)
}

// Listener is where a protocol is to be had.
type Listener struct {
	Address string         // "127.0.0.1:25", ":25" for all addresses, or "unix:" and a path
	Proxies []netip.Prefix // who may say whose their connections are
}

// Listen is the listeners of each protocol. A protocol without any is off.
type Listen struct {
	SMTP, Submission, Submissions, LMTP, IMAP, IMAPS, POP3, POP3S, HTTP, HTTPS []Listener
}

// Service is a protocol of Listen, by its key.
type Service struct {
	Name      string
	Listeners []Listener
}

// Services are all protocols.
func (l *Listen) Services() []Service {
	return []Service{
		{"smtp", l.SMTP}, {"submission", l.Submission}, {"submissions", l.Submissions}, {"lmtp", l.LMTP}, {"imap", l.IMAP},
		{"imaps", l.IMAPS}, {"pop3", l.POP3}, {"pop3s", l.POP3S}, {"http", l.HTTP}, {"https", l.HTTPS},
	}
}

// Plaintext tells who may log in without TLS.
type Plaintext string

// The values of Plaintext.
const (
	PlaintextNever    Plaintext = "never"
	PlaintextLoopback Plaintext = "loopback" // clients on this machine
)

// TLS is where certificates are. Without a Cert one is made.
type TLS struct {
	Cert, Key      string
	Domains        []DomainCert
	PlaintextLogin Plaintext
	// MTASTS is the mode of the policies that https serves (RFC 8461 5): "none", "testing",
	// "enforce".
	MTASTS string
}

// DomainCert is the certificate of a mail domain.
type DomainCert struct {
	Domain    address.Domain
	Cert, Key string
}

// Limits bounds messages. The quota is in Directory.
type Limits struct {
	MessageSize int64 // octets
	Recipients  int   // of one message
	Sending     Sending
}

// Never is a retention that keeps for ever: nothing ever gets so old.
const Never = time.Duration(math.MaxInt64)

// Retention is how long what was removed is kept, and what nobody moves out of
// the way. A duration may be Never.
type Retention struct {
	Deleted time.Duration // what was expunged can be brought back this long; 0: it is gone at once
	Trash   time.Duration // until mail in Trash is expunged
	Junk    time.Duration // until mail in Junk is expunged
	Account time.Duration // a removed account's folder stays in its place, and then as long in removed/
	Trace   time.Duration // what is noted of each message, for facteur trace
	// Quarantine is how long what scripts hold is kept, until it is released.
	Quarantine time.Duration
}

// Lua bounds scripts.
type Lua struct {
	Instructions int           // of one run
	CPUSMTP      time.Duration // at the SMTP stages
	CPUDeliver   time.Duration // at delivery
	Memory       int64         // octets
	Actions      int           // of one run
	Redirects    int           // of one run
	Vacations    int           // of one run
	Replies      int           // of one run
	Notices      int           // of one run
	Lookups      int           // in the DNS, of one run
	ScriptSize   int64         // octets
}

// Plugin is a table of [plugins]. What its keys mean, and which there are, is for the
// plugin to say.
type Plugin struct {
	Name   string
	Values map[string]any     // string, int64, float64, bool, or []any of these
	Places map[string]Problem // of each key, and of the table (""): File, Line and Col
}

// Files returns the files that the Config was made of: mail.toml, scripts,
// certificates. When one of them changes it should be loaded again.
func (c *Config) Files() []string {
	files := []string{c.File}
	add := func(path string) {
		if path != "" && !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	for _, s := range c.ScriptFiles {
		if !s.BuiltIn || !absent(filepath.Dir(s.Path)) { // a file that wins may come
			add(s.Path)
		}
	}
	add(c.TLS.Cert)
	add(c.TLS.Key)
	for _, d := range c.TLS.Domains {
		add(d.Cert)
		add(d.Key)
	}
	add(c.Relay.PasswordFile)
	return files
}

// maxFile is the greatest size of mail.toml, in octets: some 20,000 accounts.
const maxFile = 4 << 20

// Load reads the file at path. Its error is an *Errors with all problems.
func Load(path string) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, &Errors{Problems: []Problem{{File: path, Text: err.Error(), Hint: hintOf(err)}}}
	}
	return Parse(path, data)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, hinted{"there is no such file", "name the file with -c"}
	case err != nil:
		return nil, fmt.Errorf("the file can't be read: %w", safefile.Reason(err))
	case !info.Mode().IsRegular():
		return nil, errors.New("this is no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", safefile.Reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", safefile.Reason(err))
	}
	return data, nil
}

// Parse reads data as the file at path, which need not exist.
func Parse(path string, data []byte) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	c := &Config{File: abs, Digest: hex.EncodeToString(sum[:8])}

	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := newReport(path, data)
	if legible(data, r) {
		if root, ok := parse(data, r); ok && inhabited(root, r) {
			dir := filepath.Dir(abs)
			(&checker{report: r, dir: dir}).table(root, schema(), "")
			(&assembler{report: r, root: root, dir: dir, config: c}).assemble()
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// legible tells whether data can be a text at all.
func legible(data []byte, r *report) bool {
	switch {
	case len(data) > maxFile:
		r.add(0, fmt.Sprintf("the file is larger than %d MiB", maxFile>>20), "is this mail.toml?")
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.add(0, "the file is in UTF-16", "save it as UTF-8")
	case !utf8.Valid(data):
		r.add(firstInvalid(data), "the file is not in UTF-8", "save it as UTF-8; is this mail.toml?")
	case bytes.IndexByte(data, 0) >= 0:
		r.add(bytes.IndexByte(data, 0), "the file is not a text", "is this mail.toml?")
	default:
		return true
	}
	return false
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// inhabited tells whether the file has anything in it: one that an editor is
// about to write has not.
func inhabited(root *node, r *report) bool {
	if len(root.children) == 0 && len(r.problems) == 0 {
		r.add(0, "the file is empty", "was it saved half-way?")
	}
	return len(root.children) > 0
}

// dataLine finds the data key in a file that may be no TOML at the moment.
var dataLine = regexp.MustCompile(`(?m)^[ \t]*data[ \t]*=[ \t]*["']([^"'\r\n]+)["']`)

// DataFolder returns the data folder that the file at path names, also when
// other things are wrong with the file: for the commands that talk to a server
// that runs with the settings from before.
func DataFolder(path string) (string, error) {
	if c, err := Load(path); err == nil {
		return c.Data, nil
	}
	data, err := read(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	folder := defaultData
	if top, _, _ := bytes.Cut(append([]byte("\n"), data...), []byte("\n[")); dataLine.Match(top) {
		folder = string(dataLine.FindSubmatch(top)[1])
	}
	return absolute(folder, filepath.Dir(abs))
}
