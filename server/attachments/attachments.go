package attachments

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
	"facteur/server/fault"
	"facteur/server/files"
	"facteur/server/homes"
)

// Folder is the name of the folder of attachments (files.Options).
const Folder = "attachments"

// The bounds of attachments.
const (
	// MaxSize bounds one, in octets (RFC 8607 6.2). It is for files.Options.
	MaxSize = 10 << 20
	// MaxPerObject bounds those of an object (RFC 8607 6.3).
	MaxPerObject = 20
)

// Options are what a Store needs.
type Options struct {
	// Files keeps the octets: a store of its own, with Folder and MaxSize.
	Files     *files.Store
	Homes     *homes.Homes
	Directory func() *directory.Directory // returns the newest one
	Log       *slog.Logger                // nil: none
	Now       func() time.Time            // nil: time.Now
}

// Attachment is one that is kept.
type Attachment struct {
	Owner    address.Address // in whose home it is
	ID, Name string
	Type     string // of its media, as it was given
	Size     int64
	Modified time.Time
}

// Store keeps attachments. It may be used by several at once.
type Store struct {
	opt Options

	mu    sync.Mutex
	homes map[address.Key]*home
}

// home is what is known of the attachments in one home.
type home struct {
	sync.Mutex
	held map[string]int       // how often an id is
	idle map[string]time.Time // ids that nothing names, and since when that is known
}

// New returns a Store.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{opt: o, homes: make(map[address.Key]*home)}
}

var errNone = fault.New(fault.NotFound, "There is no such attachment")

// box returns the mailbox of an owner, whom an object may call by an old address.
func (s *Store) box(owner address.Address) (address.Address, error) {
	box, ok := s.opt.Directory().SoleBox(owner)
	if !ok {
		return box, errNone
	}
	return box, nil
}

// in returns what is known of a home.
func (s *Store) in(box address.Address) *home {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.homes[box.Key()]
	if h == nil {
		h = &home{held: make(map[string]int), idle: make(map[string]time.Time)}
		s.homes[box.Key()] = h
	}
	return h
}

func (h *home) hold(id string) {
	h.Lock()
	defer h.Unlock()
	h.held[id]++
}

// letGo ends a hold. With h locked.
func (h *home) letGo(id string) {
	if h.held[id]--; h.held[id] <= 0 {
		delete(h.held, id)
	}
}

// Content is an attachment that is to be added.
type Content struct {
	Name string // as the client calls it; it is made fit for a file
	Type string // of the media
	Size int64  // how many octets will come; less than 0: that is not known
	Body io.Reader
}

// typeProperty is the property of an attachment's folder with its media type.
const typeProperty = "type"

// Add keeps an attachment, durably, and holds it: Release or Drop ends that. The errors are
// that of the Body, and faults: OverQuota, TooLarge.
func (s *Store) Add(owner address.Address, c Content) (Attachment, error) {
	box, err := s.box(owner)
	if err != nil {
		return Attachment{}, err
	}
	tree, err := s.opt.Files.Tree(box)
	if err != nil {
		return Attachment{}, err
	}
	id := newID()
	s.in(box).hold(id)
	a := Attachment{Owner: box, ID: id, Name: FileName(c.Name), Type: c.Type}
	if c.Size > MaxSize { // before anything is made
		err = errTooLarge
	} else {
		err = tree.Mkdir(files.Path{id}, map[string]string{typeProperty: c.Type}, nil)
	}
	if err == nil {
		var info files.Info
		info, _, err = tree.Put(files.Path{id, a.Name}, c.Body, files.PutOptions{Size: c.Size})
		a.Size, a.Modified = info.Size, info.Modified
	}
	if err != nil {
		s.Drop(a)
		return Attachment{}, err
	}
	return a, nil
}

var errTooLarge = fault.Newf(fault.TooLarge, "The attachment has more than %d octets", MaxSize)

// newID returns a new id.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Drop ends the hold of an attachment of which nothing came: it is removed for good, unless
// an object names it all the same.
func (s *Store) Drop(a Attachment) {
	h := s.in(a.Owner)
	h.Lock()
	defer h.Unlock()
	h.letGo(a.ID)
	named, err := s.named(a.Owner, a.ID)
	if err == nil && named {
		return
	}
	if err == nil { // else an object may name it
		err = s.discard(a)
	}
	if err != nil && !fault.Is(err, fault.NotFound) { // Tidy does it later
		s.opt.Log.Warn("attachments.drop", "account", a.Owner.String(), "id", a.ID, "err", err)
	}
}

// discard removes an attachment for good. With the home locked.
func (s *Store) discard(a Attachment) error {
	tree, err := s.opt.Files.Tree(a.Owner)
	if err != nil {
		return err
	}
	return tree.Discard(files.Path{a.ID})
}

// Hold has attachments stay, which something will soon name; Release ends that. What was
// removed is brought back. The error is NotFound when one is not there: then none is held.
func (s *Store) Hold(owner address.Address, ids []string) error {
	box, err := s.box(owner)
	if err != nil {
		return err
	}
	h := s.in(box)
	h.Lock()
	defer h.Unlock()
	for i, id := range ids {
		_, err := s.find(box, id)
		if fault.Is(err, fault.NotFound) {
			err = s.bringBack(box, id)
		}
		if err != nil {
			for _, id := range ids[:i] {
				h.letGo(id)
			}
			return err
		}
		h.held[id]++
	}
	return nil
}

// bringBack brings back what was removed. The error is NotFound when it is not kept. With the
// home locked.
func (s *Store) bringBack(box address.Address, id string) error {
	there, err := s.opt.Files.BringBack(box, id)
	if err == nil && !there {
		return errNone
	}
	return err
}

// find returns an attachment that is there.
func (s *Store) find(box address.Address, id string) (a Attachment, err error) {
	if !homes.IsAttachmentID(id) {
		return a, errNone
	}
	tree, err := s.opt.Files.Tree(box)
	if err != nil {
		return a, err
	}
	list, err := tree.List(files.Path{id})
	if err != nil {
		return a, err
	}
	i := slices.IndexFunc(list, func(i files.Info) bool { return !i.Folder })
	if i < 0 {
		return a, errNone
	}
	props, err := tree.Props(files.Path{id})
	if err != nil {
		return a, err
	}
	return Attachment{Owner: box, ID: id, Name: list[i].Name, Type: props[typeProperty], Size: list[i].Size, Modified: list[i].Modified}, nil
}

// Find returns an attachment. What was removed and an object of its home names comes back.
// The error is NotFound when there is none.
func (s *Store) Find(owner address.Address, id string) (Attachment, error) {
	box, err := s.box(owner)
	if err != nil {
		return Attachment{}, err
	}
	a, err := s.find(box, id)
	if !fault.Is(err, fault.NotFound) || !homes.IsAttachmentID(id) {
		return a, err
	}
	h := s.in(box)
	h.Lock()
	defer h.Unlock()
	named, err := s.named(box, id)
	if err != nil || !named {
		return a, cmp.Or(err, error(errNone))
	}
	if err := s.bringBack(box, id); err != nil {
		return a, err
	}
	return s.find(box, id)
}

// Has tells whether an attachment is there; what was removed is not.
func (s *Store) Has(owner address.Address, id string) bool {
	box, err := s.box(owner)
	if err == nil {
		_, err = s.find(box, id)
	}
	return err == nil
}

// Open opens an attachment for reading, as Find finds it.
func (s *Store) Open(owner address.Address, id string) (*os.File, Attachment, error) {
	a, err := s.Find(owner, id)
	if err != nil {
		return nil, a, err
	}
	tree, err := s.opt.Files.Tree(a.Owner)
	if err != nil {
		return nil, a, err
	}
	f, _, err := tree.Open(files.Path{a.ID, a.Name})
	return f, a, err
}

// Copy keeps the octets of an attachment in another home too, and holds them there.
func (s *Store) Copy(owner address.Address, id string, to address.Address) (Attachment, error) {
	f, a, err := s.Open(owner, id)
	if err != nil {
		return a, err
	}
	defer f.Close()
	return s.Add(to, Content{Name: a.Name, Type: a.Type, Size: a.Size, Body: f})
}

// Release ends the hold of attachments, and removes those of them that nothing names. ids that
// are not held may be among those that are perhaps not named any more.
func (s *Store) Release(owner address.Address, held, perhaps []string) {
	box, err := s.box(owner)
	if err != nil || len(held)+len(perhaps) == 0 {
		return
	}
	h := s.in(box)
	h.Lock()
	defer h.Unlock()
	for _, id := range held {
		h.letGo(id)
	}
	for _, id := range slices.Concat(held, perhaps) {
		if h.held[id] > 0 {
			continue
		}
		named, err := s.named(box, id)
		if err == nil && !named {
			err = s.remove(box, id)
		}
		if err != nil { // Tidy does it later
			s.opt.Log.Warn("attachments.remove", "account", box.String(), "id", id, "err", err)
		}
	}
}

// remove removes an attachment, so that it can be brought back. With the home locked.
func (s *Store) remove(box address.Address, id string) error {
	tree, err := s.opt.Files.Tree(box)
	if err != nil {
		return err
	}
	if err := tree.Remove(files.Path{id}, nil); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}
