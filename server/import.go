package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"facteur/server/control"
	"facteur/server/transfer"
)

// ImportOptions are those of `facteur import`.
type ImportOptions struct {
	Config  string
	Account string   // or shared mailbox
	Files   []string // files, folders, zip archives; "-" is standard input
	To      string   // the collection; "": by what the files are
	Replace bool     // also what is there with other content
	DryRun  bool
	JSON    bool

	// From is another server to pull from, with a login; the password is in a file, or asked
	// for. Collections are the names of those to pull; none: all that are the login's own.
	From, Login, PasswordFile string
	Collections               []string
}

// importReport is what an import did, as --json prints it.
type importReport struct {
	Account  string          `json:"account"`
	DryRun   bool            `json:"dry_run,omitempty"`
	Counts   map[string]int  `json:"counts"`         // by control.Outcome.Result
	Into     []string        `json:"into,omitempty"` // the collections in which something is new
	Problems []importProblem `json:"problems"`
	Notes    []string        `json:"notes,omitempty"`
	stopped  bool
}

// importProblem is something that was not taken as it stands.
type importProblem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (p importProblem) String() string {
	if p.Line > 0 {
		return shown(fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
	}
	return shown(p.File + ": " + p.Text)
}

// importer brings objects into the collections of an account.
type importer struct {
	step        stepper
	opt         ImportOptions
	report      importReport
	collections []control.Collection // of the account, and those that are made
	batches     map[string]*importBatch
	told        func(done int) // how far it is
	done        int
}

// importBatch is what goes into a collection with the next step.
type importBatch struct {
	create  *control.Collection
	source  string // of a pull
	objects []control.Object
	places  []importProblem // where each is from
	octets  int
}

// The bounds of a step.
const (
	batchObjects = 200
	batchOctets  = 2 << 20
)

// Import brings calendars and contacts of files or of another server into an account, over
// the running server, or without one. The error says when something was not taken.
func Import(ctx context.Context, in *os.File, out io.Writer, o ImportOptions) error {
	pull := o.From != ""
	switch {
	case pull == (len(o.Files) > 0):
		return errors.New("name files, or with --from another server")
	case pull && o.Login == "":
		return errors.New("--from needs --login")
	}
	var password string
	if pull {
		var err error
		if password, err = remotePassword(in, os.Stderr, o.PasswordFile); err != nil {
			return err
		}
	}
	return withDepot(ctx, o.Config, os.Stderr, o.Account, func(s stepper) error {
		im := &importer{step: s, opt: o, batches: make(map[string]*importBatch), told: progressLine(os.Stderr)}
		err := im.begin(ctx)
		if err == nil && pull {
			err = im.pull(ctx, password)
		} else if err == nil {
			err = im.files(ctx, in)
		}
		if im.report.Account == "" {
			return err
		}
		im.told(-1)
		im.report.stopped = err != nil
		return errors.Join(err, im.print(out))
	})
}

// progressLine tells how far work is on a terminal, twice a second; -1 ends that.
func progressLine(w *os.File) func(done int) {
	if !term.IsTerminal(int(w.Fd())) {
		return func(int) {}
	}
	last := time.Now()
	return func(done int) {
		if done < 0 {
			fmt.Fprint(w, "\r\x1b[K")
		} else if now := time.Now(); now.Sub(last) >= time.Second/2 {
			last = now
			fmt.Fprintf(w, "\r%s\x1b[K", counted(done, "object"))
		}
	}
}

func (im *importer) begin(ctx context.Context) error {
	a, err := im.step.Transfer(ctx, control.TransferRequest{Verb: "collections", Account: im.opt.Account})
	im.report = importReport{Account: a.Account, DryRun: im.opt.DryRun, Counts: make(map[string]int), Problems: []importProblem{}}
	im.collections = a.Collections
	return err
}

func (im *importer) problem(file string, line int, format string, args ...any) {
	im.report.Problems = append(im.report.Problems, importProblem{file, line, fmt.Sprintf(format, args...)})
}

func (im *importer) collection(name string) *control.Collection {
	i := slices.IndexFunc(im.collections, func(c control.Collection) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &im.collections[i]
}

// destination is where objects go that a file brings.
type destination struct {
	name   string              // "": by their kind
	create *control.Collection // what is made when there is no collection of the name
	source string              // of a pull
	named  bool                // a calendar with a name goes to one of that name
}

// add takes an object.
func (im *importer) add(ctx context.Context, to destination, o control.Object, file string, line int) error {
	kind := control.KindCalendar
	if o.Kind == transfer.Card {
		kind = control.KindContacts
	}
	if to.name == "" {
		to.name, o.Anywhere = im.usual(o.Kind, kind), true
	}
	there := im.collection(to.name)
	if there != nil && im.opt.To == "" && there.Kind != kind { // a folder with both
		to.name += "-" + kind
		there = im.collection(to.name)
	}
	if there != nil && im.opt.To == "" && there.Kind == kind && !keeps(*there, kind, o.Kind) { // others mix events and tasks
		to.name, to.create = im.usual(o.Kind, kind), nil
		there = im.collection(to.name)
	}
	if there == nil {
		there = &control.Collection{Name: to.name, Kind: kind}
		if to.create != nil {
			*there = *to.create
			there.Name = to.name
		}
		im.collections = append(im.collections, *there)
	}
	if there.Kind != kind {
		im.problem(file, line, "the %s is left out: %s is for %s", o.Kind, to.name, map[string]string{control.KindCalendar: "events and tasks", control.KindContacts: "contacts"}[there.Kind])
		return nil
	}
	b := im.batches[to.name]
	if b == nil {
		b = &importBatch{create: there, source: to.source}
		im.batches[to.name] = b
	}
	if len(b.objects) == batchObjects || b.octets+len(o.Data) > batchOctets {
		if err := im.flush(ctx, to.name); err != nil {
			return err
		}
	}
	b.objects = append(b.objects, o)
	b.places = append(b.places, importProblem{File: file, Line: line})
	b.octets += len(o.Data)
	return nil
}

// usual is the collection for objects of a kind: that of each new account, or the first
// that keeps them.
func (im *importer) usual(component, kind string) string {
	names := map[string]string{control.KindContacts: "contacts"}
	names[control.KindCalendar] = "calendar"
	if component == "VTODO" {
		names[control.KindCalendar] = "tasks"
	}
	fits := func(c control.Collection) bool { return keeps(c, kind, component) }
	if c := im.collection(names[kind]); c == nil || fits(*c) {
		if c != nil || !slices.ContainsFunc(im.collections, fits) {
			return names[kind]
		}
	}
	if i := slices.IndexFunc(im.collections, fits); i >= 0 {
		return im.collections[i].Name
	}
	return names[kind] // which tells why not
}

// keeps tells whether a collection is of a kind, and takes a component.
func keeps(c control.Collection, kind, component string) bool {
	return c.Kind == kind && (len(c.Components) == 0 || component == transfer.Card || slices.Contains(c.Components, component))
}

// flushAll puts all that waits.
func (im *importer) flushAll(ctx context.Context) error {
	for name := range im.batches {
		if err := im.flush(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// flush puts what waits for a collection.
func (im *importer) flush(ctx context.Context, name string) error {
	b := im.batches[name]
	if b == nil || len(b.objects) == 0 {
		return nil
	}
	a, err := im.step.Transfer(ctx, control.TransferRequest{
		Verb: "put", Account: im.report.Account, Collection: name, Create: b.create, Objects: b.objects,
		Replace: im.opt.Replace, DryRun: im.opt.DryRun, Source: b.source,
	})
	if err != nil {
		return fmt.Errorf("stopped at %s: %w\nWhat was taken stays; the same command goes on from there", b.places[0].at(), err)
	}
	for i, outcome := range a.Outcomes {
		im.report.Counts[outcome.Result]++
		kind, at, name := b.objects[i].Kind, b.places[i], cmp.Or(outcome.In, name)
		switch outcome.Result {
		case control.ResultNew, control.ResultReplaced:
			if !slices.Contains(im.report.Into, name) {
				im.report.Into = append(im.report.Into, name)
			}
		case control.ResultRefused:
			im.problem(at.File, at.Line, "the %s is left out: %s", kind, outcome.Reason)
		case control.ResultKept:
			im.problem(at.File, at.Line, "the %s is left out: %s has one with its UID and other content; --replace takes this one", kind, name)
		}
	}
	im.done += len(b.objects)
	im.told(im.done)
	b.objects, b.places, b.octets = nil, nil, 0
	return nil
}

// at is a place without a text.
func (p importProblem) at() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// print tells what was done. The error counts what was not.
func (im *importer) print(out io.Writer) error {
	r := im.report
	slices.SortStableFunc(r.Problems, func(a, b importProblem) int {
		if a.File == b.File {
			return a.Line - b.Line
		}
		return 0
	})
	if im.opt.JSON {
		if err := printJSON(out, r); err != nil {
			return err
		}
	} else {
		for _, p := range r.Problems {
			fmt.Fprintln(out, p)
		}
		for _, n := range r.Notes {
			fmt.Fprintln(out, shown(n))
		}
		fmt.Fprintf(out, "%s: %s\n", r.Account, r.summary())
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("%s: see above", counted(len(r.Problems), "problem"))
	}
	return nil
}

// summary is the counts in words.
func (r importReport) summary() string {
	var words []string
	for _, one := range []struct{ result, text string }{
		{control.ResultNew, "new"}, {control.ResultReplaced, "replaced"}, {control.ResultSame, "there already"},
		{control.ResultKept, "there with other content"}, {control.ResultRefused, "refused"},
	} {
		if one.result == control.ResultSame && len(r.Into) > 0 {
			slices.Sort(r.Into)
			words[len(words)-1] += " in " + strings.Join(r.Into, ", ")
		}
		if n := r.Counts[one.result]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, one.text))
		}
	}
	text := "nothing to take"
	if r.stopped {
		text = "nothing was taken"
	}
	if len(words) > 0 {
		text = strings.Join(words, ", ")
	}
	if r.DryRun {
		text += " (nothing was changed)"
	}
	return text
}
