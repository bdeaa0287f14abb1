package e2e

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"facteur/plugins/lua"
	"facteur/server/address"
	"facteur/server/auth"
	"facteur/server/collection"
	"facteur/server/deliver"
	"facteur/server/directory"
	"facteur/server/envelope"
	"facteur/server/homes"
	"facteur/server/hook"
	"facteur/server/intake"
	"facteur/server/kv"
	"facteur/server/mailbox"
	"facteur/server/people"
	"facteur/server/safefile"
	"facteur/server/statedb"
)

// BenchmarkScripts tells how much more CPU time a delivery takes through three scripts
// than without any, from the first command to the message in the mailbox, but for syncs
// and the network: those of BenchmarkFilters ("rules"), three that ship ("shipped"), and these
// where the mailbox has 1,000 contacts, none of them the sender ("contacts").
// The time is that of the process on all processors, garbage collection included. The
// rounds alternate, and the median of the differences within a round is told, so that what
// else runs on the machine does little harm.
//
//	go test ./server/e2e -run '^$' -bench Scripts -benchtime 20x
func BenchmarkScripts(b *testing.B) {
	const messages = 200
	none := newOffice(b, nil, 0)
	rules := newOffice(b, []source{{"junk.lua", luaJunk}, {"lists.lua", luaLists}, {"plus.lua", luaPlus}}, 0)
	ship, known := newOffice(b, shipped(b), 0), newOffice(b, shipped(b), 1000)
	for _, o := range []*office{none, rules, ship, known} {
		o.round(b, messages) // makes folders, and fills caches
	}
	var base, moreRules, moreShipped, moreContacts []float64
	for b.Loop() {
		without := none.round(b, messages)
		base = append(base, without)
		moreRules = append(moreRules, rules.round(b, messages)-without)
		moreShipped = append(moreShipped, ship.round(b, messages)-without)
		moreContacts = append(moreContacts, known.round(b, messages)-without)
	}
	b.ReportMetric(median(base), "none-us")
	b.ReportMetric(median(moreRules), "rules-extra-us")
	b.ReportMetric(median(moreShipped), "shipped-extra-us")
	b.ReportMetric(median(moreContacts), "contacts-extra-us")
}

// office takes mail in and delivers it, with scripts of the server.
type office struct {
	in   *intake.Intake
	body envelope.Bytes
}

var officeBox = address.MustParse("user0@example.org")

func newOffice(b *testing.B, scripts []source, contacts int) *office {
	log := slog.New(slog.DiscardHandler)
	db, err := statedb.Open(filepath.Join(b.TempDir(), "state.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	memory, err := kv.Open(b.Context(), kv.Options{State: db})
	if err != nil {
		b.Fatal(err)
	}
	who, err := people.Open(db, nil)
	if err != nil {
		b.Fatal(err)
	}
	store, err := mailbox.Open(mailbox.Options{Dir: b.TempDir(), Tmp: b.TempDir(), FS: safefile.Unsynced{FS: safefile.OS}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		store.Close()
		memory.Close()
		db.Close()
	})
	d := directory.New(directory.Options{
		Domains: []directory.Domain{{Name: "example.org", Separator: "+"}}, Accounts: []directory.Account{{Address: officeBox}},
	})
	hooks, services := compiled(b, scripts), hook.Services{KV: memory}
	return &office{
		in: intake.New(intake.Options{
			Deliver: deliver.New(deliver.Options{Store: store, People: who, Log: log, Contacts: addressBook(b, d, contacts)}, deliver.Settings{
				Directory: d, Services: services, Hooks: func(address.Address) []hook.Hook { return hooks },
			}),
			Store: store, Log: log, People: who,
		}, intake.Settings{
			Directory: d, Services: services, ServerHooks: hooks, BoxHooks: func(address.Address) []hook.Hook { return nil },
		}),
		body: envelope.Bytes(strings.ReplaceAll(officeMail, "\n", "\r\n") + strings.Repeat("All work and no play makes mail a dull thing.\r\n", 40)),
	}
}

// addressBook is deliver.Options.Contacts of people who have so many.
func addressBook(b *testing.B, d *directory.Directory, contacts int) func(box, who address.Address) (string, bool, error) {
	store, err := collection.Open(collection.Options{
		Dir: b.TempDir(), Tmp: b.TempDir(), FS: safefile.Unsynced{FS: safefile.OS}, Index: homes.Index, Defaults: homes.Defaults(),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	all := homes.New(homes.Options{Store: store, Directory: func() *directory.Directory { return d }})
	if contacts == 0 {
		return all.Contact
	}
	home, err := store.Home(officeBox)
	if err != nil {
		b.Fatal(err)
	}
	book, err := home.Open("contacts")
	if err != nil {
		b.Fatal(err)
	}
	for i := range contacts {
		card := fmt.Appendf(nil, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%d\r\nFN:Person %d\r\nTEL:+32 2 555 %d\r\nEMAIL:person%d@example.com\r\nEND:VCARD\r\n", i, i, i, i)
		if _, _, err := book.Put(fmt.Sprint(i, ".vcf"), card, collection.Condition{}); err != nil {
			b.Fatal(err)
		}
	}
	return all.Contact
}

func compiled(b *testing.B, scripts []source) (hooks []hook.Hook) {
	host := lua.New(lua.Options{Limits: lua.Limits{Hourly: time.Hour}})
	for _, s := range scripts {
		p, err := host.Compile(s.name, []byte(s.text))
		if err != nil {
			b.Fatal(err)
		}
		hooks = append(hooks, hook.Hook{Program: p})
	}
	return hooks
}

// round delivers messages, and returns the CPU time for each, in microseconds.
func (o *office) round(b *testing.B, messages int) float64 {
	before := usage(b)
	for range messages {
		tx := o.in.Begin(envelope.Session{ID: "x", Listener: "lmtp", Helo: "mail.example.net"}, auth.Credential{})
		if err := tx.Mail(b.Context(), envelope.Sender{ReversePath: address.MustParse("ann@example.net")}); err != nil {
			b.Fatal(err)
		}
		if err := tx.Rcpt(b.Context(), envelope.Recipient{ForwardPath: officeBox}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Data(b.Context(), o.body); err != nil {
			b.Fatal(err)
		}
	}
	return float64((usage(b) - before).Microseconds()) / float64(messages)
}

const officeMail = `From: Ann <ann@example.net>
To: user0@example.org
Date: Sun, 22 Nov 2026 08:00:00 +0000
Message-ID: <1@example.net>
Subject: Lunch

`

// source is a script.
type source struct{ name, text string }

// shipped are three of the scripts that come with facteur.
func shipped(b *testing.B) (list []source) {
	for _, name := range []string{"spam", "newcomers", "sort"} {
		text, err := os.ReadFile("../../scripts/" + name + ".lua")
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, source{"scripts/" + name + ".lua", string(text)})
	}
	return list
}

// usage is the CPU time of this process.
func usage(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Skip(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
