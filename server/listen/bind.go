package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bind opens the socket of w. leaving are those of ours that are to be closed.
func bind(w Wanted, leaving []*socket) (net.Listener, error) {
	var ln net.Listener
	var err error
	if path, ok := strings.CutPrefix(w.Address, "unix:"); ok {
		ln, err = bindUnix(path)
	} else {
		ln, err = bindTCP(w.Address, leaving)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: cannot listen on %s: %w", w.Service, w.Address, explain(err))
	}
	return ln, nil
}

// explain says what to do about the usual errors.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errors.New("another program listens there already")
	case errors.Is(err, syscall.EACCES):
		return errors.New("permission denied (ports below 1024 need the capability CAP_NET_BIND_SERVICE)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return errors.New("this machine does not have that address")
	}
	return err
}

// bindTCP also binds an address that overlaps with one of leaving, such as
// ":25" after "127.0.0.1:25". SO_REUSEPORT is set for that case alone:
// otherwise two servers could share a port without knowing.
func bindTCP(address string, leaving []*socket) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if !errors.Is(err, syscall.EADDRINUSE) || !shareWith(leaving, address) {
		return ln, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return reusePort(c) }}
	return lc.Listen(context.Background(), "tcp", address)
}

// shareWith lets address be bound beside those of the sockets that have its
// port. It tells whether there are any.
func shareWith(sockets []*socket, address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	shared := false
	for _, k := range sockets {
		ln, ok := k.ln.(*net.TCPListener)
		if !ok {
			continue
		}
		if _, p, _ := net.SplitHostPort(ln.Addr().String()); p != port {
			continue
		}
		if raw, err := ln.SyscallConn(); err == nil && reusePort(raw) == nil {
			shared = true
		}
	}
	return shared
}

func reusePort(c syscall.RawConn) error {
	var set error
	if err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return set
}

const (
	maxSocketPath = 107 // unix(7), without the NUL
	socketMode    = 0o660
	newSuffix     = ".new"
)

func bindUnix(path string) (net.Listener, error) {
	if len(path)+len(newSuffix) > maxSocketPath {
		return nil, fmt.Errorf("the path is longer than %d octets", maxSocketPath-len(newSuffix))
	}
	if err := vacant(path); err != nil {
		return nil, err
	}
	tmp := path + newSuffix
	if err := vacant(tmp); err != nil {
		return nil, err
	}
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	u := &unixListener{UnixListener: ln, path: path}
	err = os.Chmod(tmp, socketMode)
	if err == nil {
		u.file, err = os.Lstat(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close(), os.Remove(tmp))
	}
	return u, nil
}

// vacant tells whether a socket may be made at path: nothing is there, or a
// socket where nobody listens.
func vacant(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file of that name, and it is not a socket: remove it or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("a socket is there already: %w", err)
	}
	conn.Close()
	return syscall.EADDRINUSE
}

// unixListener has a socket file that was renamed after binding.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// Addr returns the path of the socket file.
func (u *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: u.path, Net: "unix"} }

// Close closes the socket and removes its file, unless another took its place.
func (u *unixListener) Close() error {
	if info, err := os.Lstat(u.path); err == nil && os.SameFile(info, u.file) {
		os.Remove(u.path)
	}
	return u.UnixListener.Close()
}
