package server

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"facteur/server/control"
	"facteur/server/transfer"
)

// ExportOptions are those of `facteur export`.
type ExportOptions struct {
	Config     string
	Account    string // or shared mailbox
	Collection string // "": all, or for one file the usual one of its kind
	To         string // a file .ics, .vcf, .csv or .zip, or a folder; "-" is standard output, for one collection
}

// exporter reads the collections of an account.
type exporter struct {
	step    stepper
	opt     ExportOptions
	account string
	told    func(done int)
	done    int
	wrong   []string // what could not be written
	notes   []string
}

// Export writes the calendars and contacts of an account into files. A file or folder
// that is there is not overwritten.
func Export(ctx context.Context, out, log io.Writer, o ExportOptions) error {
	return withDepot(ctx, o.Config, log, o.Account, func(s stepper) error {
		ex := &exporter{step: s, opt: o, told: progressLine(os.Stderr)}
		a, err := s.Transfer(ctx, control.TransferRequest{Verb: "collections", Account: o.Account})
		if err != nil {
			return err
		}
		ex.account = a.Account
		if err := ex.run(ctx, out, a.Collections); err != nil {
			return err
		}
		ex.told(-1)
		for _, line := range append(ex.notes, ex.wrong...) {
			fmt.Fprintln(log, line)
		}
		fmt.Fprintf(log, "%s: %s written\n", a.Account, counted(ex.done-len(ex.wrong), "object"))
		if len(ex.wrong) > 0 {
			return fmt.Errorf("%s not written: see above", counted(len(ex.wrong), "object"))
		}
		return nil
	})
}

func (ex *exporter) run(ctx context.Context, out io.Writer, all []control.Collection) error {
	kind := map[string]string{".ics": control.KindCalendar, ".vcf": control.KindContacts, ".csv": control.KindContacts}[strings.ToLower(filepath.Ext(ex.opt.To))]
	if kind == "" && ex.opt.To != "-" {
		return ex.home(ctx, all)
	}
	name := ex.opt.Collection
	if name == "" {
		name = map[string]string{control.KindCalendar: "calendar", control.KindContacts: "contacts"}[kind]
	}
	i := slices.IndexFunc(all, func(c control.Collection) bool { return c.Name == name })
	switch {
	case name == "":
		return errors.New("standard output takes one collection: name it with --collection")
	case i < 0:
		return fmt.Errorf("%s has no collection %q", ex.account, name)
	case kind != "" && all[i].Kind != kind:
		return fmt.Errorf("%s is no %s: name the file .ics for calendars, .vcf or .csv for contacts", name, map[string]string{control.KindCalendar: "calendar", control.KindContacts: "address book"}[kind])
	}
	if ex.opt.To == "-" {
		return ex.whole(ctx, out, all[i])
	}
	return newFile(ex.opt.To, func(w io.Writer) error { return ex.whole(ctx, w, all[i]) })
}

// newFile makes a file, which must not be there; it is gone again when write fails.
func newFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}

// each calls f with the objects of a collection.
func (ex *exporter) each(ctx context.Context, c control.Collection, f func(control.Object) error) error {
	for after, more := "", true; more; {
		a, err := ex.step.Transfer(ctx, control.TransferRequest{Verb: "get", Account: ex.account, Collection: c.Name, After: after})
		if err != nil {
			return err
		}
		for _, o := range a.Objects {
			for _, name := range o.Links {
				ex.notes = append(ex.notes, shown(fmt.Sprintf("%s/%s: the attachment %s is larger than 1 MB, or lost: it stays a link to this server", c.Name, o.Href, name)))
			}
			if err := f(o); err != nil {
				return err
			}
			after = o.Href
		}
		more = a.More
		ex.done += len(a.Objects)
		ex.told(ex.done)
	}
	return nil
}

// whole writes a collection as one file.
func (ex *exporter) whole(ctx context.Context, w io.Writer, c control.Collection) error {
	if strings.EqualFold(filepath.Ext(ex.opt.To), ".csv") {
		return ex.table(ctx, w, c)
	}
	if c.Kind == control.KindContacts {
		return ex.each(ctx, c, func(o control.Object) error {
			if !bytes.HasSuffix(o.Data, []byte("\n")) {
				o.Data = append(o.Data, "\r\n"...)
			}
			_, err := w.Write(o.Data)
			return err
		})
	}
	calendar := transfer.NewCalendarWriter(w, c.DisplayName)
	err := ex.each(ctx, c, func(o control.Object) error {
		if err := calendar.Add(o.Data); err != nil {
			ex.wrong = append(ex.wrong, fmt.Sprintf("%s/%s: %v", c.Name, o.Href, err))
		}
		return nil
	})
	return errors.Join(err, calendar.Close())
}

// table writes contacts as a table, and tells what has no place in one.
func (ex *exporter) table(ctx context.Context, w io.Writer, c control.Collection) error {
	var cards [][]byte
	err := ex.each(ctx, c, func(o control.Object) error {
		if _, ok := transfer.AsIs(o.Data); !ok {
			ex.wrong = append(ex.wrong, fmt.Sprintf("%s/%s: it is no vCard that can be read", c.Name, o.Href))
			return nil
		}
		cards = append(cards, o.Data)
		return nil
	})
	if err != nil {
		return err
	}
	left, err := transfer.WriteCSV(w, cards)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		ex.notes = append(ex.notes, fmt.Sprintf("left out, for a table has no column for it: %s, %s", name, counted(left[name], "time")))
	}
	return err
}

// home writes collections with a file for each object, as `facteur import` and programs
// for vdirs read them: calendars/NAME/*.ics and contacts/NAME/*.vcf.
func (ex *exporter) home(ctx context.Context, all []control.Collection) error {
	if ex.opt.Collection != "" {
		all = slices.DeleteFunc(all, func(c control.Collection) bool { return c.Name != ex.opt.Collection })
		if len(all) == 0 {
			return fmt.Errorf("%s has no collection %q", ex.account, ex.opt.Collection)
		}
	}
	if strings.EqualFold(filepath.Ext(ex.opt.To), ".zip") {
		return newFile(ex.opt.To, func(w io.Writer) error {
			z := zip.NewWriter(w)
			err := ex.tree(ctx, all, func(name string, data []byte) error {
				f, err := z.Create(name)
				if err == nil {
					_, err = f.Write(data)
				}
				return err
			})
			return errors.Join(err, z.Close())
		})
	}
	if entries, err := os.ReadDir(ex.opt.To); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", ex.opt.To)
	}
	return ex.tree(ctx, all, func(name string, data []byte) error {
		name = filepath.Join(ex.opt.To, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		return newFile(name, func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	})
}

// tree calls write with the name of each file of some collections, and what is in it.
func (ex *exporter) tree(ctx context.Context, all []control.Collection, write func(name string, data []byte) error) error {
	for _, c := range all {
		dir, ext := path.Join("calendars", folderFor(c.Name)), ".ics"
		if c.Kind == control.KindContacts {
			dir, ext = path.Join("contacts", folderFor(c.Name)), ".vcf"
		}
		for _, prop := range [][2]string{{"displayname", c.DisplayName}, {"color", c.Color}} {
			if prop[1] == "" {
				continue
			}
			if err := write(path.Join(dir, prop[0]), []byte(prop[1]+"\n")); err != nil {
				return err
			}
		}
		err := ex.each(ctx, c, func(o control.Object) error { return write(path.Join(dir, fileFor(o.Href, ext)), o.Data) })
		if err != nil {
			return err
		}
	}
	return nil
}

// folderFor is the name of the folder of a collection: its own, so that it comes back by it,
// unless some system can't have that.
func folderFor(name string) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) }
	if name[0] == '.' || strings.ContainsFunc(name, bad) {
		return fileFor(name, "")
	}
	return name
}

// fileFor is the name of a file that every system takes. Different names give different
// files, also where upper case does not count.
func fileFor(name, ext string) string {
	base := strings.TrimSuffix(name, ext)
	if plainName(name) && base != "" && strings.ToLower(name) == name && (ext == "" || base != name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	keep := strings.Map(func(r rune) rune {
		if plainName("x" + string(r)) {
			return r
		}
		return '_'
	}, base)
	return strings.TrimLeft(keep[:min(len(keep), 80)], ".") + "-" + hex.EncodeToString(sum[:6]) + ext
}
