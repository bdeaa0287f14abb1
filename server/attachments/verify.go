package attachments

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
	"facteur/server/ical"
	"facteur/server/safefile"
)

// Report is what Verify found, in lines for people.
type Report struct {
	Wrong   []string // what is lost or damaged
	Strays  []string // what is no attachment
	Unnamed []string // what nothing names any more: Tidy takes it away
}

// Verify compares the attachments of a home with the objects that name them, and reads them in
// full. It changes nothing, and makes nothing. What was removed and is named comes back when
// somebody asks for it, so it is there.
func (s *Store) Verify(owner address.Address) (Report, error) {
	v := verification{Store: s, found: make(map[string]files.Info), named: make(map[string]bool), bad: make(map[string]bool)}
	var err error
	if v.box, err = s.box(owner); err != nil {
		return v.Report, err
	}
	if v.tree, err = s.opt.Files.Tree(v.box); err != nil {
		return v.Report, err
	}
	for _, step := range []func() error{v.folders, v.strays, v.objects, v.unnamed} {
		if err := step(); err != nil {
			return v.Report, err
		}
	}
	return v.Report, nil
}

// verification is one Verify.
type verification struct {
	*Store
	Report
	box   address.Address
	tree  *files.Tree
	found map[string]files.Info // the file of each id that has a folder; no name: it has no file
	named map[string]bool       // by an object that could be read
	bad   map[string]bool       // files that can't be read, by place
	gone  map[string]bool       // what can be brought back; nil: nobody asked yet
}

func (v *verification) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

func (v *verification) stray(place, why string) {
	v.Strays = append(v.Strays, fmt.Sprintf("%s: %s; mend it or take it away", place, why))
}

func (v *verification) strays() error {
	all, err := v.tree.Strays()
	for _, stray := range all {
		if !v.bad[stray.Path] {
			v.stray(stray.Path, stray.Why)
		}
	}
	return err
}

// folders looks at all that lies in the folder of attachments.
func (v *verification) folders() error {
	list, err := v.tree.List(nil)
	if fault.Is(err, fault.NotFound) { // it is no folder, which strays has told
		return nil
	}
	if err != nil {
		return err
	}
	for _, i := range list {
		if !i.Folder || !homes.IsAttachmentID(i.Name) {
			v.stray(path.Join(Folder, i.Name), "nothing can name it")
			continue
		}
		within, err := v.tree.List(files.Path{i.Name})
		if fault.Is(err, fault.NotFound) {
			continue // gone meanwhile
		}
		if err != nil {
			return err
		}
		v.folder(i.Name, within)
	}
	return nil
}

// folder looks at the folder of an attachment, in which is one file.
func (v *verification) folder(id string, within []files.Info) {
	v.found[id] = files.Info{}
	for _, i := range within {
		place := path.Join(Folder, id, i.Name)
		switch {
		case i.Folder:
			v.stray(place, "it is a folder")
			continue
		case v.found[id].Name != "":
			v.stray(place, "there is "+v.found[id].Name+" already, and an attachment is one file")
			continue
		}
		v.found[id] = i
		if good := FileName(i.Name); good != i.Name {
			v.wrong("%s has a name that not every program takes: call it %q", place, good)
		}
		if err := v.readAll(id, i); err != nil {
			v.wrong("%s can't be read: %v; mend it or bring it back from a backup", place, err)
			v.bad[place] = true
		}
	}
}

func (v *verification) readAll(id string, i files.Info) error {
	f, now, err := v.tree.Open(files.Path{id, i.Name})
	if fault.Is(err, fault.NotFound) {
		return nil // gone meanwhile
	}
	if err != nil {
		return safefile.Reason(err)
	}
	defer f.Close()
	n, err := io.Copy(io.Discard, f)
	if err == nil && n != now.Size {
		err = fmt.Errorf("it has %d octets and should have %d", n, now.Size)
	}
	return safefile.Reason(err)
}

// objects looks at all objects that name attachments.
func (v *verification) objects() error {
	if !v.opt.Homes.Has(v.box) {
		return nil
	}
	own, err := v.opt.Homes.Own(v.box)
	if err != nil {
		return err
	}
	all, err := own.Collections()
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Origin != homes.Kept || c.Mounted || c.Kind() != collection.Calendar {
			continue
		}
		if ids, err := c.Attached(); err != nil || len(ids) == 0 {
			if err != nil && !fault.Is(err, fault.NotFound) { // deleted meanwhile
				return err
			}
			continue
		}
		if err := v.calendar(c); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

func (v *verification) calendar(c *homes.Collection) error {
	objects, err := c.Snapshot()
	if err != nil {
		return err
	}
	for e := range objects.All() {
		if len(homes.AttachedIn(e.Facts)) == 0 {
			continue
		}
		data, _, err := c.Read(e.Href)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		calendar, err := ical.ParseBytes(data)
		if err != nil {
			continue // it was changed meanwhile, or is told as one that can't be read
		}
		told := make(map[string]bool)
		Lines(calendar, func(a homes.Attached, p ical.Prop) {
			if !told[a.ID] { // the instances of a series name the same
				told[a.ID] = true
				err = errors.Join(err, v.line(path.Join(c.Name(), e.Href), a, p))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// line looks at a property of an object that lies at a place.
func (v *verification) line(place string, a homes.Attached, p ical.Prop) error {
	box, ok := v.opt.Directory().SoleBox(a.Owner)
	if !ok && v.found[a.ID].Name != "" {
		v.wrong("%s has the attachment %q by the address %s, which is nobody's: make it an alias of %s in mail.toml", place, p.Param("FILENAME"), a.Owner, v.box)
	}
	if !ok || box.Key() != v.box.Key() {
		return nil // what the organizer keeps: it is looked at there
	}
	v.named[a.ID] = true
	folder := path.Join(Folder, a.ID)
	file := v.found[a.ID]
	if file.Name == "" {
		there, err := v.comesBack(a.ID)
		if err == nil && !there {
			v.wrong("%s has the attachment %q, which is lost: bring the folder %s back from a backup, or take the attachment out of the entry", place, p.Param("FILENAME"), folder)
		}
		return err
	}
	size, err := strconv.ParseInt(p.Param("SIZE"), 10, 64)
	if err == nil && size != file.Size {
		v.wrong("%s has %d octets, %s says %d: bring the file back from a backup, or attach it again", path.Join(folder, file.Name), file.Size, place, size)
	}
	return nil
}

// comesBack tells whether an attachment that was not there is now, or was removed and can be
// brought back.
func (v *verification) comesBack(id string) (bool, error) {
	if _, err := v.find(v.box, id); !fault.Is(err, fault.NotFound) {
		return err == nil, err
	}
	if v.gone == nil {
		list, err := v.opt.Files.Deleted(v.box)
		if err != nil {
			return false, err
		}
		v.gone = make(map[string]bool)
		for _, d := range list {
			if len(d.Path) > 0 {
				v.gone[d.Path[0]] = true
			}
		}
	}
	if v.gone[id] {
		return true, nil
	}
	named, err := v.Store.named(v.box, id)
	return !named, err // the object has gone meanwhile
}

// unnamed looks for what nothing names.
func (v *verification) unnamed() error {
	h := v.in(v.box)
	h.Lock()
	defer h.Unlock()
	for _, id := range slices.Sorted(maps.Keys(v.found)) {
		if v.named[id] || h.held[id] > 0 {
			continue
		}
		if v.opt.Homes.Has(v.box) {
			if named, err := v.Store.named(v.box, id); named || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		}
		if _, err := v.tree.Stat(files.Path{id}); err == nil { // else gone meanwhile
			v.Unnamed = append(v.Unnamed, fmt.Sprintf("%s is named by nothing any more: the server takes it away within two hours", path.Join(Folder, id, v.found[id].Name)))
		}
	}
	return nil
}
