package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRelay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mail.toml")
	for name, mode := range map[string]os.FileMode{"relay.secret": 0o600, "open.secret": 0o640} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret-that-is-not-shown\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(dir, "relay.secret")
	for _, c := range []struct {
		text string
		want Relay
		err  string // of the problem
	}{
		{"", Relay{}, ""},
		{`via = "smtp.provider.net:587"`, Relay{"smtp.provider.net", 587, "", "", RelayVerified}, ""},
		{`via = "Bücher.example:25"` + "\n" + `tls = "optional"`, Relay{"xn--bcher-kva.example", 25, "", "", RelayOptional}, ""},
		{`via = "[2001:db8::1]:465"` + "\n" + `tls = "encrypted"`, Relay{"2001:db8::1", 465, "", "", RelayEncrypted}, ""},
		{`via = "a.example:465"` + "\n" + `login = "me"` + "\n" + `password_file = "relay.secret"`, Relay{"a.example", 465, "me", secret, RelayVerified}, ""},
		{`login = "me"`, Relay{}, "names no server"},
		{`via = "a.example"`, Relay{}, "no server with a port"},
		{`via = "a.example:0"`, Relay{}, "no port"},
		{`via = "a.example:70000"`, Relay{}, "no port"},
		{`via = "a b:25"`, Relay{}, "no server"},
		{`via = "a.example:25"` + "\n" + `login = "me"`, Relay{}, "has no password"},
		{`via = "a.example:25"` + "\n" + `password_file = "relay.secret"`, Relay{}, "has no login"},
		{`via = "a.example:25"` + "\n" + `login = "me"` + "\n" + `password_file = "relay.secret"` + "\n" + `tls = "optional"`, Relay{}, "needs an encrypted"},
		{`via = "a.example:25"` + "\n" + `login = "me"` + "\n" + `password_file = "open.secret"`, Relay{}, "others may read"},
		{`via = "a.example:25"` + "\n" + `login = "me"` + "\n" + `password_file = "none.secret"`, Relay{}, "no file"},
		{`via = "a.example:25"` + "\n" + `tls = "none"`, Relay{}, "verified"},
	} {
		text := minimal
		if c.text != "" {
			text += "[relay]\n" + c.text + "\n"
		}
		got, err := Parse(path, []byte(text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret-that") {
				t.Errorf("%s: %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil || got.Relay != c.want {
			t.Errorf("%s: %+v, %v", c.text, got, err)
			continue
		}
		if files := got.Files(); (files[len(files)-1] == secret) != (c.want.PasswordFile != "") {
			t.Errorf("%s: %v", c.text, files)
		}
	}
}
