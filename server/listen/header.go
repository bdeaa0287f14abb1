package listen

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// The header of the PROXY protocol (HAProxy's proxy-protocol.txt): version 1 is a line of text,
// version 2 is binary.
const (
	textSignature   = "PROXY "
	binarySignature = "\r\n\r\n\x00\r\nQUIT\n"
	maxText         = 107 // octets of a line of version 1, CRLF included (2.1)
)

var errHeader = errors.New("this is not a header of the PROXY protocol")

// introduces tells whether what comes begins with a header of either version. It waits for no more
// octets than it takes to know.
func introduces(r *bufio.Reader) (bool, error) {
	for n := 1; ; n++ {
		b, err := r.Peek(n)
		switch {
		case err != nil:
			return false, err
		case string(b) == textSignature || string(b) == binarySignature:
			return true, nil
		case !strings.HasPrefix(textSignature, string(b)) && !strings.HasPrefix(binarySignature, string(b)):
			return false, nil
		}
	}
}

// readHeader reads a header of either version, and nothing after it. It returns the address of the
// client, invalid when the proxy speaks for itself or does not know it.
func readHeader(r *bufio.Reader) (netip.AddrPort, error) {
	switch ok, err := introduces(r); {
	case err != nil:
		return netip.AddrPort{}, err
	case !ok:
		return netip.AddrPort{}, errHeader
	}
	if b, _ := r.Peek(1); b[0] == textSignature[0] {
		return readText(r)
	}
	return readBinary(r)
}

// readText reads a header of version 1 (2.1).
func readText(r *bufio.Reader) (none netip.AddrPort, _ error) {
	line := make([]byte, 0, maxText)
	for len(line) < 2 || string(line[len(line)-2:]) != "\r\n" {
		c, err := r.ReadByte()
		if err != nil {
			return none, err
		}
		if len(line) == maxText {
			return none, errHeader
		}
		line = append(line, c)
	}
	fields := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	if fields[1] == "UNKNOWN" { // what follows it means nothing
		return none, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return none, errHeader
	}
	four := fields[1] == "TCP4"
	source, ok := textEnd(fields[2], fields[4], four)
	if _, known := textEnd(fields[3], fields[5], four); !ok || !known {
		return none, errHeader
	}
	return source, nil
}

// textEnd reads an address and a port of version 1.
func textEnd(address, port string, four bool) (end netip.AddrPort, ok bool) {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return end, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return end, false
	}
	return netip.AddrPortFrom(ip, uint16(n)), true
}

// The commands of version 2, and the families of addresses with those of their transports that are
// streams (2.2). The others are of no listener here.
const (
	version2   = 0x20
	local      = version2
	proxy      = version2 | 1
	unspec     = 0x00
	tcp4       = 0x11
	tcp6       = 0x21
	unixStream = 0x31
)

// readBinary reads a header of version 2 (2.2). What follows the addresses (TLVs, 2.2.1 on) is skipped.
func readBinary(r *bufio.Reader) (none netip.AddrPort, _ error) {
	var fixed [len(binarySignature) + 4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return none, err
	}
	command, family := fixed[12], fixed[13]
	left := int(binary.BigEndian.Uint16(fixed[14:]))
	var source netip.AddrPort
	switch {
	case command == local: // the family means nothing
	case command != proxy:
		return none, errHeader
	case family == unspec || family == unixStream: // of an address on the proxy's machine, or of none
	case family == tcp4 || family == tcp6:
		size := map[byte]int{tcp4: 4, tcp6: 16}[family]
		ends := make([]byte, 2*size+4) // two addresses, two ports
		if left < len(ends) {
			return none, errHeader
		}
		if _, err := io.ReadFull(r, ends); err != nil {
			return none, err
		}
		left -= len(ends)
		ip, _ := netip.AddrFromSlice(ends[:size])
		source = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(ends[2*size:]))
	default:
		return none, errHeader
	}
	_, err := r.Discard(left)
	return source, err
}
