package homes

import (
	"fmt"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/collection"
	"facteur/server/directory"
	"facteur/server/safefile"
)

// addCard puts a card into an address book.
func (w *world) addCard(owner, book, uid string, lines ...string) {
	w.t.Helper()
	home, err := w.Own(address.MustParse(owner))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := home.Open(book)
	if err != nil {
		w.t.Fatal(err)
	}
	data := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
	if _, _, err := c.Put(uid+".vcf", []byte(data), collection.Condition{}); err != nil {
		w.t.Fatal(err)
	}
}

// Who stands in an address book of a mailbox, or in one that is shared with it, is found.
func TestContact(t *testing.T) {
	w := newWorld(t)
	w.addCard("alice@example.org", "contacts", "1", "FN:Zoé  Martin", "EMAIL:zoe@example.com", "EMAIL;TYPE=WORK: Z.Martin@Shop.Example ")
	w.addCard("alice@example.org", "contacts", "2", "FN:", "EMAIL:nameless@example.com")
	w.addCard("alice@example.org", "contacts", "3", "FN:Jo", "EMAIL:jo@münchen.example")
	w.addCard("alice@example.org", "contacts", "4", "FN:Many", "ORG:"+strings.Repeat("x", 300), "NICKNAME:"+strings.Repeat("y", 3000), "EMAIL:many@example.com")
	w.addCard("alice@example.org", "contacts", "5", "FN:Long", "EMAIL:"+strings.Repeat("l", 60)+"@"+strings.Repeat("a.", 110)+"example")
	w.addCard("alice@example.org", "contacts", "6", "FN:No address", "NOTE:none@example.com")
	w.addCard("office@example.org", "contacts", "7", "FN:The printer", "EMAIL:printer@example.com")
	for _, c := range []struct{ box, who, name string }{
		{"alice@example.org", "zoe@example.com", "Zoé Martin"},
		{"alice@example.org", "ZOE@EXAMPLE.COM", "Zoé Martin"},
		{"alice@example.org", "z.martin@shop.example", "Zoé Martin"},
		{"alice@example.org", "nameless@example.com", "nameless@example.com"},
		{"alice@example.org", "jo@xn--mnchen-3ya.example", "Jo"},
		{"alice@example.org", "many@example.com", "Many"},
		{"alice@example.org", "oe@example.com", ""},
		{"alice@example.org", "none@example.com", ""},
		{"alice@example.org", "bob@example.org", ""}, // stands in what is made of mail.toml
		{"office@example.org", "zoe@example.com", ""},
		{"office@example.org", "printer@example.com", "The printer"},
		{"bob@example.org", "printer@example.com", "The printer"}, // a member
		{"carol@example.org", "printer@example.com", "The printer"},
		{"dave@example.net", "printer@example.com", ""},
		{"nobody@example.org", "printer@example.com", ""},
	} {
		name, ok, err := w.Contact(address.MustParse(c.box), address.MustParse(c.who))
		if name != c.name || ok != (c.name != "") || err != nil {
			t.Errorf("%s of %s: %q, %v, %v", c.who, c.box, name, ok, err)
		}
	}
	for _, box := range []string{"dave@example.net", "bob@example.org"} {
		if w.opt.Store.Has(address.MustParse(box)) {
			t.Errorf("to look somebody up made the home of %s", box)
		}
	}

	home, err := w.Own(address.MustParse("alice@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	book, err := home.Open("contacts")
	if err != nil {
		t.Fatal(err)
	}
	zoe := address.MustParse("zoe@example.com")
	dave := address.MustParse("dave@example.net")
	if err := book.Share(dave, false); err != nil {
		t.Fatal(err)
	}
	if name, ok, err := w.Contact(dave, zoe); name != "Zoé Martin" || !ok || err != nil {
		t.Errorf("of a book that is shared: %q %v %v", name, ok, err)
	}
	if err := book.Unshare(dave); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := w.Contact(dave, zoe); ok || err != nil {
		t.Errorf("of a book that is not shared any more: %v %v", ok, err)
	}
	if err := book.Remove("1.vcf", collection.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := w.Contact(address.MustParse("alice@example.org"), zoe); ok || err != nil {
		t.Errorf("of a card that is gone: %v %v", ok, err)
	}
}

// BenchmarkContact looks for somebody who stands in no address book.
func BenchmarkContact(b *testing.B) {
	alice := address.MustParse(alice)
	for _, n := range []int{0, 200, 2000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store, err := collection.Open(collection.Options{Dir: b.TempDir(), Tmp: b.TempDir(), Index: Index, Defaults: Defaults(), FS: safefile.Unsynced{FS: safefile.OS}})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			dir := directory.New(directory.Options{
				Domains: []directory.Domain{{Key: "example.org", Name: "example.org"}}, Accounts: []directory.Account{{Key: "alice@example.org", Address: alice}},
			})
			w := New(Options{Store: store, Directory: func() *directory.Directory { return dir }})
			home, err := store.Home(alice)
			if err != nil {
				b.Fatal(err)
			}
			c, err := home.Open("contacts")
			if err != nil {
				b.Fatal(err)
			}
			for i := range n {
				data := fmt.Appendf(nil, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%d\r\nFN:Person %d\r\nN:%d;Person;;;\r\nTEL:+32 2 555 %d\r\nEMAIL:person%d@example.com\r\nEND:VCARD\r\n", i, i, i, i, i)
				if _, _, err := c.Put(fmt.Sprint(i, ".vcf"), data, collection.Condition{}); err != nil {
					b.Fatal(err)
				}
			}
			stranger := address.MustParse("stranger@example.net")
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := w.Contact(alice, stranger); ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
