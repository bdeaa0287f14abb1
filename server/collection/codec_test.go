package collection

import (
	"reflect"
	"testing"
	"time"
)

func sampleLog() []byte {
	var b []byte
	var crc uint32
	b, crc = appendFrame(b, appendHeader(nil, header{epoch: "0123456789abcdef", identity: "1 2.3", version: 7, seq: 4}), crc)
	for _, r := range samples() {
		b, crc = appendFrame(b, appendRecord(nil, r), crc)
	}
	b, crc = appendFrame(b, openFrame("boot"), crc)
	b, _ = appendFrame(b, []byte{kindClean}, crc)
	return b
}

func samples() []*record {
	first := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newRecord("a", "a%.ics", ".ics", `"x"`, stat{5, -7, 9})
	a.Facts = Facts{UID: "u", Kind: "VEVENT", First: first, Last: first.Add(time.Hour), Props: []string{"", "p=1"}}
	b := newRecord("x%41.ics", "x%41.ics", ".ics", `"y"`, stat{0, 1 << 60, 1 << 63})
	b.Facts = Facts{Infinite: true}
	b.Broken = true
	c := gone("a")
	for i, r := range []*record{a, b, c} {
		r.seq = uint64(i + 1)
		r.setSpan()
	}
	return []*record{a, b, c}
}

func TestCodec(t *testing.T) {
	for _, r := range samples() {
		got, ok := parseRecord(appendRecord(nil, r))
		if !ok || !reflect.DeepEqual(got, r) && !r.gone || got.Href != r.Href || got.seq != r.seq || got.gone != r.gone {
			t.Errorf("%+v\nis read as %+v", r, got)
		}
	}
	l, ok := readLog(sampleLog())
	if !ok || !l.clean || l.boot != "boot" || l.header.version != 7 || l.table.snap.seq != 4 || l.table.snap.count != 1 || l.table.gone != 1 || l.table.ended != 1 {
		t.Errorf("%v %+v %+v", ok, l, l.table)
	}
	// Any octet that is lost or changed is noticed.
	for i := range sampleLog() {
		b := sampleLog()
		b[i] ^= 0x10
		if l, ok := readLog(b); ok && l.clean {
			t.Errorf("octet %d was changed", i)
		}
		if l, ok := readLog(sampleLog()[:i]); ok && l.clean {
			t.Errorf("it was cut at %d", i)
		}
	}
}

// FuzzLog: nothing makes readLog fail in another way than saying so.
func FuzzLog(f *testing.F) {
	f.Add(sampleLog(), false)
	for _, r := range samples() {
		f.Add(appendRecord(nil, r), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, payload bool) {
		if payload { // past the check of the CRC
			var log []byte
			var crc uint32
			log, crc = appendFrame(log, appendHeader(nil, header{epoch: "e"}), crc)
			if len(b) == 0 {
				return
			}
			log, _ = appendFrame(log, b, crc)
			b = log
		}
		l, ok := readLog(b)
		if !ok {
			return
		}
		n := 0
		for e := range l.table.snapshot().All() {
			if l.table.find(e.Href) == nil {
				t.Errorf("%q is not found", e.Href)
			}
			n++
		}
		if n != l.table.snap.count {
			t.Errorf("%d objects, counted %d", n, l.table.snap.count)
		}
		if _, err := l.table.snapshot().Changes(l.table.snap.token(l.table.snap.seq), 0); err != nil {
			t.Error(err)
		}
	})
}
