package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/attachments"
	"facteur/server/collection"
	"facteur/server/control"
	"facteur/server/files"
)

// calendarsOf returns the calendars and address books of an account, nil when it has none yet:
// looking must not make them.
func (u upkeep) calendarsOf(a address.Address) (*collection.Home, error) {
	for _, kind := range []string{"calendars", "contacts"} {
		_, err := os.Stat(filepath.Join(u.settings.Data, "domains", a.Dir(), kind))
		if err == nil {
			return u.calendars.Home(a)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// verifyCalendars compares the indexes of calendars and address books with the files. It also
// names the files that are none, which other programs must have put there: that is no problem
// of the index.
func (u upkeep) verifyCalendars(a address.Address) (problems []string, unreadable int, err error) {
	home, err := u.calendarsOf(a)
	if home == nil || err != nil {
		return nil, 0, err
	}
	if err := home.Check(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, shown(line))
		}
	}
	all, err := home.Collections()
	if err != nil {
		return problems, unreadable, err
	}
	for _, c := range all {
		objects, err := c.Snapshot()
		if err != nil {
			return problems, unreadable, err
		}
		for e := range objects.All() {
			if e.Broken {
				unreadable++
				u.say(fmt.Sprintf("%s: %s can't be read as a %s", a, shown(c.Name()+"/"+e.Href), objectName(c.Kind())))
			}
		}
	}
	return problems, unreadable, nil
}

func objectName(k collection.Kind) string {
	if k == collection.AddressBook {
		return "contact"
	}
	return "calendar entry"
}

// verifyFiles looks at plain files and at attachments, of which there is no index: attachments are
// compared with the objects that name them. strays are those that other programs must have put
// there.
func (u upkeep) verifyFiles(a address.Address) (damaged, strays int, err error) {
	tree, err := u.files.Tree(a)
	if err != nil {
		return 0, 0, err
	}
	plain, err := tree.Strays()
	if err != nil {
		return 0, 0, err
	}
	tell := func(lines []string) int {
		for _, line := range lines {
			u.say(fmt.Sprintf("%s: %s", a, shown(line)))
		}
		return len(lines)
	}
	for _, s := range plain {
		strays += tell([]string{s.Path + ": " + s.Why})
	}
	found, err := u.attached.Verify(a)
	damaged, strays = tell(found.Wrong), strays+tell(found.Strays)
	tell(found.Unnamed)
	return damaged, strays, err
}

// undeleteCalendars brings back what was deleted of calendars and contacts.
func (u upkeep) undeleteCalendars(a address.Address, r control.UpkeepRequest) error {
	list, err := u.deletedCalendars(a, r)
	if len(list) == 0 || err != nil {
		return err
	}
	n, err := u.calendars.Undelete(a, r.Since, r.Folder)
	u.refresh(a)
	u.say(fmt.Sprintf("%s: %s of calendars and contacts brought back", a, counted(n, "object")))
	files, lost := u.attached.Restore(a)
	if files > 0 {
		u.say(fmt.Sprintf("%s: %s of these brought back", a, counted(files, "attachment")))
	}
	return errors.Join(err, lost)
}

// deletedCalendars lists what can be brought back.
func (u upkeep) deletedCalendars(a address.Address, r control.UpkeepRequest) (wanted []collection.Deleted, err error) {
	all, err := u.calendars.Deleted(a)
	for _, d := range all {
		if !d.At.Before(r.Since) && (r.Folder == "" || d.Collection == r.Folder) {
			wanted = append(wanted, d)
		}
	}
	return wanted, err
}

func (u upkeep) listDeletedCalendars(a address.Address, r control.UpkeepRequest) error {
	list, err := u.deletedCalendars(a, r)
	if len(list) == 0 || err != nil {
		return err
	}
	for _, d := range list {
		what := d.Collection + "/" + d.Href
		if d.Href == "" {
			what = d.Collection + ", as a whole"
		}
		u.say(fmt.Sprintf("%s  %9d octets  %s", d.At.Local().Format(time.DateTime), d.Size, shown(what)))
	}
	u.say(fmt.Sprintf("%s: %s of calendars and contacts can be brought back", a, counted(len(list), "object")))
	return nil
}

// filesFolder is how people name the plain files of an account.
const filesFolder = "files"

// undeleteFiles brings back what was removed of the plain files.
func (u upkeep) undeleteFiles(a address.Address, r control.UpkeepRequest) error {
	list, err := u.deletedFiles(a, r)
	if len(list) == 0 || err != nil {
		return err
	}
	n, err := u.files.Undelete(a, r.Since)
	u.say(fmt.Sprintf("%s: %s brought back", a, counted(n, "file")))
	return err
}

// deletedFiles lists what can be brought back.
func (u upkeep) deletedFiles(a address.Address, r control.UpkeepRequest) (wanted []files.Deleted, err error) {
	if r.Folder != "" && r.Folder != filesFolder {
		return nil, nil
	}
	all, err := u.files.Deleted(a)
	for _, d := range all {
		if !d.At.Before(r.Since) {
			wanted = append(wanted, d)
		}
	}
	return wanted, err
}

func (u upkeep) listDeletedFiles(a address.Address, r control.UpkeepRequest) error {
	list, err := u.deletedFiles(a, r)
	if len(list) == 0 || err != nil {
		return err
	}
	for _, d := range list {
		path := filesFolder + "/" + shown(strings.Join(d.Path, "/"))
		u.say(fmt.Sprintf("%s  %9d octets  %s", d.At.Local().Format(time.DateTime), d.Size, path))
	}
	u.say(fmt.Sprintf("%s: %s can be brought back", a, counted(len(list), "file")))
	return nil
}

// listDeletedAttachments lists where what was attached lies: who took it out of an event, or
// replaced it, finds it there.
func (u upkeep) listDeletedAttachments(a address.Address, r control.UpkeepRequest) error {
	if r.Folder != "" && r.Folder != attachments.Folder {
		return nil
	}
	list, err := u.attached.Deleted(a)
	n := 0
	for _, d := range list {
		if d.At.Before(r.Since) {
			continue
		}
		n++
		place := strings.TrimPrefix(d.Place, filepath.Join(u.settings.Data, "domains", a.Dir())+string(filepath.Separator))
		u.say(fmt.Sprintf("%s  %9d octets  %s", d.At.Local().Format(time.DateTime), d.Size, shown(place)))
	}
	if n > 0 {
		u.say(fmt.Sprintf("%s: %s came out of events: with these they come back, or are copied from there", a, counted(n, "attachment")))
	}
	return err
}
