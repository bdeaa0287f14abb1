package scheduling

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/itip"
	"facteur/server/safefile"
)

// task is what is still to be done: a file of the journal.
type task struct {
	ID      string
	Made    time.Time
	Box     address.Address // whose calendar it is about
	Account address.Address // who acts; zero: this server by itself
	Change  *change         `json:",omitempty"`
	// Messages are those of Sends.
	Messages [][]byte `json:",omitempty"`
	Sends    []send   `json:",omitempty"`
	Arrived  *arrived `json:",omitempty"` // what came by mail
	Move     *moving  `json:",omitempty"` // what is left of a MOVE
	// Of a change that a person made and of which mail leaves: what the object was for those who
	// get it (Sends.Base), which it is, and when it was changed (Scheduler.stamp).
	Bases [][]byte  `json:",omitempty"`
	UID   string    `json:",omitempty"`
	Stamp time.Time `json:",omitzero"`

	read  []*itip.Message // of Messages, when they were read
	tries int
	again bool      // it was begun before
	files int64     // maxFiles, once it was asked
	calm  time.Time // mail waits until then
}

// change is one of an object: before 3 of the package doc, it has to be made.
type change struct {
	Box              address.Address `json:",omitzero"` // whose it is; zero: that of the task
	Collection, Href string
	Before, After    string // sums of the octets; "": there is none
	// Follows are tasks that changed it before, and were not done then.
	Follows []string `json:",omitempty"`
}

// send is a message to one person.
type send struct {
	From, To itip.User
	Message  int // its index
	Base     int `json:",omitempty"` // the index of what was known
	// Status is what the object says of the message already (SCHEDULE-STATUS, RFC 6638 7.3).
	Status string
	// Quiet: it tells nothing that a person wants to know: what others answered.
	Quiet bool `json:",omitempty"`
	// Only: the message is all that the person is invited to (itip.Delivery).
	Only bool `json:",omitempty"`
	// Comment is for who reads the mail.
	Comment string `json:",omitempty"`
	About   string `json:",omitempty"` // the Message-ID that it answers
	Done    bool   `json:",omitempty"`
}

// sum tells octets from others.
func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// journal is the directory of tasks.
type journal struct {
	fs  safefile.FS
	dir string
}

const taskSuffix = ".task"

// maxTask bounds a task when it is read, in octets.
const maxTask = 256 << 20

func openJournal(fsys safefile.FS, dir string) (*journal, error) {
	if err := safefile.MkdirAll(fsys, dir); err != nil {
		return nil, fmt.Errorf("opening what is not done of scheduling: %w", err)
	}
	return &journal{fs: fsys, dir: dir}, nil
}

func (j *journal) path(t *task) string { return filepath.Join(j.dir, t.ID+taskSuffix) }

// add makes a task durable, in the place of the one with its ID.
func (j *journal) add(t *task) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return safefile.WriteFile(j.fs, j.path(t), data)
}

// remove forgets a task. That needs no sync: what comes back after a power cut is done again.
func (j *journal) remove(t *task) error {
	if err := j.fs.Remove(j.path(t)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// each calls do with each task that is there, which are not all in memory at once. A file that is
// no task is left alone, and told of.
func (j *journal) each(log *slog.Logger, do func(*task) error) error {
	safefile.RemoveStale(j.fs, j.dir, time.Now())
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), taskSuffix)
		if !ok {
			continue
		}
		t, err := j.read(id)
		if err != nil {
			log.Error("scheduling.task", "id", id, "error", err, "result", "it is left as it is")
			continue
		}
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) read(id string) (*task, error) {
	path := filepath.Join(j.dir, id+taskSuffix)
	if info, err := os.Stat(path); err != nil || info.Size() > maxTask {
		return nil, errors.Join(err, errors.New("it can't be read"))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &task{}
	if err := json.Unmarshal(data, t); err != nil {
		return nil, err
	}
	t.ID = id
	for _, s := range t.Sends {
		if s.Message < 0 || s.Message >= len(t.Messages) {
			return nil, errors.New("a message is missing")
		}
		if s.Base < 0 || s.Base >= max(len(t.Bases), 1) {
			return nil, errors.New("what was before is missing")
		}
	}
	return t, nil
}
