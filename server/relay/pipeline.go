package relay

import "strings"

// maxAhead bounds the commands that are sent before their replies are read, so that
// neither side's replies and commands ever fill all buffers in between (RFC 2920
// 3.1).
const maxAhead = 100

// dialog sends commands and reads their replies: in groups where the server takes
// them so (RFC 2920), one by one elsewhere.
type dialog struct {
	c     *client
	lines []string // not sent yet
	ahead []string // sent, not answered
}

// next returns the reply to the next command.
func (d *dialog) next() (reply, error) {
	if len(d.ahead) == 0 {
		n := 1
		if d.c.offers("PIPELINING") {
			n = min(len(d.lines), maxAhead)
		}
		d.ahead, d.lines = d.lines[:n], d.lines[n:]
		if err := d.c.write(d.c.timeouts.Command, strings.Join(d.ahead, "\r\n")+"\r\n"); err != nil {
			// What it said before it closed may tell why.
			return d.early(err)
		}
	}
	d.ahead = d.ahead[1:]
	return d.c.reply(d.c.timeouts.Command)
}

// early reads the reply of a server that closed before it heard the command: only a
// 421 makes sense there.
func (d *dialog) early(err error) (reply, error) {
	if r, readErr := d.c.reply(earlyReply); readErr == nil && r.code == 421 {
		return r, nil
	}
	d.c.broken = true
	return reply{}, err
}

// giveUp reads the replies to what was sent ahead, when there is nobody to send the
// message to. A server that wants the content all the same gets an empty one, which
// it has to refuse (RFC 2920 3.1); but one that has taken recipients without a sender
// might deliver that, so it gets nothing.
func (d *dialog) giveUp() {
	taken := false
	for len(d.ahead) > 0 && !d.c.broken {
		line := d.ahead[0]
		r, err := d.next()
		if err != nil {
			d.c.broken = true
			return
		}
		if strings.HasPrefix(line, "RCPT") && r.code/100 == 2 {
			taken = true
		}
		if line == "DATA" && r.code == 354 {
			if taken {
				d.c.broken = true
				return
			}
			if _, err := d.c.command(d.c.timeouts.Command, "."); err != nil {
				d.c.broken = true
			}
		}
	}
}
