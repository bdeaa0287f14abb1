package imapsearch

import (
	"bytes"
	"context"
	"errors"

	"facteur/server/message"
)

// reading is what was read of a message's file.
type reading struct {
	fields []byte // the header fields that the plan asks for, raw
	found  []bool // the texts that it holds, by slot
	whole  bool   // all of it was read
}

// errDecided ends the reading of a message that needs no more of it.
var errDecided = errors.New("decided")

// read decides on a message with its file.
func (j *judge) read(ctx context.Context, r reader, c *candidate) (verdict, error) {
	if c.summary != nil { // what it points into is valid until open
		c.summary = &message.Summary{SentDate: c.summary.SentDate, SentZone: c.summary.SentZone, EmailID: c.summary.EmailID, FieldsOmitted: true}
	}
	opened, err := r.open(c.rec)
	if err != nil {
		return no, err
	}
	defer opened.Close()
	file := guarded{opened, ctx}
	c.file = &reading{found: make([]bool, len(j.texts))}
	if len(j.fields) > 0 {
		if c.file.fields, err = j.header(file); err != nil {
			return no, err
		}
	}
	v := j.verdict(&j.root, c)
	if v != unknown {
		return v, nil
	}
	var w window
	err = message.Words(file, file.Size(), func(kind message.TextKind, text []byte) error {
		if !j.look(kind, w.next(kind, text, j.longest), c.file.found) {
			return nil
		}
		if v = j.verdict(&j.root, c); v != unknown {
			return errDecided
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDecided) {
		return no, err
	}
	if v == unknown {
		c.file.whole = true
		v = j.verdict(&j.root, c)
	}
	return v, nil
}

// guarded is a content that can't be read any more when its context has ended:
// so large messages don't hold a search up that nobody waits for.
type guarded struct {
	content
	ctx context.Context
}

func (g guarded) ReadAt(p []byte, off int64) (int, error) {
	if err := g.ctx.Err(); err != nil {
		return 0, err
	}
	return g.content.ReadAt(p, off)
}

// look notes which texts a piece of a message holds. It tells whether there is a
// new one.
func (j *judge) look(kind message.TextKind, text []byte, found []bool) (news bool) {
	j.fold = message.Fold(j.fold[:0], text)
	for i := range j.texts {
		t := &j.texts[i]
		if found[i] || kind == message.HeaderText && !t.header {
			continue
		}
		if bytes.Contains(j.fold, t.text) {
			found[i], news = true, true
		}
	}
	return news
}

// header returns the raw header fields that the plan asks for.
func (j *judge) header(file content) ([]byte, error) {
	names := make([]string, len(j.fields))
	for i := range j.fields {
		names[i] = j.fields[i].name
	}
	return fieldsOf(file, names)
}

// fieldsOf reads the fields of these names.
func fieldsOf(file content, names []string) ([]byte, error) {
	top, err := message.ReadTop(file, file.Size())
	if err != nil {
		return nil, err
	}
	return top.AppendSectionFields(nil, file, message.Section{Kind: message.SectionFields, Names: names})
}
