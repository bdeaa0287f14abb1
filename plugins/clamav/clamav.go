// Package clamav lets scripts have a message looked at by clamd, over INSTREAM.
// Its manual page is README.md.
//
// Each scan is a connection of its own, within the time that the script has. The
// message is streamed: nothing is held in memory.
package clamav

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"facteur/plugins/lua"
)

// Plugin is clamav.
var Plugin = lua.Plugin{Name: "clamav", New: open}

// daemon is a clamd.
type daemon struct {
	network, address string
	most             int64         // octets that are sent, the first ones
	timeout          time.Duration // of a scan
}

// open reads [plugins.clamav].
func open(s *lua.Settings) lua.Module {
	d := daemon{
		network: "tcp", address: s.Text("address", "127.0.0.1:3310"),
		most: s.Size("max_size", 25_000_000), timeout: s.Duration("timeout", 8*time.Second),
	}
	if path, ok := strings.CutPrefix(d.address, "unix:"); ok {
		d.network, d.address = "unix", path
	} else if _, _, err := net.SplitHostPort(d.address); err != nil {
		s.Fail("address", `write "127.0.0.1:3310", or "unix:/run/clamav/clamd.ctl"`)
	}
	return lua.Module{
		Name:      "clamav",
		Functions: map[string]lua.Func{"scan": d.scanFunction},
		Virus:     d.scanCall,
	}
}

// scanFunction is clamav.scan().
func (d daemon) scanFunction(a *lua.Args) (any, error) { return d.scanCall(a) }

// scanCall scans the message of a call.
func (d daemon) scanCall(a *lua.Args) (string, error) {
	content, err := a.Content()
	if err != nil {
		return "", err
	}
	if err := a.Outside(); err != nil {
		return "", err
	}
	return d.scan(a.Context(), content.Raw())
}

// chunk is how much goes in one piece.
const chunk = 64 << 10

// scan returns the name of what clamd found in r, "" when it is clean.
func (d daemon) scan(ctx context.Context, r io.Reader) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, d.network, d.address)
	if err != nil {
		return "", fmt.Errorf("clamd: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := d.send(conn, r); err != nil {
		// What it does not want it says before it hangs up: too large.
		if answer, rerr := read(conn); rerr == nil {
			return verdict(answer)
		}
		return "", fmt.Errorf("clamd: %w", err)
	}
	answer, err := read(conn)
	if err != nil {
		return "", fmt.Errorf("clamd: %w", err)
	}
	return verdict(answer)
}

// send writes the message as INSTREAM wants it: pieces, each after its length in four
// octets, and an empty one.
func (d daemon) send(w io.Writer, r io.Reader) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+chunk)
	left := d.most
	for left > 0 {
		n, err := r.Read(buf[4:min(int64(len(buf)), 4+left)])
		left -= int64(n)
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if _, err := w.Write(buf[:4+n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	_, err := w.Write(make([]byte, 4))
	return err
}

// read reads the answer, which ends with a NUL.
func read(r io.Reader) (string, error) {
	answer, err := io.ReadAll(io.LimitReader(r, 4096))
	text, _, ended := strings.Cut(string(answer), "\x00")
	if !ended {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return text, nil
}

// verdict reads "stream: OK", "stream: NAME FOUND" or "... ERROR".
func verdict(answer string) (string, error) {
	text := strings.TrimPrefix(answer, "stream: ")
	if text == "OK" {
		return "", nil
	}
	if name, ok := strings.CutSuffix(text, " FOUND"); ok {
		return name, nil
	}
	return "", fmt.Errorf("clamd says %q", answer)
}
