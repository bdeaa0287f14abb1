package password

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHash(t *testing.T) {
	v := NewVerifier()
	hash, err := Hash("pâte à choux")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("%s: want %s...", hash, want)
	}
	if err := Check(hash); err != nil {
		t.Error(err)
	}
	for pw, want := range map[string]bool{
		"pâte à choux":              true,
		"pa\u0302te a\u0300 choux":  true, // the same in NFD
		"pate a choux":              false,
		"":                          false,
		strings.Repeat("x", 100000): false,
	} {
		if ok, err := v.Verify(t.Context(), hash, pw); ok != want || err != nil {
			t.Errorf("%.20q: %v, %v", pw, ok, err)
		}
	}
	for _, pw := range []string{"", strings.Repeat("x", MaxLength+1)} {
		if _, err := Hash(pw); err == nil {
			t.Errorf("%.20q was hashed", pw)
		}
	}
}

// foreign has hashes of "demo" made by other programs: glibc's crypt(3),
// doveadm pw, and Python's hashlib.
var foreign = []string{
	"$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$mW3TOTxQr/t8cpV7pcBVnHKFXCowrVzV00enrFXUk90",
	"$6$saltsalt$..2OS7YQ9H8nOZV3zrRCC2W6gKqvDdWTzallpPfaVczvmUWzyIYqU0TarsE5PYaJ7eNXes2cIPl//BAZe0z3F1",
	"$5$rounds=1000$saltsalt$mmuNYyZvBitLMak/fkWznSmOZ5EvkgpnwmCVL1ZA/X/",
	"$1$saltsalt$SKlXNLTI8uve4ydsY8EPd0",
	"$2b$05$abcdefghijklmnopqrstuupHpIXcOJo1NoZgX.hjwSF2SVi6yU1wa",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$eLLvX2+/VAtkMObXiaaN2Q$yYzbChifC+d945NztrbOj12VTWhRkKGGWwCsfbDH+CM",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$5kqzFve3SaTKPklbgc1CTw$OwRw2GXt+y20Y1ZvGWwKXBS9AdOG45nc7t8odUJbBUE",
	"{BLF-CRYPT}$2y$05$lqots04P4oOzLT5vZLDK/uGu.fCOSILtVY7iS8QGeKORao2o6UPPa",
	"{SHA512-CRYPT}$6$HZHLIGyWHl4ofUkb$2NWPjI9BoT.2GmJWcTSfg9oT4PGILAhuRxiXvITOt7SGi9/neJV41ASw2um8/hS30gtev6HhqCyC2s6nx47A5/",
	"{CRYPT}$5$GrXhOJ1K1L1pnvlT$WhIeKCu1bI4hNJNBzNWOVy6AMumekaU3sy6Dzio.R1/",
	"$pbkdf2-sha256$29000$MDEyMzQ1Njc4OWFiY2RlZg$wP.PkR8sn7hJs3yxYsVpB0YL4StLXreG.A1/yTUARXc",
	"$pbkdf2-sha512$25000$MDEyMzQ1Njc4OWFiY2RlZg$ma8/rF.sp7ubR9KAqqAszpbJnej0Hh8eVR718C52tHsuTcnDP2lFbBa9B/SUdJDwh.XZ/WV5u2Rk4mY90duplg",
	"$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$8Kv/XF0AAMIIMtus92D6LPwVYNG7YdSCKVL9eCDhIi4",
}

func TestVerifyForeign(t *testing.T) {
	if testing.Short() {
		t.Skip("much work in one goroutine")
	}
	v := NewVerifier()
	for _, hash := range foreign {
		if err := Check(hash); err != nil {
			t.Errorf("%s: %v", hash, err)
		}
		for pw, want := range map[string]bool{"demo": true, "Demo": false} {
			if ok, err := v.Verify(t.Context(), hash, pw); ok != want || err != nil {
				t.Errorf("%s, %q: %v, %v", hash, pw, ok, err)
			}
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	const salt, key = "eLLvX2+/VAtkMObXiaaN2Q", "yYzbChifC+d945NztrbOj12VTWhRkKGGWwCsfbDH+CM"
	argon := func(parameters string) string { return "$argon2id$v=19$" + parameters + "$" + salt + "$" + key }
	for hash, want := range map[string]string{
		"":                                   "not a password hash",
		"demo":                               "not a password hash",
		"{PLAIN}demo":                        "not a password hash",
		"{SSHA}aaaa":                         "not a password hash",
		"$argon2id$...":                      "not known",
		argon("m=65536,t=3,p=1") + "$":       "not known",
		argon("m=65536,t=3,p=1,m=4000000"):   "not known",
		argon("m=131073,t=1,p=1"):            "it takes 128 MiB",
		argon("m=1048576,t=1,p=1"):           "it takes 1024 MiB",
		argon("m=131072,t=9,p=1"):            "too long",
		argon("m=0,t=1,p=1"):                 "out of range",
		argon("m=65536,t=0,p=1"):             "out of range",
		argon("m=65536,t=1,p=999999999"):     "out of range",
		"$argon2id$v=16$m=8,t=1,p=1$" + salt: "not known",
		strings.Replace(foreign[4], "$05$", "$31$", 1):           "between 4 and 16",
		strings.Replace(foreign[2], "1000", "999999999", 1):      "between 1000 and 5000000",
		strings.Replace(foreign[0], "$j9T$", "$jFT$", 1):         "it takes 1024 MiB",
		strings.Replace(foreign[0], "$j9T$", "$jzT$", 1):         "out of range",
		strings.Replace(foreign[12], "ln=14", "ln=20", 1):        "it takes 1024 MiB",
		strings.Replace(foreign[12], "p=1", "p=999", 1):          "too long",
		strings.Replace(foreign[10], "$29000$", "$99999999$", 1): "between 1 and 5000000",
		foreign[1][:80]:          "not known",
		strings.Repeat("$", 600): "longer than 512",
	} {
		err := Check(hash)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", hash, err, want)
		}
		if err != nil && hash != "" && strings.Contains(err.Error(), key) {
			t.Errorf("the error holds the hash: %v", err)
		}
		if _, err := NewVerifier().Verify(t.Context(), hash, "demo"); err == nil {
			t.Errorf("%s was verified", hash)
		}
	}
}

func TestVerifyQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier()
		v.slots <- struct{}{}
		v.slots <- struct{}{} // two are running
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, foreign[3], "demo"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a deadline", err)
		}
		waiting := make(chan error)
		for range maxWaiting {
			go func() {
				_, err := v.Verify(t.Context(), foreign[3], "demo")
				waiting <- err
			}()
		}
		synctest.Wait()
		if _, err := v.Verify(t.Context(), foreign[3], "demo"); !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want ErrBusy", err)
		}
		<-v.slots
		for range maxWaiting {
			if err := <-waiting; err != nil {
				t.Error(err)
			}
		}
		<-v.slots
	})
}

func TestDevice(t *testing.T) {
	password, line := NewDevice()
	if !regexp.MustCompile(`^([a-z2-7]{5}-){4}[a-z2-7]{6}$`).MatchString(password) {
		t.Errorf("the form of %s", password)
	}
	if err := CheckDevice(line); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	for _, typed := range []string{password, strings.ToUpper(password), strings.ReplaceAll(password, "-", ""), strings.ReplaceAll(password, "-", " ")} {
		digits, ok := DeviceDigits(typed)
		if !ok || !MatchDevice(line, digits) {
			t.Errorf("%q does not match", typed)
		}
	}
	other, otherLine := NewDevice()
	digits, _ := DeviceDigits(other)
	if MatchDevice(line, digits) || otherLine == line {
		t.Error("another app password matches")
	}
	for _, no := range []string{"", "demo", password + "a", strings.Replace(password, "-", "1", 1), strings.Repeat("-", 1000)} {
		if digits, ok := DeviceDigits(no); ok {
			t.Errorf("%q taken for %q", no, digits)
		}
	}
	for _, bad := range []string{"", "sha256:...", "sha256:abcd:", line + "x", "sha512" + line[6:], strings.Replace(line, ":", ":A", 1)} {
		if CheckDevice(bad) == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, hash := range foreign {
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		digest, err := decode(hash)
		if (err == nil) != (digest != nil) {
			t.Fatalf("%v, %v", digest, err)
		}
		if err != nil || strings.Contains(hash, "$argon2") || strings.Contains(hash, "$y$") || strings.Contains(hash, "scrypt") {
			return // slow
		}
		if strings.Contains(hash, "$1$") {
			digest.MatchAdvanced("demo") // must not panic
		}
	})
}
