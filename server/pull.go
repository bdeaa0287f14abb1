package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"facteur/server/control"
	"facteur/server/davclient"
	"facteur/server/transfer"
)

// remotePassword reads the password for another server: the first line of a file, or what
// is typed, or a line of standard input. It is never on the command line, which others see.
func remotePassword(in *os.File, prompt io.Writer, file string) (string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	if file == "" && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(prompt, "Password on the other server: ")
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(prompt)
		return string(secret), err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("no password: give --password-file, or one line on standard input")
	}
	return line, nil
}

// pullStep is how many objects are fetched at once.
const pullStep = 50

// pull imports the collections of another server.
func (im *importer) pull(ctx context.Context, password string) error {
	c, err := davclient.New(davclient.Options{URL: im.opt.From, Login: im.opt.Login, Password: password})
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	all, missed, err := c.Discover(ctx)
	if err != nil {
		return err
	}
	if missed != nil {
		im.report.Notes = append(im.report.Notes, fmt.Sprintf("more may be there: %v", missed))
	}
	chosen, err := im.choose(all)
	if err != nil {
		return err
	}
	for _, one := range chosen {
		if err := im.pullOne(ctx, c, one); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the collections that are pulled, and tells which are not.
func (im *importer) choose(all []davclient.Collection) (out []davclient.Collection, err error) {
	for _, name := range im.opt.Collections {
		i := slices.IndexFunc(all, func(c davclient.Collection) bool { return c.Name == name })
		if i < 0 {
			i = slices.IndexFunc(all, func(c davclient.Collection) bool { return c.DisplayName == name })
		}
		if i < 0 {
			var names []string
			for _, c := range all {
				names = append(names, c.Name)
			}
			return nil, fmt.Errorf("there is no collection %q; there are %s", name, strings.Join(names, ", "))
		}
		out = append(out, all[i])
	}
	if len(im.opt.Collections) > 0 {
		return out, nil
	}
	for _, c := range all {
		why := ""
		switch {
		case c.Shared || strings.Contains(c.Name, "~"):
			why = "it is another's"
		case c.ReadOnly:
			why = "it is read-only"
		default:
			out = append(out, c)
			continue
		}
		im.report.Notes = append(im.report.Notes, fmt.Sprintf("%s is not pulled: %s; --collection %s does it", c.Name, why, c.Name))
	}
	return out, nil
}

// pullOne imports a collection: what is new there or has changed since the last time. What
// was removed here since is not brought back, but with --replace.
func (im *importer) pullOne(ctx context.Context, c *davclient.Client, from davclient.Collection) error {
	to := im.pullTo(from)
	before, err := im.pulledBefore(ctx, from, to)
	if err != nil {
		return err
	}
	list, err := c.List(ctx, from)
	if err != nil {
		return im.refused(from, err)
	}
	wanted, gone := im.wanted(list, before)
	if gone > 0 {
		im.report.Notes = append(im.report.Notes, fmt.Sprintf("%s: what was removed here is not brought back (%s); --replace does it", from.Name, counted(gone, "object")))
	}
	for part := range slices.Chunk(wanted, pullStep) {
		got, err := c.Get(ctx, from, part)
		if err != nil {
			if err := im.flushAll(ctx); err != nil {
				return err
			}
			return im.refused(from, fmt.Errorf("pulling %s: %w\nWhat was taken stays; the same command goes on from there", from.URL.Redacted(), err))
		}
		for _, o := range got {
			if o.Err != nil {
				im.problem(from.URL.Scheme+"://"+from.URL.Host+o.Path, 0, "it can't be fetched: %v", o.Err)
			}
			if o.Data == nil {
				continue // removed there meanwhile
			}
			if err := im.pulled(ctx, from, to, o); err != nil {
				return err
			}
		}
	}
	return im.flushAll(ctx)
}

// refused tells of a collection that can't be read. When the other server answers with an error
// for it, the others are pulled all the same; any other error, of the line or the login, holds
// for them too and is returned.
func (im *importer) refused(from davclient.Collection, err error) error {
	var status *davclient.StatusError
	if !errors.As(err, &status) {
		return err
	}
	im.problem(from.URL.Redacted(), 0, "not all of %s can be read there, the answer to %s was %d %s", from.Name, status.Method, status.Status, http.StatusText(status.Status))
	return nil
}

// pulledBefore returns what earlier pulls took, by its path there: also the tasks among events
// that went to a collection of their own.
func (im *importer) pulledBefore(ctx context.Context, from davclient.Collection, to destination) (map[string]control.Pulled, error) {
	names := []string{to.name}
	if tasks := im.usual("VTODO", control.KindCalendar); !from.AddressBook && im.opt.To == "" && tasks != to.name {
		names = append(names, tasks)
	}
	before := make(map[string]control.Pulled)
	for _, name := range names {
		if im.collection(name) == nil {
			continue
		}
		a, err := im.step.Transfer(ctx, control.TransferRequest{
			Verb: "pulled", Account: im.report.Account, Collection: name, Source: to.source, DryRun: im.opt.DryRun,
		})
		if err != nil {
			return nil, err
		}
		for _, p := range a.Pulled {
			before[p.Remote] = p
		}
	}
	return before, nil
}

// pullTo is where a collection of another server goes: to one of its name.
func (im *importer) pullTo(from davclient.Collection) destination {
	kind := control.KindCalendar
	if from.AddressBook {
		kind = control.KindContacts
	}
	to := destination{name: im.opt.To, source: from.URL.Redacted()}
	if to.name == "" {
		to.name = safeCollection(from.Name)
		if there := im.collection(to.name); there != nil && there.Kind != kind {
			to.name += "-" + kind
		}
	}
	to.create = &control.Collection{Kind: kind, DisplayName: from.DisplayName, Color: from.Color, Components: from.Components}
	return to
}

// wanted returns what has to be fetched, and counts what was removed here.
func (im *importer) wanted(list []davclient.Object, before map[string]control.Pulled) (out []davclient.Object, gone int) {
	for _, o := range list {
		p, known := before[o.Path]
		switch {
		case !known || o.ETag == "":
			out = append(out, o)
		case p.Gone && !im.opt.Replace:
			gone++
		case p.Gone || p.Tag != o.ETag || im.opt.Replace:
			out = append(out, o)
		default:
			im.report.Counts[control.ResultSame]++
		}
	}
	return out, gone
}

// pulled takes an object that was fetched.
func (im *importer) pulled(ctx context.Context, from davclient.Collection, to destination, o davclient.Object) error {
	place := from.URL.Scheme + "://" + from.URL.Host + o.Path
	objects, wrong := []transfer.Object(nil), []transfer.Problem(nil)
	if one, ok := transfer.AsIs(o.Data); ok {
		objects = []transfer.Object{one}
	} else if from.AddressBook {
		objects, wrong = transfer.Cards(o.Data)
	} else {
		objects, _, wrong = transfer.Calendar(o.Data)
	}
	if len(objects)+len(wrong) == 0 {
		im.problem(place, 0, "there is nothing in it")
	}
	for _, p := range wrong {
		im.problem(place, p.Line, "%s", p.Text)
	}
	for _, one := range objects {
		next := control.Object{Kind: one.Kind, UID: one.UID, Data: one.Data, Href: lastSegment(o.Path)}
		if len(objects) == 1 && len(wrong) == 0 { // else it is read again the next time
			next.Remote, next.Tag = o.Path, o.ETag
		}
		if err := im.add(ctx, to, next, place, one.Line); err != nil {
			return err
		}
	}
	return nil
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
