package davd

import (
	"net/http"
	"strings"
	"testing"

	"facteur/server/davxml"
)

const people = "/dav/principals/"

func TestExpandProperty(t *testing.T) {
	s := newServer(t)
	body := `<D:expand-property` + xmlns + `>` +
		`<D:property name="current-user-principal"><D:property name="displayname"/><D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">` +
		`<D:property name="resourcetype"/><D:property name="owner"><D:property name="displayname"/></D:property></D:property><D:property name="none"/></D:property>` +
		`<D:property name="displayname"/><D:property name="nothing"><D:property name="x"/></D:property></D:expand-property>`
	a := s.ask("REPORT", homePath, body)
	all, order := a.responses()
	if len(order) != 1 {
		t.Fatalf("%d responses: %s", len(order), a.body)
	}
	props := all[homePath]
	if props[davxml.D("displayname")].text() == "" || props[davxml.D("nothing")].status != http.StatusNotFound {
		t.Errorf("plain properties: %s", a.body)
	}
	principal := props[davxml.D("current-user-principal")].Child(nResponse)
	if principal.Child(nHref).Text != people+"alice@example.org/" {
		t.Fatalf("the principal: %s", a.body)
	}
	stats := principal.All(nPropstat)
	if len(stats) != 2 || stats[0].Child(nProp).Child(davxml.D("displayname")).Text != "Alice Dupont" || stats[1].Child(nProp).Child(davxml.D("none")) == nil {
		t.Errorf("its properties: %s", a.body)
	}
	home := stats[0].Child(nProp).Child(davxml.C("calendar-home-set")).Child(nResponse)
	if home.Child(nHref).Text != homePath || home.Child(nPropstat).Child(nProp).Child(davxml.D("owner")).Child(nResponse) == nil {
		t.Errorf("its home: %s", a.body)
	}
	// Depth 1 is for each member (RFC 3253 3.6).
	a = s.ask("REPORT", homePath, `<D:expand-property`+xmlns+`><D:property name="owner"><D:property name="displayname"/></D:property></D:expand-property>`, "Depth: 1")
	if all, _ := a.responses(); !strings.Contains(short(all[calendarPath][davxml.D("owner")].Element), "Alice Dupont") {
		t.Errorf("of members: %s", a.body)
	}
	s.ask("REPORT", homePath, `<D:expand-property`+xmlns+`><D:property/></D:expand-property>`).want(http.StatusBadRequest)
	s.ask("REPORT", homePath, `<D:expand-property`+xmlns+`><D:property name="x"/></D:expand-property>`, "Depth: infinity").want(http.StatusBadRequest)
}

// TestExpandPropertyBound: hrefs that lead to each other do not make an endless answer.
func TestExpandPropertyBound(t *testing.T) {
	s := newServer(t)
	inner := `<D:property name="principal-collection-set">`
	open := `<D:property name="current-user-principal">` + inner
	body := `<D:expand-property` + xmlns + `>` + strings.Repeat(open, 25) + strings.Repeat(`</D:property></D:property>`, 25) + `</D:expand-property>`
	if a := s.ask("REPORT", homePath, body).want(http.StatusMultiStatus); len(a.body) > 1<<20 {
		t.Errorf("%d octets", len(a.body))
	}
}

func TestPrincipalSearch(t *testing.T) {
	s := newServer(t)
	search := func(inside string) string {
		return `<D:principal-property-search` + xmlns + inside + `<D:prop><D:displayname/></D:prop></D:principal-property-search>`
	}
	prop := func(name, match string) string {
		return `<D:property-search><D:prop><` + name + `/></D:prop><D:match>` + match + `</D:match></D:property-search>`
	}
	for _, c := range []struct{ name, inside, want string }{
		{"name", ">" + prop("D:displayname", "DUPONT"), "alice@example.org/"},
		{"address", ">" + prop("CS:email-address-set", "bob@"), "bob@example.org/"},
		{"alias", ">" + prop("CS:email-address-set", "al@example.org"), "alice@example.org/"},
		{"calendar address", ">" + prop("C:calendar-user-address-set", "mailto:carol@example.org"), "carol@example.org/"},
		{"kind", ">" + prop("C:calendar-user-type", "GROUP"), "office@example.org/"},
		{"all of", ">" + prop("D:displayname", "a") + prop("CS:email-address-set", "alice"), "alice@example.org/"},
		{"any of", ` test="anyof">` + prop("CS:email-address-set", "alice") + prop("CS:email-address-set", "bob"), "alice@example.org/ bob@example.org/"},
		{"start", `><D:property-search><D:prop><D:displayname/></D:prop><D:match match-type="starts-with">dup</D:match></D:property-search>`, ""},
		{"what can't be searched", ">" + prop("D:resourcetype", "principal"), ""},
		// RFC 3744 9.4: who may not be seen is not found.
		{"another domain", ">" + prop("CS:email-address-set", "dave"), ""},
	} {
		if got := s.ask("REPORT", people, search(c.inside), "Depth: 0").names(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	everywhere := search(">" + prop("D:displayname", "alice") + "<D:apply-to-principal-collection-set/>")
	if got := s.ask("REPORT", homePath, everywhere).names(); got != "alice@example.org/" {
		t.Errorf("everywhere: %s", got)
	}
	if got := s.ask("REPORT", homePath, search(">"+prop("D:displayname", "alice"))).names(); got != "" {
		t.Errorf("in the home: %s", got)
	}
	s.ask("REPORT", people, search(">")).want(http.StatusBadRequest)
	s.ask("REPORT", people, search(">"+prop("D:displayname", "a")), "Depth: 1").want(http.StatusBadRequest)
	set := s.ask("REPORT", people, `<D:principal-search-property-set xmlns:D="DAV:"/>`, "Depth: 0").want(http.StatusOK).xml()
	if list := set.All(davxml.D("principal-search-property")); len(list) != len(searchable) || list[0].Child(nProp) == nil {
		t.Errorf("what can be searched: %d", len(list))
	}
}

func TestPeopleSearch(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ tokens, want string }{
		{"<CS:search-token>ali</CS:search-token><CS:search-token>du</CS:search-token>", "alice@example.org/"},
		{"<CS:search-token>pont</CS:search-token>", ""},
		{"<CS:search-token>bob@ex</CS:search-token>", "bob@example.org/"},
		{"", ""},
	} {
		body := `<CS:calendarserver-principal-search context="attendee"` + xmlns + `>` + c.tokens + `<CS:limit><CS:nresults>50</CS:nresults></CS:limit><D:prop><D:displayname/></D:prop></CS:calendarserver-principal-search>`
		if got := s.ask("REPORT", people, body, "Depth: 0").names(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.tokens, got, c.want)
		}
	}
}

func TestPrincipalMatch(t *testing.T) {
	s := newServer(t)
	self := `<D:principal-match` + xmlns + `><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>`
	for path, want := range map[string]string{people: "alice@example.org/ office@example.org/", "/dav/": "alice@example.org/ office@example.org/", people + "bob@example.org/": ""} {
		if got := s.ask("REPORT", path, self, "Depth: 0").names(); got != want {
			t.Errorf("%s: got %s", path, got)
		}
	}
	if got := s.ask("REPORT", people, self, "user: carol@example.org").names(); got != "carol@example.org/ office@example.org/" {
		t.Errorf("carol: %s", got)
	}
	owner := `<D:principal-match` + xmlns + `><D:principal-property><D:owner/></D:principal-property><D:prop/></D:principal-match>`
	if got := s.ask("REPORT", homePath, owner, "Depth: 0").names(); !strings.Contains(got, "calendar/") || !strings.Contains(got, "contacts/") {
		t.Errorf("owner: %s", got)
	}
	s.ask("REPORT", people, `<D:principal-match`+xmlns+`/>`).want(http.StatusBadRequest)
	s.ask("REPORT", people, self, "Depth: 1").want(http.StatusBadRequest)
}

func TestACLPrincipals(t *testing.T) {
	s := newServer(t)
	body := `<D:acl-principal-prop-set` + xmlns + `><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`
	if got := s.ask("REPORT", calendarPath, body, "Depth: 0").names(); got != "alice@example.org/" {
		t.Errorf("alice's: %s", got)
	}
	if got := s.ask("REPORT", "/dav/office@example.org/", body, "Depth: 0").names(); got != "alice@example.org/ bob@example.org/ carol@example.org/" {
		t.Errorf("the office's: %s", got)
	}
	s.ask("REPORT", calendarPath, body, "Depth: 1").want(http.StatusBadRequest)
}
