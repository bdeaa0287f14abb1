package imapd

import (
	"bytes"
	"io"
)

// lineEnds writes text on with CRLF line ends: some clients append messages with
// bare LF, and all that is kept has CRLF (RFC 5322 2.3).
type lineEnds struct {
	to io.Writer
	cr bool // the last octet was CR
}

// Write is that of io.Writer.
func (l *lineEnds) Write(p []byte) (int, error) {
	from := 0 // up to there all is written
	for at := 0; ; {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		at += i
		if at == 0 && l.cr || at > 0 && p[at-1] == '\r' {
			at++
			continue
		}
		if err := l.write(p[from:at], "\r\n"); err != nil {
			return from, err
		}
		at++
		from = at
	}
	if err := l.write(p[from:], ""); err != nil {
		return from, err
	}
	if len(p) > 0 {
		l.cr = p[len(p)-1] == '\r'
	}
	return len(p), nil
}

func (l *lineEnds) write(b []byte, end string) error {
	if len(b) > 0 {
		if _, err := l.to.Write(b); err != nil {
			return err
		}
	}
	if end == "" {
		return nil
	}
	_, err := io.WriteString(l.to, end)
	return err
}
