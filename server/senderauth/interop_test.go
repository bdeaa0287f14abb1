package senderauth

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"facteur/server/envelope"
)

// needs skips a test without a program; with E2E_REQUIRE=all it fails.
func needs(t *testing.T, name string, check ...string) {
	t.Helper()
	_, err := exec.LookPath(check[0])
	if err == nil && len(check) > 1 {
		err = exec.Command(check[0], check[1:]...).Run()
	}
	if err == nil {
		return
	}
	if os.Getenv("E2E_REQUIRE") == "all" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
}

const systemPython = "/usr/bin/python3" // Debian's modules are its

// ask gives a script JSON and reads JSON.
func ask(t *testing.T, script string, question, answer any) {
	t.Helper()
	in, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), systemPython, filepath.Join("testdata", "interop", script))
	cmd.Stdin = bytes.NewReader(in)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, complaints.String())
	}
}

// TestDKIMPY has dkimpy judge what we sign and seal, and every case of our own ARC
// suite; and us what it makes.
func TestDKIMPY(t *testing.T) {
	needs(t, "python3-dkim with python3-authres", systemPython, "-c", "import dkim, nacl, authres")
	w := newWorld(t)
	signed := w.sign("example.org", letter)
	cases := []arcCase{{"signed", signed, "none", ""}}
	r := w.verify(signed)
	w.publish("example.net")
	set, err := w.keys.Seal("example.net", "mail.example.net", r, parse(t, signed), envelope.Bytes(signed))
	if err != nil {
		t.Fatal(err)
	}
	cases = append(cases, arcCase{"sealed", string(set) + signed, "pass", ""})
	cases = append(cases, arcCases(w)...)
	question := struct {
		DNS      map[string]string `json:"dns"`
		Messages []string          `json:"messages"`
	}{DNS: make(map[string]string)}
	for name, records := range w.dns.txt {
		question.DNS[name] = records[0]
	}
	for _, c := range cases {
		question.Messages = append(question.Messages, c.message)
	}
	var answer [][2]json.RawMessage
	ask(t, "verify.py", question, &answer)
	if len(answer) != len(cases) {
		t.Fatalf("%d answers", len(answer))
	}
	if string(answer[0][0]) != `["pass", "pass"]` {
		t.Errorf("our signatures: %s", answer[0][0])
	}
	for i, c := range cases {
		theirs := strings.Trim(string(answer[i][1]), `"`)
		if strings.HasPrefix(theirs, "error") {
			theirs = "fail"
		}
		if (theirs != c.want) != (c.alone != "") {
			t.Errorf("%s: we say %s, dkimpy %s", c.name, c.want, answer[i][1])
		}
	}
}

func TestDKIMPYSigns(t *testing.T) {
	needs(t, "python3-dkim with python3-authres", systemPython, "-c", "import dkim, nacl, authres")
	w := newWorld(t)
	w.publish("example.org")
	key := inUse(w.keys.list("example.org"))[0]
	var messages []string
	m := "Authentication-Results: lists.example.org; dmarc=pass header.from=example.org\r\n" + letter
	ask(t, "sign.py", map[string]string{
		"key": privatePEM(t, key), "selector": key.selector, "domain": "example.org", "host": "lists.example.org", "message": m,
	}, &messages)
	for i, m := range messages {
		r := w.verify(m)
		if i < 4 && dkimResults(r) != "pass" || i == 4 && r.ARC.Result != Pass {
			t.Errorf("%d: %s, arc %s (%s)", i, dkimResults(r), r.ARC.Result, r.ARC.Reason)
		}
		if i == 4 && !r.ARC.vouched("example.org", newTrust("example.org")) {
			t.Errorf("%+v", r.ARC.chain)
		}
	}
	if len(messages) != 5 {
		t.Errorf("%d messages", len(messages))
	}
}

// privatePEM is a key as others read it.
func privatePEM(t *testing.T, key *signingKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestOpenDKIM has opendkim judge what we sign, and us what it signs.
func TestOpenDKIM(t *testing.T) {
	needs(t, "opendkim", "opendkim", "-V")
	dir := t.TempDir()
	w := newWorld(t)
	// It knows the real time only.
	w.keys.now, w.Verifier.opts.Now = time.Now, time.Now
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(conf, message string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "opendkim", "-vvv", "-x", file("conf", conf), "-t", file("letter.eml", message)).CombinedOutput()
		if err != nil {
			t.Errorf("opendkim: %v\n%s", err, out)
		}
		return string(out)
	}
	signed := w.sign("example.org", letter)
	for _, key := range inUse(w.keys.list("example.org")) {
		value, err := key.value()
		if err != nil {
			t.Fatal(err)
		}
		keys := file("keys", recordName(key.selector, "example.org")+" "+value+"\n")
		only := oneSignature(t, signed, key.algorithm) // it judges by the best of several
		for name, m := range map[string]string{"as it is": only, "changed": strings.Replace(only, "Dear Bob", "Dear all", 1)} {
			out := run("Mode v\nTestPublicKeys "+keys+"\nSyslog no\n", m)
			if strings.Contains(out, ") succeeded") != (name == "as it is") || !strings.Contains(out, "verification (s="+key.selector) {
				t.Errorf("%s, %s:\n%s", key.algorithm, name, out)
			}
		}
		// Reading a file, it does not keep the white space behind the colon, so simple
		// headers can't be tried.
		for _, c := range []string{"relaxed/simple", "relaxed/relaxed"} {
			out := run(fmt.Sprintf("Mode s\nSyslog no\nRequireSafeKeys no\nDomain example.org\nSelector %s\nKeyFile %s\nSignatureAlgorithm %s-sha256\nCanonicalization %s\n",
				key.selector, file("key.pem", privatePEM(t, key)), key.algorithm, c), letter)
			_, field, _ := strings.Cut(out, "hname='DKIM-Signature' hvalue='")
			field, _, ok := strings.Cut(field, "'\n")
			m := "DKIM-Signature: " + strings.ReplaceAll(field, "\n", "\r\n") + "\r\n" + letter
			if got := dkimResults(w.verify(m)); !ok || got != "pass" {
				t.Errorf("%s, %s: %s\n%s", key.algorithm, c, got, out)
			}
		}
	}
}

// oneSignature leaves of our signatures the one with that algorithm.
func oneSignature(t *testing.T, m, algorithm string) string {
	t.Helper()
	h := parse(t, m)
	var out strings.Builder
	for i := range h.Len() {
		name, raw := h.Field(i)
		if name != "DKIM-Signature" || bytes.Contains(raw, []byte("a="+algorithm)) {
			out.Write(raw)
		}
	}
	return fmt.Sprint(out.String(), "\r\n", m[h.Size():])
}
