package imapd

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// heapOf is the live heap and the stacks, in octets.
func heapOf() (heap, stack int64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// lines reads n lines without a buffer that would count.
func lines(t *testing.T, c net.Conn, prefix string) {
	t.Helper()
	line := make([]byte, 0, 1024)
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatalf("%v after %q", err, line)
		}
		if line = append(line, one[0]); one[0] != '\n' {
			continue
		}
		if strings.HasPrefix(string(line), prefix) {
			return
		}
		line = line[:0]
	}
}

// The budget of a session in IDLE with a mailbox selected, in octets of live
// heap and of stacks. The kernel has its own for the socket.
const (
	plainHeap, plainStack = 10 << 10, 12 << 10
	tlsHeap, tlsStack     = 16 << 10, 12 << 10
)

// TestMemory measures idle sessions after commands that need buffers, with what
// the test's own end of the connections has taken out: those are pipes of the
// kernel without any object but the connection.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("500 connections")
	}
	const sessions = 500
	serverTLS, clientTLS := selfSigned(t)
	for _, service := range []string{"imap", "imaps"} {
		w := newWorld(t, func(o *Options) { o.TLS = serverTLS })
		w.add(w.box("INBOX"), "Subject: x\n\nx\n")
		addr := w.addr
		if service == "imaps" {
			addr = w.serve(service)
		}
		w.login("INBOX").do("LOGOUT", "OK") // what comes once is here
		w.settled(0)
		// The client's side is measured with a server that costs nothing.
		heap, stack := heapOf()
		conns := make([]net.Conn, sessions)
		clientHeap := int64(0)
		for i := range conns {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if service == "imaps" {
				c = tls.Client(c, clientTLS)
			}
			conns[i] = c
			lines(t, c, "* OK")
			io.WriteString(c, "a LOGIN alice@example.org demo\r\n")
			lines(t, c, "a OK")
			io.WriteString(c, "b SELECT INBOX\r\n")
			lines(t, c, "b OK")
			io.WriteString(c, "c LIST \"\" *\r\n")
			lines(t, c, "c OK")
			io.WriteString(c, "d IDLE\r\n")
			lines(t, c, "+ idling")
		}
		nowHeap, nowStack := heapOf()
		if service == "imaps" {
			clientHeap = clientSide(t, serverTLS, clientTLS)
		}
		perHeap, perStack := (nowHeap-heap)/sessions-clientHeap, (nowStack-stack)/sessions
		t.Logf("%s: %d octets of heap and %d of stack a session", service, perHeap, perStack)
		mostHeap, mostStack := int64(plainHeap), int64(plainStack)
		if service == "imaps" {
			mostHeap, mostStack = tlsHeap, tlsStack
		}
		if perHeap > mostHeap || perStack > mostStack {
			t.Errorf("%s: more than %d and %d", service, mostHeap, mostStack)
		}
		for _, c := range conns {
			io.WriteString(c, "DONE\r\n")
			lines(t, c, "d OK")
		}
	}
}

// clientSide is what a TLS client keeps of its connection.
func clientSide(t *testing.T, serverTLS, clientTLS *tls.Config) int64 {
	t.Helper()
	const n = 50
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s := tls.Server(c, serverTLS)
			if s.Handshake() == nil {
				io.WriteString(s, "x\r\n")
				bufio.NewReader(s).ReadByte()
			}
			s.Close()
		}
	}()
	conns := make([]net.Conn, n)
	before, _ := heapOf()
	for i := range conns {
		c, err := tls.Dial("tcp", ln.Addr().String(), clientTLS)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		lines(t, c, "x")
		io.WriteString(c, "y") // the server's end goes
		c.NetConn().(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	}
	after, _ := heapOf()
	runtime.KeepAlive(conns)
	for _, c := range conns {
		c.Close()
	}
	return (after - before) / n
}
