package server

import (
	"cmp"
	"fmt"
	"time"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/homes"
)

// The bounds of notices of what is shared in a day: those that an account gets, and those that one
// account has sent, which count towards no limit of what it sends.
const (
	maxSharedNotices = 20
	maxSharedBy      = 200
)

// tellShared tells an account by mail what is shared with it from now on
// (homes.Options.Shared). What mail.toml shares is told by who writes it.
func (s *Server) tellShared(sh homes.Sharing) {
	live := s.live.Load()
	account, ok := live.directory.Account(sh.With)
	if !ok || account.Disabled || account.Room {
		return
	}
	now := time.Now()
	if !s.sharedBy.take(sh.By, maxSharedBy, now) || !s.sharedToday.take(sh.With, maxSharedNotices, now) {
		s.log.Warn("server.notice", "to", sh.With.String(), "from", sh.By.String(), "error", "too much is shared today to tell of each")
		return
	}
	by := sh.By.String()
	if a, ok := live.directory.Account(sh.By); ok && a.Name != "" {
		by = a.Name
	}
	subject, text := sharedText(sh, harmless(by), live.Language)
	s.noticeLater(notice{to: []address.Address{sh.With}, subject: subject, text: text})
}

// sharedWords are the texts of that notice in one language. The calendar and the address
// book are by collection.Kind.
type sharedWords struct {
	subject     map[collection.Kind]string // by whom, its name
	begin       map[collection.Kind]string // by whom, the address, its name
	read, write string
	rest        string // the name under which it is seen, by whom
}

var sharedTexts = map[string]sharedWords{
	"en": {
		subject: map[collection.Kind]string{
			collection.Calendar: `%s shares the calendar "%s" with you`, collection.AddressBook: `%s shares the address book "%s" with you`,
		},
		begin: map[collection.Kind]string{
			collection.Calendar:    "%s (%s) shares the calendar \"%s\" with you.\n",
			collection.AddressBook: "%s (%s) shares the address book \"%s\" with you.\n",
		},
		read:  "You can read it, and not change it.\n",
		write: "You can read and change what is in it.\n",
		rest: `
There is nothing to accept: in the programs that are set up for this account
it stands as

  %s

If it does not appear by itself, have the program look for calendars and
address books again. If you don't want it, delete it there: %s
keeps it.
`,
	},
	"fr": {
		subject: map[collection.Kind]string{
			collection.Calendar: "%s partage l’agenda « %s » avec vous", collection.AddressBook: "%s partage le carnet d’adresses « %s » avec vous",
		},
		begin: map[collection.Kind]string{
			collection.Calendar:    "%s (%s) partage l’agenda « %s » avec vous.\n",
			collection.AddressBook: "%s (%s) partage le carnet d’adresses « %s » avec vous.\n",
		},
		read:  "Vous pouvez le lire, sans le modifier.\n",
		write: "Vous pouvez le lire et en modifier le contenu.\n",
		rest: `
Il n’y a rien à accepter : dans les programmes configurés pour ce compte, il
figure sous le nom

  %s

S’il n’apparaît pas de lui-même, demandez au programme de chercher de nouveau
les agendas et les carnets. Si vous n’en voulez pas, supprimez-le dans votre
programme : %s le garde.
`,
	},
}

func sharedText(sh homes.Sharing, by, language string) (subject, text string) {
	t := sharedTexts[language]
	name := harmless(sh.Name)
	rights := t.read
	if sh.Write {
		rights = t.write
	}
	return fmt.Sprintf(t.subject[sh.Kind], by, name),
		fmt.Sprintf(t.begin[sh.Kind], by, sh.By, name) + rights + fmt.Sprintf(t.rest, harmless(cmp.Or(sh.Seen, sh.Name)), by)
}
