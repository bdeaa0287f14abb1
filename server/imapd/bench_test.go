package imapd

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

const benchMessages = 10_000

// corpus fills a mailbox and returns a session that has it selected.
func corpus(b *testing.B, n int) *rawConn {
	b.Helper()
	w := newWorld(b, nil)
	r := w.login("INBOX")
	if err := r.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += maxMulti {
		var all bytes.Buffer
		all.WriteString("f APPEND INBOX")
		for i := from; i < min(n, from+maxMulti); i++ {
			text := crlf(fmt.Sprintf("From: Alice %d <a%d@example.org>\nTo: bob@example.org\nSubject: message %d\nDate: Wed, 17 Jul 1996 02:23:25 -0700\nMessage-ID: <%d@example.org>\n\n%s",
				i%50, i%50, i, i, strings.Repeat("some text of no interest at all\n", 100+i%100)))
			fmt.Fprintf(&all, " (\\Seen) {%d+}\r\n%s", len(text), text)
		}
		all.WriteString("\r\n")
		if _, err := r.Write(all.Bytes()); err != nil {
			b.Fatal(err)
		}
		r.until("f OK")
	}
	return r
}

// drain sends a command and reads its answer, fast.
func (r *rawConn) drain(command string) {
	if _, err := fmt.Fprintf(r, "t %s\r\n", command); err != nil {
		r.t.Fatal(err)
	}
	for {
		line, err := r.r.ReadSlice('\n')
		if err != nil {
			r.t.Fatal(err)
		}
		if line[0] == 't' && line[1] == ' ' {
			if string(line[2:4]) != "OK" {
				r.t.Fatalf("%s: %s", command, line)
			}
			return
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	r := corpus(b, benchMessages)
	for _, command := range []string{
		"SELECT INBOX",
		"FETCH 1:* (UID FLAGS)",
		"FETCH 1:* (UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
		"FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE MESSAGE-ID)])",
		"FETCH 1:* (UID BODY.PEEK[])",
		"UID SEARCH SUBJECT 777",
		"NOOP",
	} {
		b.Run(strings.ReplaceAll(command, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.drain(command)
			}
			if strings.HasPrefix(command, "FETCH") {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchMessages, "ns/message")
			}
		})
	}
	b.Run("STORE_all", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			r.drain("STORE 1:* " + []string{"-", "+"}[i%2] + "FLAGS.SILENT (\\Seen)")
		}
	})
	b.Run("STORE_one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			r.drain(fmt.Sprintf("STORE %d %sFLAGS (\\Flagged)", i/2%benchMessages+1, []string{"+", "-"}[i%2]))
		}
	})
	b.Run("COPY_1000", func(b *testing.B) {
		for b.Loop() {
			r.drain("COPY 1:1000 Drafts")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	text := crlf(small + strings.Repeat("some text of no interest at all\n", 150))
	one := fmt.Sprintf("t APPEND INBOX {%d+}\r\n%s\r\n", len(text), text)
	b.Run("single", func(b *testing.B) {
		r := newWorld(b, nil).login("INBOX")
		for b.Loop() {
			r.Write([]byte(one))
			r.until("t OK")
		}
	})
	b.Run("pipelined", func(b *testing.B) {
		r := newWorld(b, nil).login("INBOX")
		const window = 32
		slots := make(chan struct{}, window)
		done := make(chan struct{})
		n := b.N
		go func() {
			defer close(done)
			for range n {
				r.until("t OK")
				<-slots
			}
		}()
		for range n {
			slots <- struct{}{}
			r.Write([]byte(one))
		}
		<-done
	})
	b.Run("multi100", func(b *testing.B) {
		r := newWorld(b, nil).login("INBOX")
		command := "t APPEND INBOX" + strings.Repeat(fmt.Sprintf(" {%d+}\r\n%s", len(text), text), 100) + "\r\n"
		for b.Loop() {
			r.Write([]byte(command))
			r.until("t OK")
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/message")
	})
}

// BenchmarkMatch is a pattern that is next to matching everywhere.
func BenchmarkMatch(b *testing.B) {
	name := strings.Repeat("a", 250)
	for b.Loop() {
		match("*a%"+strings.Repeat("a", 120)+"b", name)
	}
}
