package clamav

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/plugins/plugintest"
	"facteur/server/testkit"
)

// fakeClamd reads one INSTREAM and answers; it tells what it read.
func fakeClamd(t *testing.T, answer string, got chan<- []byte) string {
	t.Helper()
	return testkit.Listen(t, func(l net.Listener) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			stream, err := readStream(conn)
			if err == nil {
				_, err = io.WriteString(conn, answer)
			}
			conn.Close()
			if got != nil {
				got <- stream
			}
			if err != nil && answer != "" {
				t.Error(err)
			}
		}
	}).String()
}

func readStream(r io.Reader) ([]byte, error) {
	command := make([]byte, len("zINSTREAM\x00"))
	if _, err := io.ReadFull(r, command); err != nil || string(command) != "zINSTREAM\x00" {
		return nil, err
	}
	var all []byte
	for {
		var size uint32
		if err := binary.Read(r, binary.BigEndian, &size); err != nil || size == 0 {
			return all, err
		}
		piece := make([]byte, size)
		if _, err := io.ReadFull(r, piece); err != nil {
			return all, err
		}
		all = append(all, piece...)
	}
}

func TestScan(t *testing.T) {
	const scan = `local name, problem = clamav.scan() log(name, problem) log(m.virus)`
	for _, c := range []struct{ answer, want string }{
		{"stream: OK\x00", "\tnil\n"},
		{"stream: Eicar-Test-Signature FOUND\x00", "Eicar-Test-Signature\tnil\nEicar-Test-Signature"},
		{"INSTREAM size limit exceeded. ERROR\x00", "nil\tclamd says \"INSTREAM size limit exceeded. ERROR\"\nclamav: clamd says \"INSTREAM size limit exceeded. ERROR\"\n"},
		{"stream: OK", "nil\tclamd: unexpected EOF\nclamav: clamd: unexpected EOF\n"},
		{"", "nil\tclamd: unexpected EOF\nclamav: clamd: unexpected EOF\n"},
	} {
		m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"address": fakeClamd(t, c.answer, nil)}))
		if got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), scan); got != c.want {
			t.Errorf("%q: %q, want %q", c.answer, got, c.want)
		}
	}
}

// The message goes as it came, in pieces, and not more of it than max_size.
func TestStream(t *testing.T) {
	text := plugintest.Message + strings.Repeat("0123456789abcde\n", 20_000)
	for size, want := range map[string]string{"25 MB": text, "100 kB": text[:100_000], "10 B": text[:10]} {
		got := make(chan []byte, 1)
		m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"address": fakeClamd(t, "stream: OK\x00", got), "max_size": size}))
		plugintest.Run(t, m, plugintest.Call(t, text), "assert(clamav.scan() == '')")
		if stream := <-got; !bytes.Equal(stream, []byte(want)) {
			t.Errorf("%s: %d octets, want %d", size, len(stream), len(want))
		}
	}
}

// A clamd that is not there, or does not answer, costs the message nothing.
func TestSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for address, want := range map[string]string{
		silent.Addr().String():                       "clamd: ",
		"unix:" + filepath.Join(t.TempDir(), "none"): "no such file",
	} {
		m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"address": address, "timeout": "100 ms"}))
		began := time.Now()
		got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), "log(clamav.scan())")
		if !strings.HasPrefix(got, "nil\t") || !strings.Contains(got, want) || time.Since(began) > 9*time.Second {
			t.Errorf("%s: %q after %v", address, got, time.Since(began))
		}
	}
}

func TestStages(t *testing.T) {
	m := plugintest.Open(t, Plugin, plugintest.Settings(t, nil))
	call := plugintest.Call(t, plugintest.Message)
	call.Services.Outside = false
	if got := plugintest.Run(t, m, call, "log(clamav.scan())"); got != "nil\tnothing outside is reached in a dry run" {
		t.Error(got)
	}
	call.Stage, call.Message.Content = "rcpt", nil
	if out := plugintest.Try(t, m, call, "clamav.scan()"); out.Err == nil || !strings.Contains(out.Err.Error(), "there is no message yet") {
		t.Error(out.Err)
	}
}

func TestSettings(t *testing.T) {
	got := plugintest.Problems(Plugin, plugintest.Settings(t, map[string]any{
		"address": "clamd", "timeout": "soon", "max_size": int64(3), "port": int64(3310),
	}))
	for _, want := range []string{`address: write "127.0.0.1:3310"`, "timeout: ", "max_size: max_size must be a text", "port: unknown key: there are address, max_size, timeout"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// A real clamd, with one signature: it finds it in an attachment, in base64.
func TestClamd(t *testing.T) {
	clamd, err := exec.LookPath("clamd")
	if err != nil {
		if os.Getenv("E2E_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("clamd is not installed")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "clamd.sock")
	conf := "Foreground yes\nLocalSocket " + socket + "\nDatabaseDirectory " + dir + "\nTemporaryDirectory " + dir + "\n"
	for name, text := range map[string]string{"clamd.conf": conf, "test.ndb": "Facteur-Test:0:*:66616374657572207465737420766972757321\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), clamd, "--config-file", filepath.Join(dir, "clamd.conf"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	m := plugintest.Open(t, Plugin, plugintest.Settings(t, map[string]any{"address": "unix:" + socket}))
	waitFor(t, socket, &said)
	const mail = "From: a@example.net\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	const scan = "log(clamav.scan())"
	if got := plugintest.Run(t, m, plugintest.Call(t, mail+"ZmFjdGV1ciB0ZXN0IHZpcnVzIQ==\r\n"), scan); !strings.HasPrefix(got, "Facteur-Test") {
		t.Errorf("%q\n%s", got, said.String())
	}
	if got := plugintest.Run(t, m, plugintest.Call(t, plugintest.Message), scan); got != "" {
		t.Errorf("%q", got)
	}
}

// waitFor waits until something listens on a socket.
func waitFor(t *testing.T, socket string, said *bytes.Buffer) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("clamd does not start:\n%s", said.String())
		}
	}
}
