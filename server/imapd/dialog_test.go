package imapd

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/mailbox"
)

// The dialogs of testdata are made of lines:
//
//	capabilities: A B       the words of CAPABILITY that the file is about
//	# ...                   a comment
//	== title                begins a case, which has a server of its own
//	option WORD VALUE       before the first use of the server: quota OCTETS, limit
//	                        OCTETS, messages COUNT, shared, tls, progress (told each millisecond)
//	nologin                 connections are not logged in as alice@example.org
//	folder NAME [USE]       makes a folder
//	mail NAME [DATE] [FLAGS]  delivers the message that follows, each line behind "> "
//	bulk COUNT OCTETS       delivers messages of that size to INBOX
//	C: text                 is sent with CRLF; C2: on a second connection
//	C" "text"               is sent as this Go string says, without CRLF
//	S: pattern              the next line; "..." is anything, {name} captures or repeats a word
//	S> pattern              lines up to one that is like this
//	again COMMAND           is sent again and again until the pattern of the next
//	                        line is met, and answered
//	starttls, compress      goes on under TLS, under compression
//	closed                  the server has closed the connection
type dialog struct {
	file  string
	title string
	lines []string // with their numbers before a colon, for messages
}

// readDialogs returns the cases of a file, and the words of its first line.
func readDialogs(t *testing.T, file string) (capabilities []string, cases []dialog) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		words, head := strings.CutPrefix(line, "capabilities: ")
		title, begins := strings.CutPrefix(line, "== ")
		switch {
		case head:
			capabilities = append(capabilities, strings.Fields(words)...)
		case begins:
			cases = append(cases, dialog{file: filepath.Base(file), title: title})
		case line == "", strings.HasPrefix(line, "#"):
		case len(cases) == 0:
			t.Fatalf("%s:%d stands before the first case", file, i+1)
		default:
			c := &cases[len(cases)-1]
			c.lines = append(c.lines, strconv.Itoa(i+1)+":"+line)
		}
	}
	return capabilities, cases
}

func dialogFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs in %s: %v", dir, err)
	}
	return files
}

func TestRFCDialogs(t *testing.T)    { runDialogs(t, "rfc") }
func TestClientDialogs(t *testing.T) { runDialogs(t, "clients") }

func runDialogs(t *testing.T, dir string) {
	for _, file := range dialogFiles(t, dir) {
		_, cases := readDialogs(t, file)
		for _, c := range cases {
			t.Run(strings.TrimSuffix(c.file, ".txt")+"/"+c.title, func(t *testing.T) {
				t.Parallel()
				newStage(t, c).run()
			})
		}
	}
}

// stage is where a dialog is held.
type stage struct {
	t       *testing.T
	lines   []string
	at      string // file and line
	options []func(*Options)
	world   *world
	tls     *tls.Config   // of the client
	every   time.Duration // between two INPROGRESS
	noLogin bool
	conns   map[string]*rawConn
	words   map[string]string // captured
}

func newStage(t *testing.T, d dialog) *stage {
	return &stage{t: t, lines: d.lines, at: d.file, conns: make(map[string]*rawConn), words: make(map[string]string)}
}

func (s *stage) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("line "+s.at+": "+format, args...)
}

func (s *stage) run() {
	for len(s.lines) > 0 {
		var line string
		s.at, line, _ = strings.Cut(s.lines[0], ":")
		s.lines = s.lines[1:]
		s.line(line)
	}
}

// speech is a line of the client or the server.
var speech = regexp.MustCompile(`^([CS])([2-9]?)([:">]) ?(.*)$`)

func (s *stage) line(line string) {
	s.t.Helper()
	if m := speech.FindStringSubmatch(line); m != nil {
		s.speak(m[1]+m[3], s.conn(m[2]), m[4])
		return
	}
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "option":
		s.option(strings.Fields(rest))
	case "nologin":
		s.noLogin = true
	case "folder":
		name, use, _ := strings.Cut(rest, " ")
		s.open()
		home, err := s.world.store.Home(alice)
		if err == nil {
			err = home.Create(name, use)
		}
		if err != nil {
			s.fail("%v", err)
		}
	case "mail":
		s.mail(rest)
	case "bulk":
		var count, size int
		if _, err := fmt.Sscan(rest, &count, &size); err != nil {
			s.fail("%v", err)
		}
		s.open()
		for range count {
			s.deliver("INBOX", "Subject: bulk\r\n\r\n"+strings.Repeat("word word word word word word word word word\r\n", size/46), mailbox.AddOptions{})
		}
	case "again":
		s.again(rest)
	case "starttls":
		r := s.conn("")
		conn := tls.Client(r.Conn, s.tls)
		r.Conn, r.r = conn, bufio.NewReader(conn)
	case "compress":
		r := s.conn("")
		r.Conn = zipConn{r.Conn, compress(new(deflaters), r.Conn, nil)}
		r.r = bufio.NewReader(r.Conn)
	case "closed":
		s.conn("").closed()
	default:
		s.fail("%q is no line of a dialog", line)
	}
}

func (s *stage) option(words []string) {
	number := func() int64 {
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			s.fail("%v", err)
		}
		return n
	}
	switch words[0] {
	case "quota":
		n := number()
		s.options = append(s.options, func(o *Options) { o.QuotaOf = func(address.Address) int64 { return n } })
	case "limit":
		n := number()
		s.options = append(s.options, func(o *Options) { o.AppendLimit = n })
	case "messages":
		n := number()
		s.options = append(s.options, func(o *Options) { o.MessageLimit = int(n) })
	case "shared":
		s.options = append(s.options, sharedOffice)
	case "progress":
		s.every = time.Millisecond
	case "tls":
		server, client := selfSigned(s.t)
		s.tls = client
		s.options = append(s.options, func(o *Options) { o.TLS, o.PlaintextLogin = server, false })
	default:
		s.fail("there is no option %q", words[0])
	}
}

// open starts the server.
func (s *stage) open() {
	if s.world != nil {
		return
	}
	s.world = newBareWorld(s.t, func(o *Options) {
		for _, f := range s.options {
			f(o)
		}
	})
	s.world.server.progressEvery = s.every
	s.world.addr = s.world.serve("imap")
}

// conn returns a connection, and makes it the first time.
func (s *stage) conn(name string) *rawConn {
	s.t.Helper()
	s.open()
	r := s.conns[name]
	if r == nil {
		r = s.world.raw()
		if !s.noLogin {
			r.do("LOGIN "+alice.String()+" demo", "OK")
		}
		s.conns[name] = r
	}
	return r
}

// mail delivers a message: NAME, a date in quotes and flags.
func (s *stage) mail(rest string) {
	s.open()
	name, rest, _ := strings.Cut(rest, " ")
	var date time.Time
	if rest != "" && rest[0] == '"' {
		text, more, _ := strings.Cut(rest[1:], `"`)
		var err error
		if date, err = time.Parse("_2-Jan-2006 15:04:05 -0700", text); err != nil {
			s.fail("%v", err)
		}
		rest = more
	}
	var text strings.Builder
	for len(s.lines) > 0 {
		_, line, _ := strings.Cut(s.lines[0], ":")
		body, ok := strings.CutPrefix(line, ">")
		if !ok {
			break
		}
		text.WriteString(strings.TrimPrefix(body, " ") + "\r\n")
		s.lines = s.lines[1:]
	}
	if text.Len() == 0 {
		s.fail("a message has no text")
	}
	s.deliver(name, text.String(), mailbox.AddOptions{Flags: strings.Fields(rest), InternalDate: date})
}

func (s *stage) deliver(name, text string, opt mailbox.AddOptions) {
	s.t.Helper()
	opt.Last = true
	box := s.world.box(name)
	d, err := s.world.store.Draft()
	if err != nil {
		s.fail("%v", err)
	}
	defer d.Discard()
	if _, err = d.Write([]byte(text)); err == nil {
		err = d.Sync()
	}
	if err == nil {
		_, err = box.Add(d, opt)
	}
	if err == nil {
		err = box.Sync()
	}
	if err != nil {
		s.fail("%v", err)
	}
}

func (s *stage) speak(how string, r *rawConn, text string) {
	s.t.Helper()
	switch how {
	case "C:":
		r.send("%s", s.fill(text)+"\r\n")
	case `C"`:
		plain, err := strconv.Unquote(s.fill(text))
		if err != nil {
			s.fail("%v: %s", err, text)
		}
		r.send("%s", plain)
	case "S:":
		if got := s.read(r, text); !s.like(got, text) {
			s.fail("\n got %q\nwant %q", got, text)
		}
	case "S>":
		var all []string
		for {
			got := s.read(r, fmt.Sprintf("%s after %q", text, all))
			if s.like(got, text) {
				return
			}
			all = append(all[max(0, len(all)-20):], got)
		}
	}
}

// again sends a command until one of its answers is as the next line says.
func (s *stage) again(command string) {
	s.t.Helper()
	r := s.conn("")
	tag, _, _ := strings.Cut(command, " ")
	_, pattern, _ := strings.Cut(s.lines[0], ":S: ")
	s.lines = s.lines[1:]
	for met := false; !met; {
		r.send("%s\r\n", command)
		for line := ""; !strings.HasPrefix(line, tag+" "); {
			line = s.read(r, pattern)
			met = met || s.like(line, pattern)
		}
	}
}

func (s *stage) read(r *rawConn, want string) string {
	s.t.Helper()
	line, err := r.r.ReadString('\n')
	if err != nil {
		s.fail("%q, %v, want %s", line, err, want)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// captured is a name in braces.
var captured = regexp.MustCompile(`\{[a-z][a-z0-9]*\}`)

// fill puts what was captured in place of the names.
func (s *stage) fill(text string) string {
	s.t.Helper()
	return captured.ReplaceAllStringFunc(text, func(name string) string {
		word, ok := s.words[name]
		if !ok {
			s.fail("%s was not captured", name)
		}
		return word
	})
}

// like compares a line with a pattern, and captures words.
func (s *stage) like(line, pattern string) bool {
	re := regexp.QuoteMeta(pattern)
	re = strings.ReplaceAll(re, regexp.QuoteMeta("..."), ".*")
	var names []string
	re = regexp.MustCompile(`\\\{[a-z][a-z0-9]*\\\}`).ReplaceAllStringFunc(re, func(name string) string {
		name = strings.ReplaceAll(name, `\`, "")
		if word, ok := s.words[name]; ok {
			return regexp.QuoteMeta(word)
		}
		names = append(names, name)
		return `([^ ()\[\]"]+)`
	})
	m := regexp.MustCompile("^" + re + "$").FindStringSubmatch(line)
	if m == nil {
		return false
	}
	for i, name := range names {
		s.words[name] = m[i+1]
	}
	return true
}

// An extension that is announced has a dialog of its own.
func TestEveryCapabilityHasDialog(t *testing.T) {
	t.Parallel()
	files := make(map[string]string)
	for _, file := range dialogFiles(t, "rfc") {
		words, cases := readDialogs(t, file)
		if len(words) == 0 {
			t.Errorf("%s names no capability", file)
		}
		for _, c := range cases {
			if len(c.lines) == 0 {
				t.Errorf("%s: case %q is empty", file, c.title)
			}
		}
		for _, w := range words {
			files[w] = file
		}
	}
	for _, c := range slices.Concat(capabilities, messageCapabilities) {
		if files[c.name] == "" {
			t.Errorf("%s is announced, but no file of testdata/rfc is about it", c.name)
		}
		delete(files, c.name)
	}
	for _, word := range slices.Sorted(maps.Keys(files)) {
		t.Errorf("%s is about %s, which is not announced", files[word], word)
	}
}

// The list of clients and the dialogs name the same.
func TestListOfClients(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("CLIENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || cells[0] == "client" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		listed[strings.Trim(cells[3], "`")] = true
	}
	for _, file := range dialogFiles(t, "clients") {
		_, cases := readDialogs(t, file)
		for _, c := range cases {
			name := strings.TrimSuffix(c.file, ".txt") + "/" + c.title
			if !listed[name] {
				t.Errorf("CLIENTS.md has no row for %s", name)
			}
			delete(listed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		t.Errorf("CLIENTS.md names the test %q, which is not there", name)
	}
}
