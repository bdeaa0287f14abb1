package davd

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facteur/server/address"
	"facteur/server/davxml"
)

const lockBody = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>alice's <b xmlns="urn:x">editor</b></owner></lockinfo>`

var sharedBody = strings.Replace(lockBody, "exclusive", "shared", 1)

// lock takes a lock and returns its token in angle brackets.
func (s *server) lock(path, body string, headers ...string) string {
	s.t.Helper()
	a := s.ask("LOCK", path, body, headers...)
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		s.t.Fatalf("LOCK %s: %d\n%s", path, a.status, a.body)
	}
	return a.header.Get("Lock-Token")
}

func TestLocks(t *testing.T) {
	s := newPlainServer(t)
	s.ask("MKCOL", filesPath+"d/", "").want(http.StatusCreated)
	s.ask("PUT", filesPath+"d/a", "a").want(http.StatusCreated)
	token := s.lock(filesPath+"d/a", lockBody, "Timeout: Second-4100000000, Infinite")
	found := s.prop(filesPath+"d/a", davxml.D("lockdiscovery"))
	for _, want := range []string{"Second-3600", strings.Trim(token, "<>"), "lockroot(href(" + filesPath + "d/a))", "b(editor)"} {
		if !strings.Contains(found.text(), want) {
			t.Errorf("no %s in %s", want, found.text())
		}
	}
	submitted := davxml.D("lock-token-submitted")
	for _, c := range []struct {
		method, path, body string
		headers            []string
	}{
		{"PUT", "d/a", "b", nil},
		{"PUT", "d/a", "b", []string{"If: (<urn:uuid:other>) (Not <urn:uuid:other>)"}},
		{"DELETE", "d/a", "", nil},
		{"DELETE", "d/", "", nil},
		{"MOVE", "d/a", "", []string{"Destination: " + filesPath + "b"}},
		{"MOVE", "d/", "", []string{"Destination: " + filesPath + "b"}},
		{"PROPPATCH", "d/a", `<propertyupdate xmlns="DAV:"><set><prop><x/></prop></set></propertyupdate>`, nil},
	} {
		s.ask(c.method, filesPath+c.path, c.body, c.headers...).condition(http.StatusLocked, submitted)
	}
	s.ask("LOCK", filesPath+"d/a", sharedBody).condition(http.StatusLocked, davxml.D("no-conflicting-lock"))
	s.ask("LOCK", filesPath+"d/", lockBody).condition(http.StatusLocked, davxml.D("no-conflicting-lock"))
	s.ask("PUT", filesPath+"d/c", "c").want(http.StatusCreated) // the folder is not locked
	s.ask("COPY", filesPath+"d/c", "", "Destination: "+filesPath+"d/a").condition(http.StatusLocked, submitted)
	s.ask("COPY", filesPath+"d/a", "", "Destination: "+filesPath+"copy").want(http.StatusCreated)
	if got := s.prop(filesPath+"copy", davxml.D("lockdiscovery")).text(); got != "" {
		t.Errorf("the copy is locked: %s", got)
	}
	s.ask("PUT", filesPath+"d/a", "b", "If: ("+token+")").want(http.StatusNoContent)
	s.ask("PUT", filesPath+"d/a", "b", "If: ("+token+` ["other"])`).want(http.StatusPreconditionFailed)
	s.ask("PUT", filesPath+"d/c", "b", "If: <"+filesPath+"d/a> ("+token+")").want(http.StatusNoContent)
	s.ask("PUT", filesPath+"d/a", "b", "If: <"+s.url+filesPath+"d/a> ("+token+")").want(http.StatusNoContent)
	s.ask("UNLOCK", filesPath+"d/c", "", "Lock-Token: "+token).condition(http.StatusConflict, davxml.D("lock-token-matches-request-uri"))
	s.ask("UNLOCK", filesPath+"d/a", "").want(http.StatusBadRequest)
	s.ask("LOCK", filesPath+"d/a", "", "If: (<urn:uuid:other>)").want(http.StatusPreconditionFailed)
	s.ask("LOCK", filesPath+"d/a", "", "If: ("+token+")").want(http.StatusOK)
	s.ask("UNLOCK", filesPath+"d/a", "", "Lock-Token: "+token).want(http.StatusNoContent)
	s.ask("PUT", filesPath+"d/a", "b").want(http.StatusNoContent)
}

func TestLocksOfFolders(t *testing.T) {
	s := newPlainServer(t)
	s.ask("MKCOL", filesPath+"d/", "").want(http.StatusCreated)
	s.ask("MKCOL", filesPath+"d/e/", "").want(http.StatusCreated)
	deep := s.lock(filesPath+"d/", lockBody)
	s.ask("PUT", filesPath+"d/e/a", "a").condition(http.StatusLocked, davxml.D("lock-token-submitted"))
	s.ask("PUT", filesPath+"d/e/a", "a", "If: <"+filesPath+"d/> ("+deep+")").want(http.StatusCreated)
	s.ask("UNLOCK", filesPath+"d/e/a", "", "Lock-Token: "+deep).want(http.StatusNoContent)
	// Depth 0: what is in it may change, but nothing comes or goes.
	s.lock(filesPath+"d/e/", lockBody, "Depth: 0")
	s.ask("PUT", filesPath+"d/e/a", "b").want(http.StatusNoContent)
	for _, c := range []struct {
		method, path string
		headers      []string
	}{
		{"PUT", "d/e/b", nil}, {"MKCOL", "d/e/b", nil}, {"DELETE", "d/e/a", nil},
		{"MOVE", "d/e/a", []string{"Destination: " + filesPath + "a"}},
	} {
		s.ask(c.method, filesPath+c.path, "", c.headers...).condition(http.StatusLocked, davxml.D("lock-token-submitted"))
	}
	// Two who share one: either may write, others may not.
	s.ask("PUT", filesPath+"x", "").want(http.StatusCreated)
	one, two := s.lock(filesPath+"x", sharedBody), s.lock(filesPath+"x", sharedBody)
	for _, token := range []string{one, two} {
		s.ask("PUT", filesPath+"x", "", "If: ("+token+")").want(http.StatusNoContent)
	}
	s.ask("PUT", filesPath+"x", "").want(http.StatusLocked)
	// A lock of what is not there makes an empty file (RFC 4918 7.3).
	s.ask("LOCK", filesPath+"new", lockBody).want(http.StatusCreated)
	s.ask("GET", filesPath+"new", "").want(http.StatusOK)
	for _, body := range []string{"<lockinfo xmlns='DAV:'/>", "<x/>", strings.Replace(lockBody, "<write/>", "<read/>", 1)} {
		if got := s.ask("LOCK", filesPath+"other", body); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d", body, got.status)
		}
	}
	s.ask("LOCK", calendarPath+"a.ics", lockBody).want(http.StatusMethodNotAllowed)
}

// The token of somebody else opens nothing.
func TestLocksOfOthers(t *testing.T) {
	s := newPlainServer(t)
	const path = "/dav/office@example.org/files/a"
	token := s.lock(path, lockBody, "user: bob@example.org")
	s.ask("PUT", path, "x", "If: ("+token+")").condition(http.StatusLocked, davxml.D("lock-token-submitted"))
	s.ask("UNLOCK", path, "", "Lock-Token: "+token, "user: carol@example.org").condition(http.StatusForbidden, davxml.D("need-privileges"))
	s.ask("PUT", "/dav/OFFICE@example.com/files/a", "x", "user: bob@example.org").want(http.StatusLocked)
	s.ask("PUT", path, "x", "If: ("+token+")", "user: bob@example.org").want(http.StatusNoContent)
	// But for who owns the mailbox (RFC 3744 3.5).
	for who, may := range map[address.Address]bool{alice: true, bob: false, carol: false} {
		if got := slices.Contains(s.privilegesOf(who, path), "unlock"); got != may {
			t.Errorf("%s may unlock: %v", who, got)
		}
	}
	s.ask("UNLOCK", path, "", "Lock-Token: "+token).want(http.StatusNoContent)
	s.ask("PUT", path, "x").want(http.StatusNoContent)
}

// Locks end, and are bounded.
func TestLockTable(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	l := newLocks(func() time.Time { return now })
	first := &lock{key: "k", account: alice, exclusive: true, timeout: time.Minute}
	if blocked, full := l.add(first); blocked != nil || full {
		t.Fatal(blocked, full)
	}
	if blocked, _ := l.add(&lock{key: "k", account: bob, timeout: time.Minute}); blocked != first {
		t.Error("a second lock on the same")
	}
	now = now.Add(time.Minute)
	if l.blocks("k", true, bob, nil) != nil || len(l.byKey) != 0 || l.count[alice] != 0 {
		t.Error("a lock that has ended counts")
	}
	for i := range maxLocks {
		if _, full := l.add(&lock{key: "k" + lockSep + strings.Repeat("x", i), account: alice, timeout: time.Minute}); full {
			t.Fatal("full after ", i)
		}
	}
	if _, full := l.add(&lock{key: "z", account: alice, timeout: time.Minute}); !full {
		t.Error("there is no bound")
	}
	l.drop("k", true, nil)
	if len(l.byKey) != 0 || l.count[alice] != 0 {
		t.Errorf("left %v %v", l.byKey, l.count)
	}
	var work sync.WaitGroup
	won := make(chan *lock, 8)
	for range 8 {
		work.Go(func() {
			k := &lock{key: "k", account: alice, exclusive: true, timeout: time.Minute}
			if blocked, _ := l.add(k); blocked == nil {
				won <- k
			}
		})
	}
	work.Wait()
	if len(won) != 1 {
		t.Errorf("%d have an exclusive lock", len(won))
	}
}
