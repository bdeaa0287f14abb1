package trial

import (
	"fmt"
	"io"
	"maps"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/hook"
	"facteur/server/message"
	"facteur/server/senderauth"
)

// The sender of a message of which nothing else is said.
var (
	stranger   = address.Address{Local: "sender", Domain: "remote.example"}
	strangerIP = netip.MustParseAddr("192.0.2.1")
)

// Facts returns what a script is told when nothing is said about it.
func (w *World) Facts() Facts {
	body := envelope.Bytes(Draft{
		From: stranger.String(), To: w.Box.Of.String(), Subject: "Test", Date: w.Now, ID: "test@remote.example", Text: "Hello.",
	}.Bytes())
	f := Facts{
		Client: hook.Client{IP: strangerIP, RDNS: "mail.remote.example", Helo: "mail.remote.example", Listener: "smtp", ID: "test"},
		Login:  hook.Login{Account: w.Box.Of, Mechanism: "PLAIN"},
		Change: hook.Change{Kind: "append", Folder: "INBOX"},
		Fate:   hook.Fate{Recipient: stranger, Attempts: 1},
		Invitation: hook.Invitation{
			Method: "REQUEST", UID: "test", Organizer: stranger.String(), Attendees: []string{w.Box.Of.String()},
			Summary: "Test", Start: w.Now.Add(24 * time.Hour), End: w.Now.Add(25 * time.Hour),
		},
	}
	f.SetRecipient(w.Box.Of)
	if err := f.SetBody(body); err != nil {
		panic(err) // it is ours
	}
	f.Message.ReversePath = stranger
	f.Message.Recipients = []address.Address{w.Box.Of}
	return f
}

// SetBody makes body the message.
func (f *Facts) SetBody(body envelope.Body) error {
	content, err := message.ReadContent(body)
	if err != nil {
		return err
	}
	f.Message.ID, f.Message.Size, f.Message.Content = "test", body.Size(), content
	return nil
}

// SetRecipient makes a the forward-path, which leads to a mailbox of that name.
func (f *Facts) SetRecipient(a address.Address) {
	f.Recipient = hook.Recipient{Address: a, Original: a, Path: []string{a.String()}}
}

// AddScores adds what a script scored, for the stages that follow.
func (f *Facts) AddScores(actions []hook.Action) {
	for _, a := range actions {
		if a.Kind == hook.Score {
			f.Message.Spam.Score += a.Points
			f.Message.Spam.Rules = append(f.Message.Spam.Rules, hook.Rule{Name: a.Rule, Points: a.Points, Why: a.Text})
		}
	}
}

// setBox fills the mailbox of the world.
func setBox(w *World, f *fields) error {
	b := NewBox(f.address("address", w.Box.Of))
	b.Own = append(b.Own, f.addresses("addresses")...)
	b.Names = append(b.Names, f.texts("folders")...)
	quota := newFields("box: quota", f.table("quota"), f.location)
	b.Used, b.Max = int64(quota.number("used")), int64(quota.number("max"))
	b.Threads, b.Taken = f.texts("threads"), busyOf(f)
	b.Contacts = make(map[address.Key]hook.Contact)
	for who, v := range f.table("contacts") {
		if name, ok := v.(string); ok { // {"a@b", ...}: an array
			who, v = name, map[string]any{"name": name}
		}
		a, err := address.Parse(who)
		values, ok := v.(map[string]any)
		if list, isList := v.([]any); isList && len(list) == 0 { // {}
			ok = true
		}
		if err != nil || !ok {
			f.fail(`contacts is an array of addresses, or a table such as {["a@example.net"] = {name = "A"}}`)
			break
		}
		c := newFields("box: contact", values, f.location)
		b.Contacts[a.Key()] = hook.Contact{
			Name: c.text("name", ""), Received: c.time("received", time.Time{}), Written: c.time("written", time.Time{}),
		}
		if err := c.done(); err != nil {
			return err
		}
	}
	b.Counts = make(map[string]map[string]int)
	for folder, v := range f.table("counts") {
		b.Counts[folder] = make(map[string]int)
		counts, _ := v.(map[string]any)
		for query, n := range counts {
			number, ok := n.(float64)
			if !ok {
				f.fail(`counts is a table such as {INBOX = {UNSEEN = 3}}`)
			}
			b.Counts[folder][query] = int(number)
		}
	}
	if err := quota.done(); err != nil {
		return err
	}
	w.Box = b
	return f.done()
}

func clientOf(f *fields, c hook.Client) (hook.Client, error) {
	c.IP = f.ip("ip", c.IP)
	c.RDNS, c.Helo = f.text("rdns", c.RDNS), f.text("helo", c.Helo)
	c.User, c.Listener, c.ID = f.text("user", c.User), f.text("listener", c.Listener), f.text("id", c.ID)
	if tls := f.table("tls"); tls != nil {
		t := newFields("client: tls", tls, f.location)
		c.TLSVersion, c.TLSCipher = t.text("version", "TLS 1.3"), t.text("cipher", "TLS_AES_128_GCM_SHA256")
		if err := t.done(); err != nil {
			return c, err
		}
	}
	return c, f.done()
}

func recipientOf(f *fields, r hook.Recipient) (hook.Recipient, error) {
	r.Original = f.address("original", f.address("address", r.Original))
	r.Address = f.address("address", r.Original)
	_, r.Detail, _ = strings.Cut(r.Original.Local, "+")
	r.Detail = f.text("detail", r.Detail)
	r.Path = []string{r.Original.String()}
	if r.Address.Key() != r.Original.Key() {
		r.Path = append(r.Path, r.Address.String())
	}
	if path := f.texts("path"); path != nil {
		r.Path = path
	}
	return r, f.done()
}

func loginOf(f *fields, l hook.Login) (hook.Login, error) {
	l.Account = f.address("account", l.Account)
	l.Device, l.Mechanism = f.text("device", l.Device), f.text("mechanism", l.Mechanism)
	return l, f.done()
}

func changeOf(f *fields, c hook.Change) (hook.Change, error) {
	c.Kind, c.Folder, c.From = f.text("kind", c.Kind), f.text("folder", c.Folder), f.text("from", "")
	c.Flags, c.Added, c.Removed = f.texts("flags"), f.texts("added"), f.texts("removed")
	if !slices.Contains([]string{"append", "copy", "move", "flags"}, c.Kind) {
		f.fail("kind is append, copy, move or flags")
	}
	return c, f.done()
}

func fateOf(f *fields, r hook.Fate) (hook.Fate, error) {
	r.Recipient = f.address("recipient", r.Recipient)
	r.Code, r.Status = int(f.number("code")), f.text("status", "")
	r.Text, r.Server = f.text("text", ""), f.text("server", "")
	if n := f.number("attempts"); n > 0 {
		r.Attempts = int(n)
	}
	r.Next = f.time("next", time.Time{})
	return r, f.done()
}

func invitationOf(f *fields, i hook.Invitation) (hook.Invitation, error) {
	i.Method, i.UID, i.Organizer = f.text("method", i.Method), f.text("uid", i.UID), f.text("organizer", i.Organizer)
	if who := f.texts("attendees"); who != nil {
		i.Attendees = who
	}
	i.Summary, i.Location = f.text("summary", i.Summary), f.text("location", "")
	start := f.time("start", i.Start)
	i.Start, i.End = start, f.time("stop", start.Add(time.Hour))
	i.AllDay, i.Recurring = f.truth("all_day"), f.truth("recurring")
	i.Sequence = int(f.number("sequence"))
	return i, f.done()
}

// messageOf makes a message. open opens a file beside the test.
func messageOf(f *fields, w *World, open func(name string) (io.ReadCloser, error)) (hook.Message, error) {
	facts := w.Facts()
	body, err := bodyOf(f, w, open)
	if err != nil {
		return hook.Message{}, err
	}
	if err := facts.SetBody(body); err != nil {
		return hook.Message{}, fmt.Errorf("message: %w", err)
	}
	m := facts.Message
	m.ReversePath, m.Recipients = pathsOf(f, m)
	if size := f.number("size"); size > 0 {
		m.Size = int64(size)
	}
	m.ID = f.text("id", m.ID)
	m.Virus, m.Submitted = f.text("virus", ""), f.truth("submitted")
	if auth := f.table("auth"); auth != nil {
		a := newFields("message: auth", auth, f.location)
		m.Auth = &hook.Authenticity{SPF: a.text("spf", "none"), DKIM: a.text("dkim", "none"), DMARC: a.text("dmarc", "none"), ARC: a.text("arc", "none")}
		for _, d := range a.texts("domains") {
			m.Auth.Domains = append(m.Auth.Domains, address.Domain(d))
		}
		ShowAuthor(&m)
		if err := a.done(); err != nil {
			return m, err
		}
	}
	if spam := f.table("spam"); spam != nil {
		s := newFields("message: spam", spam, f.location)
		m.Spam.Score = s.number("score")
		for _, name := range s.texts("rules") {
			m.Spam.Rules = append(m.Spam.Rules, hook.Rule{Name: name})
		}
		if err := s.done(); err != nil {
			return m, err
		}
	}
	return m, f.done()
}

// ShowAuthor says of a message whether its results show that it is from its author, as
// senderauth would. SPF is about the reverse-path.
func ShowAuthor(m *hook.Message) {
	authors := m.Content.Addresses("From")
	if m.Auth == nil || len(authors) == 0 {
		return
	}
	r := senderauth.Results{
		SPF:   senderauth.SPF{Result: senderauth.Result(m.Auth.SPF), Domain: m.ReversePath.Domain},
		DMARC: senderauth.DMARC{Result: senderauth.Result(m.Auth.DMARC), Domain: authors[0].Domain},
	}
	for _, d := range m.Auth.Domains {
		r.DKIM = append(r.DKIM, senderauth.DKIM{Result: senderauth.Pass, Domain: d})
	}
	m.Auth.Author = r.Author()
}

// pathsOf returns the reverse-path and the forward-paths: those that are given,
// else who stands in From and the mailbox.
func pathsOf(f *fields, m hook.Message) (address.Address, []address.Address) {
	from := m.ReversePath
	if list := m.Content.Addresses("From"); len(list) > 0 {
		from = list[0]
	}
	if v, ok := f.get("reverse_path"); ok && v == "" { // a bounce
		from = address.Address{}
	} else {
		from = f.address("reverse_path", from)
	}
	to := m.Recipients
	if list := f.addresses("recipients"); list != nil {
		to = list
	}
	return from, to
}

// bodyOf is the message as it goes over the wire.
func bodyOf(f *fields, w *World, open func(string) (io.ReadCloser, error)) (envelope.Body, error) {
	if name := f.text("file", ""); name != "" {
		file, err := open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return readMessage(name, file, maxFile)
	}
	if raw := f.text("raw", ""); raw != "" {
		return envelope.Bytes(crlf([]byte(raw))), nil
	}
	d := Draft{
		From: mailboxField(f, "from", stranger.String()), To: mailboxField(f, "to", w.Box.Of.String()), Cc: mailboxField(f, "cc", ""),
		Subject: f.text("subject", "Test"), Date: f.time("date", w.Now).In(w.Location), ID: "test@remote.example",
		Text: f.text("text", ""), HTML: f.text("html", ""),
	}
	if d.Text == "" && d.HTML == "" {
		d.Text = "Hello."
	}
	headers := f.table("headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		values, ok := textsOf(headers[name])
		if !ok && headers[name] != false {
			f.fail("headers: %s must be a text, an array of texts, or false for none", name)
		}
		d.Header = append(d.Header, Field{name, values})
	}
	files := f.table("attachments")
	for _, key := range slices.Sorted(maps.Keys(files)) {
		file, err := fileOf(files[key], f.location)
		if err != nil {
			return nil, err
		}
		d.Files = append(d.Files, file)
	}
	return envelope.Bytes(d.Bytes()), f.err
}

// mailboxField is the value of From, To or Cc.
func mailboxField(f *fields, key, def string) string {
	list := f.texts(key)
	if list == nil {
		return def
	}
	for _, text := range list {
		if _, err := mail.ParseAddress(text); err != nil {
			f.fail(`%s: %q is no address: write "carol@example.net" or "Carol <carol@example.net>"`, key, text)
		}
	}
	return strings.Join(list, ", ")
}

func fileOf(v any, location *time.Location) (File, error) {
	if name, ok := v.(string); ok {
		v = map[string]any{"name": name}
	}
	values, _ := v.(map[string]any)
	f := newFields("message: attachment", values, location)
	file := File{Name: f.text("name", "file"), Type: f.text("type", "application/octet-stream"), Data: []byte(f.text("text", "x"))}
	return file, f.done()
}
