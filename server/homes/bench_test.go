package homes

import (
	"fmt"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/directory"
)

// BenchmarkCollections lists a home with the mounts of a shared mailbox, a book and birthdays,
// when nothing has changed since.
func BenchmarkCollections(b *testing.B) {
	w := newWorld(b)
	w.put(w.collection(alice, alice, "contacts"), "1.vcf", person("1", "Zoé", "BDAY:1980-05-10"))
	w.segments(alice, alice)
	for b.Loop() {
		w.segments(alice, alice)
	}
}

// BenchmarkBirthdayChanges changes one of 2,000 contacts with birthdays, and looks.
func BenchmarkBirthdayChanges(b *testing.B) {
	w := newWorld(b)
	contacts := w.collection(alice, alice, "contacts")
	for i := range 2000 {
		w.put(contacts, fmt.Sprint(i, ".vcf"), person(fmt.Sprint(i), "P", fmt.Sprintf("BDAY:%d-05-10", 1900+i%100)))
	}
	w.collection(alice, alice, birthdaysSegment)
	i := 0
	for b.Loop() {
		i++
		w.put(contacts, "7.vcf", person("7", "P", fmt.Sprintf("BDAY:%d-05-10", 1900+i%100)))
		w.collection(alice, alice, birthdaysSegment)
	}
}

// BenchmarkBookReload looks at the book of a domain with 2,000 people after a reload that
// changed one.
func BenchmarkBookReload(b *testing.B) {
	w := newWorld(b)
	w.reload(func(o *directory.Options) {
		for i := range 2000 {
			s := fmt.Sprintf("p%d@example.org", i)
			o.Accounts = append(o.Accounts, directory.Account{Key: s, Address: address.MustParse(s)})
		}
	})
	begun := time.Now()
	w.collection(alice, alice, bookSegment)
	first := time.Since(begun)
	i := 0
	for b.Loop() {
		i++
		w.reload(func(o *directory.Options) { o.Accounts[9].Name = fmt.Sprint(i) })
		w.collection(alice, alice, bookSegment)
	}
	b.ReportMetric(first.Seconds(), "s/first") // all cards
}
