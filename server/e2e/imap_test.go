package e2e

import (
	"crypto/tls"
	"fmt"
	"sort"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// imapLogin opens an IMAP connection as an account.
func imapLogin(address, user, password string) (*imapclient.Client, error) {
	c, err := imapclient.DialStartTLS(address, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}}) // self-signed
	if err != nil {
		return nil, err
	}
	if err := c.Login(user, password).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// imap does one thing over IMAP, as USER with the password "demo", and prints
// what came of it:
//
//	list                         a line for each folder
//	fetch FOLDER                 UIDVALIDITY, then a line for each message
//	append FOLDER FILE [FLAG]... the new UID
//	flag FOLDER UID FLAG...      sets these flags
func (w *world) imap(neg bool, args []string) {
	if neg || len(args) < 2 {
		w.ts.Fatalf("usage: imap USER list|fetch|append|flag ...")
	}
	c, err := imapLogin(w.ts.Getenv("IMAP"), args[0], "demo")
	w.ts.Check(err)
	defer c.Close()
	rest := args[2:]
	switch {
	case args[1] == "list" && len(rest) == 0:
		w.ts.Check(w.imapList(c))
	case args[1] == "fetch" && len(rest) == 1:
		w.ts.Check(w.imapFetch(c, rest[0]))
	case args[1] == "append" && len(rest) >= 2:
		w.ts.Check(w.imapAppend(c, rest[0], crlf(w.ts.ReadFile(rest[1])), flags(rest[2:])))
	case args[1] == "flag" && len(rest) >= 2:
		w.ts.Check(w.imapFlag(c, rest[0], rest[1], flags(rest[2:])))
	default:
		w.ts.Fatalf("imap %s: no such verb, or not with these arguments", args[1])
	}
	w.ts.Check(c.Logout().Wait())
}

func flags(names []string) []imap.Flag {
	var all []imap.Flag
	for _, n := range names {
		all = append(all, imap.Flag(n))
	}
	return all
}

func (w *world) imapList(c *imapclient.Client) error {
	boxes, err := c.List("", "*", nil).Collect()
	if err != nil {
		return err
	}
	for _, b := range boxes {
		fmt.Fprintf(w.ts.Stdout(), "%s %v\n", b.Mailbox, b.Attrs)
	}
	return nil
}

func (w *world) imapFetch(c *imapclient.Client, folder string) error {
	selected, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return err
	}
	fmt.Fprintf(w.ts.Stdout(), "UIDVALIDITY %d\n", selected.UIDValidity)
	if selected.NumMessages == 0 {
		return nil
	}
	var all imap.SeqSet
	all.AddRange(1, 0)
	list, err := c.Fetch(all, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true, Envelope: true}).Collect()
	if err != nil {
		return err
	}
	for _, m := range list {
		var names []string
		for _, f := range m.Flags {
			if f != "\\Recent" { // of the session, not of the message
				names = append(names, string(f))
			}
		}
		sort.Strings(names)
		fmt.Fprintf(w.ts.Stdout(), "%d (%s) %d %s %s\n", m.UID, strings.Join(names, " "), m.RFC822Size,
			m.InternalDate.UTC().Format("2006-01-02T15:04:05Z"), m.Envelope.Subject)
	}
	return nil
}

func (w *world) imapAppend(c *imapclient.Client, folder, text string, flags []imap.Flag) error {
	cmd := c.Append(folder, int64(len(text)), &imap.AppendOptions{Flags: flags})
	if _, err := cmd.Write([]byte(text)); err != nil {
		return err
	}
	if err := cmd.Close(); err != nil {
		return err
	}
	data, err := cmd.Wait()
	if err != nil {
		return err
	}
	fmt.Fprintln(w.ts.Stdout(), data.UID)
	return nil
}

func (w *world) imapFlag(c *imapclient.Client, folder, uid string, flags []imap.Flag) error {
	if _, err := c.Select(folder, nil).Wait(); err != nil {
		return err
	}
	var n imap.UID
	if _, err := fmt.Sscan(uid, &n); err != nil {
		return err
	}
	_, err := c.Store(imap.UIDSetNum(n), &imap.StoreFlags{Op: imap.StoreFlagsSet, Flags: flags}, nil).Collect()
	return err
}
