package server

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"facteur/server/collection"
	"facteur/server/control"
	"facteur/server/transfer"
)

// maxImport bounds all files of an archive together, in octets.
const maxImport = 4 << 30

// maxInfo bounds a file that tells the name or the colour of a collection, in octets.
const maxInfo = 1000

// files imports files, folders and archives.
func (im *importer) files(ctx context.Context, in *os.File) error {
	for _, name := range im.opt.Files {
		if err := im.file(ctx, in, name); err != nil {
			return err
		}
	}
	return im.flushAll(ctx)
}

func (im *importer) file(ctx context.Context, in *os.File, name string) error {
	if name == "-" {
		text, err := readText(in)
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		return im.text(ctx, "-", text, destination{name: im.opt.To})
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return im.folder(ctx, name, os.DirFS(name))
	}
	if strings.EqualFold(filepath.Ext(name), ".zip") {
		archive, err := zip.OpenReader(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer archive.Close()
		total := uint64(0)
		for _, f := range archive.File {
			total += f.UncompressedSize64
		}
		if total > maxImport {
			return fmt.Errorf("%s has more than %d octets", name, int64(maxImport))
		}
		return im.folder(ctx, name, archive)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := readText(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return im.text(ctx, name, text, destination{name: im.opt.To})
}

// readText reads a text whole.
func readText(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, transfer.MaxOctets+1))
	if err == nil && len(text) > transfer.MaxOctets {
		err = fmt.Errorf("it has more than %d octets", transfer.MaxOctets)
	}
	return text, err
}

// folder imports all below a folder or an archive. Files right there go where --to or
// their kind says, those in a folder of it into the collection of that name: so it is in what
// `facteur export` writes, in a home on disk, and in a vdir of other programs. The files
// displayname and color (vdir) tell of a collection. A file with several objects of a calendar with
// a name (X-WR-CALNAME), as in the archives of Google, goes to one of that name.
func (im *importer) folder(ctx context.Context, name string, root fs.FS) error {
	return fs.WalkDir(root, ".", func(p string, entry fs.DirEntry, err error) error {
		base := path.Base(p)
		hidden := strings.HasPrefix(base, ".") && base != "."
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && (hidden || base != "calendars" && base != "contacts" && p != "." && isHome(root, path.Dir(p))):
			return fs.SkipDir
		case entry.IsDir(), hidden, isHome(root, path.Dir(p)):
			return nil
		case strings.Contains(p, "/") && (base == "displayname" || base == "color"):
			return nil
		}
		file := path.Join(filepath.ToSlash(name), p)
		f, err := root.Open(p)
		if err != nil {
			im.problem(file, 0, "it can't be read: %v", err)
			return nil
		}
		defer f.Close()
		text, err := readText(f)
		if err != nil {
			im.problem(file, 0, "it can't be read: %v", err)
			return nil
		}
		to := im.destination(root, p)
		to.named = im.opt.To == ""
		return im.text(ctx, file, text, to)
	})
}

// isHome tells whether a folder is that of an account: beside calendars and contacts there are
// mail, what was deleted, and files of any kind that are attached to events.
func isHome(root fs.FS, dir string) bool {
	_, err := fs.Stat(root, path.Join(dir, collection.HomeFile))
	return err == nil
}

// destination is where the objects of a file in a folder go.
func (im *importer) destination(root fs.FS, p string) destination {
	dir := path.Dir(p)
	if im.opt.To != "" || dir == "." {
		return destination{name: im.opt.To}
	}
	name := path.Base(dir)
	if (name == "calendars" || name == "contacts") && path.Dir(dir) == "." && im.collection(name) == nil {
		return destination{} // the folder of the collections, with a file beside them
	}
	c := &control.Collection{Kind: control.KindCalendar}
	if kindOfFile(p, nil) == control.KindContacts {
		c.Kind = control.KindContacts
	}
	read := func(file string) string {
		f, err := root.Open(path.Join(dir, file))
		if err != nil {
			return ""
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxInfo+1))
		if err != nil || len(text) > maxInfo {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	if im.collection(name) == nil {
		c.DisplayName, c.Color = read("displayname"), read("color")
	}
	return destination{name: safeCollection(name), create: c}
}

// safeCollection makes a name for a collection here of one elsewhere.
func safeCollection(name string) string {
	name = strings.TrimLeft(strings.NewReplacer("~", "-", "/", "-").Replace(name), ".")
	if name == "" || name == "inbox" || name == "outbox" {
		name += "imported"
	}
	return name
}

// kindCSV is that of files with a table; the others are those of collections.
const kindCSV = "csv"

// kindOfFile tells what a file is by its name, or by how it begins; "": nothing that is
// known.
func kindOfFile(name string, text []byte) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".ics", ".ical", ".icalendar", ".ifb", ".vcs":
		return control.KindCalendar
	case ".vcf", ".vcard":
		return control.KindContacts
	case ".csv", ".tsv":
		return kindCSV
	}
	begin := bytes.ToUpper(bytes.TrimLeft(bytes.TrimPrefix(text[:min(len(text), 200)], []byte("\uFEFF")), " \t\r\n"))
	switch {
	case bytes.HasPrefix(begin, []byte("BEGIN:VCALENDAR")):
		return control.KindCalendar
	case bytes.HasPrefix(begin, []byte("BEGIN:VCARD")):
		return control.KindContacts
	}
	return ""
}

// text imports what a file has.
func (im *importer) text(ctx context.Context, file string, text []byte, to destination) error {
	var objects []transfer.Object
	var wrong []transfer.Problem
	kind := kindOfFile(file, text)
	one, ok := transfer.AsIs(text)
	switch {
	case ok && (kind == control.KindContacts) == (one.Kind == transfer.Card):
		objects = []transfer.Object{one}
	case kind == control.KindContacts:
		objects, wrong = transfer.Cards(text)
	case kind == kindCSV:
		objects, wrong = transfer.CSV(text)
	case kind == control.KindCalendar:
		var info transfer.Info
		objects, info, wrong = transfer.Calendar(text)
		if to.named && info.Name != "" { // those of a folder are not mixed
			to = destination{name: safeCollection(info.Name)}
		}
		if to.name != "" && to.create == nil {
			to.create = &control.Collection{Kind: control.KindCalendar, DisplayName: info.Name, Color: info.Color}
		}
	default:
		im.problem(file, 0, "it is neither a calendar (.ics) nor contacts (.vcf, .csv)")
		return nil
	}
	if len(objects)+len(wrong) == 0 {
		im.problem(file, 0, "there is nothing in it")
	}
	for _, p := range wrong {
		im.problem(file, p.Line, "%s", p.Text)
	}
	for _, o := range objects {
		href := ""
		if len(objects) == 1 {
			href = path.Base(file)
		}
		err := im.add(ctx, to, control.Object{Kind: o.Kind, UID: o.UID, Data: o.Data, Href: href}, file, o.Line)
		if err != nil {
			return err
		}
	}
	return nil
}
