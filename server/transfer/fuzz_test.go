package transfer

import (
	"bytes"
	"testing"
)

// again checks that objects read once more are the same, and nothing is wrong with them.
func again(t *testing.T, objects []Object, read func([]byte) ([]Object, []Problem)) {
	for _, o := range objects {
		checkObject(t, o)
		same, problems := read(o.Data)
		if len(same) != 1 || len(problems) > 0 || same[0].UID != o.UID || same[0].Kind != o.Kind || !bytes.Equal(same[0].Data, o.Data) {
			t.Fatalf("read again it is not the same: %s\n%q\n%v", shown(same, problems), o.Data, same)
		}
	}
}

func calendarOnly(text []byte) ([]Object, []Problem) {
	objects, _, problems := Calendar(text)
	return objects, problems
}

func FuzzCalendar(f *testing.F) {
	f.Add([]byte(calendarOf(zone, event("UID:a", "DTSTART;TZID=Paris:20260101T100000"), event("DTSTART:20260101"))))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, problems := calendarOnly(text)
		if len(objects)+len(problems) == 0 && bytes.Contains(text, []byte("BEGIN:VEVENT\r\n")) {
			t.Fatal("an event is lost silently")
		}
		again(t, objects, calendarOnly)
	})
}

func FuzzCards(f *testing.F) {
	f.Add([]byte("BEGIN:VCARD\nVERSION:2.1\nN;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FC;J\nPHOTO;BASE64:AA==\n\nAGENT:\nBEGIN:VCARD\nEND:VCARD\nEND:VCARD\n"))
	f.Add([]byte("BEGIN:VCARD\nVERSION:4.0\nUID:a\nFN:A\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nTEL;HOME:1\nEND:VCARD\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, problems := Cards(text)
		if len(objects)+len(problems) == 0 && len(bytes.TrimSpace(text)) > 0 && text[0] > ' ' && text[0] < 0x7f {
			t.Fatal("a text is lost silently")
		}
		again(t, objects, Cards)
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("First Name,Last Name,E-mail 1 - Value,Birthday,x\nA,B,a@b ::: c@d,1970-01-02,y\n"))
	f.Add([]byte("Titre;Prénom;Titre;Rue (bureau);Ville\nM;\"A\nB\";C;D;E\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, _ := CSV(text)
		again(t, objects, Cards)
	})
}
