package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveBench runs facteur in a folder until the benchmark ends, and waits until it listens.
// In the end its log is shown to look, which may be nil. It returns the process.
func serveBench(b *testing.B, dir, address string, look func(log string)) (pid int) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("facteur", "serve")
	cmd.Dir, cmd.Stderr = dir, log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && look != nil {
			look(string(text))
		}
	})
	waitListening(b, address)
	return cmd.Process.Pid
}

// talker speaks SMTP or LMTP without a thought, for benchmarks.
type talker struct {
	net.Conn
	r *bufio.Reader
}

// dialTalker connects, and says hello: "EHLO" or "LHLO".
func dialTalker(address, hello string) (*talker, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	c := &talker{conn, bufio.NewReader(conn)}
	err = c.say("", 1, "220")
	if err == nil {
		err = c.say(hello+" client.example\r\n", 1, "250")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// say writes text, and reads so many replies, which must all have the code.
func (c *talker) say(text string, replies int, code string) error {
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	for replies > 0 {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, code) {
			return fmt.Errorf("%.60q: %s", text, line)
		}
		if line[3] == ' ' {
			replies--
		}
	}
	return nil
}
