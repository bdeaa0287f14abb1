package davclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDigestAnswer has the examples of RFC 7616 3.9.1 and of RFC 2069 2.4 with its erratum 749.
func TestDigestAnswer(t *testing.T) {
	const rfc7616 = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	for _, c := range []struct{ header, uri, login, password, want string }{
		{fmt.Sprintf(rfc7616, "MD5"), "/dir/index.html", "Mufasa", "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec"},
		{fmt.Sprintf(rfc7616, "SHA-256"), "/dir/index.html", "Mufasa", "Circle of Life", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "/dir/index.html", "Mufasa", "CircleOfLife", "1949323746fe6a43ef61f9606e7febea"},
	} {
		d := digestOf(http.Header{"Www-Authenticate": {c.header}})
		if d == nil {
			t.Fatalf("%s: no challenge", c.header)
		}
		if got := d.answerWith(cnonce, "GET", c.uri, c.login, c.password); !strings.Contains(got, `response="`+c.want+`"`) || !strings.HasPrefix(got, `Digest username="Mufasa", realm=`) {
			t.Errorf("%s", got)
		}
	}
}

func TestChallenges(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{`Digest realm="a, \"b\"", nonce=n, qop="auth"`, `a, "b" n true`},
		{`Negotiate, digest Realm = "r" , Nonce="n",qop=auth-int, Digest realm="s", nonce="m", algorithm=SHA-256, qop="auth-int,auth"`, "s m true"},
		{`Digest realm="r", nonce="n", algorithm=SHA-512-256`, "none"},
		{`Digest realm="r"`, "none"},
		{`Digest realm="r", nonce="n", Basic realm="b"`, "none"},
		{`Basic realm="r"`, "none"},
		{"", "none"},
	} {
		got := "none"
		if d := digestOf(http.Header{"Www-Authenticate": {c.header}}); d != nil {
			got = fmt.Sprint(d.realm, " ", d.nonce, " ", d.qop)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.header, got, c.want)
		}
	}
}

// TestDigest pulls from a server that takes Digest alone, as Baikal does unless it is told
// otherwise, and whose nonces end.
func TestDigest(t *testing.T) {
	nonce, asked, refused := 0, 0, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		got := challenges(r.Header.Get("Authorization"))
		if len(got) == 1 && got[0].scheme == "digest" && got[0].params["nonce"] == fmt.Sprint(nonce) {
			p := got[0].params
			want := &challenge{realm: "BaikalDAV", nonce: p["nonce"], qop: true}
			fmt.Sscanf(p["nc"], "%x", &want.count)
			want.count--
			if text := want.answerWith(p["cnonce"], r.Method, r.URL.RequestURI(), "alice", "secret"); strings.Contains(text, `response="`+p["response"]+`"`) {
				if want.count == 2 {
					nonce++ // it is stale from now on
				}
				w.WriteHeader(http.StatusMultiStatus)
				fmt.Fprint(w, strings.TrimPrefix(multistatus("/cal/", calendar), "207 "))
				return
			}
		}
		refused++
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="BaikalDAV",qop="auth",nonce="%d",opaque="o"`, nonce))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	c, err := New(Options{URL: s.URL + "/cal/", Login: "alice", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if list, _, err := c.Discover(t.Context()); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
	}
	if nonce == 0 || refused > nonce+1 {
		t.Errorf("%d nonces, refused %d times of %d: once for each is enough", nonce+1, refused, asked)
	}
	c, err = New(Options{URL: s.URL + "/cal/", Login: "alice", Password: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	asked = 0
	if _, _, err := c.Discover(t.Context()); !errors.Is(err, ErrLogin) || asked != 2 {
		t.Errorf("%v after %d requests", err, asked)
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a, \"b\"", nonce=n, qop="auth", Basic`)
	f.Add(`Negotiate, =x, Digest nonce = "unclosed`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, one := range challenges(s) {
			if one.params == nil || strings.ToLower(one.scheme) != one.scheme {
				t.Errorf("%+v", one)
			}
		}
		digestOf(http.Header{"Www-Authenticate": {s}})
	})
}
