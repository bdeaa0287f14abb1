package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"facteur/server/dns"
)

// TestUnreachable: why a connection could not be made is said in plain words.
func TestUnreachable(t *testing.T) {
	resolver, err := dns.New(dns.Options{Servers: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{os.NewSyscallError("connect", syscall.ECONNREFUSED), "[192.0.2.1]: nothing listens there"},
		{os.NewSyscallError("connect", syscall.ENETUNREACH), "[192.0.2.1]: there is no way to it"},
		{os.NewSyscallError("connect", syscall.EHOSTUNREACH), "[192.0.2.1]: there is no way to it"},
		{context.DeadlineExceeded, "[192.0.2.1]: it did not answer in time"},
		{errors.New("something else"), "[192.0.2.1]"},
	} {
		r := New(Options{Resolver: resolver, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: c.err}
		}}, Settings{Hostname: "mail.test"})
		got := r.Attempt(t.Context(), mail("[192.0.2.1]", "a"))[0].Fault
		if got.Code != 451 || !strings.HasSuffix(got.Text, c.want) {
			t.Errorf("%v: %v, want %q", c.err, got, c.want)
		}
		r.Close()
	}
}
