package mailbox

import (
	"cmp"
	"slices"
	"strings"

	"facteur/server/maildir"
)

// record is a message in memory.
type record struct {
	uid     UID
	flags   maildir.Flags
	size    int64  // as served
	name    string // of the file
	date    uint32 // mtime in seconds, when it was asked for; else 0
	inNew   bool   // the file is in new, not in cur
	recent  bool   // no session was told yet
	missing bool   // the last scan did not show it
}

// list is the messages of a mailbox, by UID, with what is counted of them.
type list struct {
	recs   []record
	unseen int
	recent int
	size   int64
	unique map[string]UID // of messages added with AddOptions.Unique; nil: not made yet
	flags  map[maildir.Flags][]string
}

// newList returns a list of messages in order.
func newList(recs []record) *list {
	l := &list{recs: recs}
	for i := range recs {
		l.count(&recs[i], 1)
	}
	return l
}

// find returns the index of a message.
func (l *list) find(uid UID) (int, bool) {
	return slices.BinarySearchFunc(l.recs, uid, func(r record, uid UID) int { return cmp.Compare(r.uid, uid) })
}

// append adds a message with a UID above all others.
func (l *list) append(r record) {
	l.recs = append(l.recs, r)
	l.count(&r, 1)
	if l.unique != nil {
		if key := uniqueKey(r.name); key != "" {
			l.unique[key] = r.uid
		}
	}
}

// count adds or takes away what is counted of a message.
func (l *list) count(r *record, n int) {
	if r.flags&maildir.Seen == 0 {
		l.unseen += n
	}
	if r.recent {
		l.recent += n
	}
	l.size += int64(n) * r.size
}

// change replaces a message by itself with other flags, or another file.
func (l *list) change(i int, r record) {
	l.count(&l.recs[i], -1)
	l.recs[i] = r
	l.count(&r, 1)
}

// remove takes out the messages at indexes, which ascend.
func (l *list) remove(indexes []int) {
	if len(indexes) == 0 {
		return
	}
	kept := l.recs[:indexes[0]]
	for i := indexes[0]; i < len(l.recs); i++ {
		if len(indexes) > 0 && indexes[0] == i {
			indexes = indexes[1:]
			l.count(&l.recs[i], -1)
			if l.unique != nil {
				delete(l.unique, uniqueKey(l.recs[i].name))
			}
			continue
		}
		kept = append(kept, l.recs[i])
	}
	clear(l.recs[len(kept):])
	l.recs = kept
}

// added returns the UID of the message that was added with a Unique.
func (l *list) added(unique string) (UID, bool) {
	if l.unique == nil {
		l.unique = make(map[string]UID)
		for i := range l.recs {
			if key := uniqueKey(l.recs[i].name); key != "" {
				l.unique[key] = l.recs[i].uid
			}
		}
	}
	uid, ok := l.unique[unique]
	return uid, ok
}

// uniqueMark begins the middle of a unique part that holds AddOptions.Unique.
const uniqueMark = "U"

// uniqueKey returns the AddOptions.Unique in a file name, or "".
func uniqueKey(file string) string {
	_, rest, _ := strings.Cut(file, ".")
	middle, _, ok := strings.Cut(rest, ".")
	if !ok || !strings.HasPrefix(middle, uniqueMark) || !validUnique(middle[1:]) {
		return ""
	}
	return middle[1:]
}

func validUnique(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}
