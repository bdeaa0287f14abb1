package davd

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"facteur/server/davxml"
	"facteur/server/files"
)

// plainLocks is class 2 (RFC 4918 6, 7, 9.10, 9.11), for plain folders and files only: what is
// said of calendars and address books does not change.
func plainLocks() part {
	return part{
		state: func(r *request, n *node, token string) bool {
			return n.plain != nil && r.locks.find(lockKey(n), token) != nil
		},
		methods: map[string]method{
			"LOCK":   {kinds: plainNodes, absent: fileNode, needs: mayWriteContent, makes: mayBind, run: takeLock},
			"UNLOCK": {kinds: plainNodes, needs: mayRead, run: unlock},
		},
		properties: []property{
			{name: davxml.D("supportedlock"), kinds: plainNodes, all: true, write: writeSupportedLock},
			{name: davxml.D("lockdiscovery"), kinds: plainNodes, all: true, write: func(r *request, n *node, w *davxml.Writer) {
				for _, k := range r.locks.get(lockKey(n)) {
					writeLock(r, k, w)
				}
			}},
		},
	}
}

func writeSupportedLock(_ *request, _ *node, w *davxml.Writer) {
	for _, scope := range []string{"exclusive", "shared"} {
		w.Begin(davxml.D("lockentry"))
		w.Begin(davxml.D("lockscope"))
		w.Empty(davxml.D(scope))
		w.End()
		w.Begin(davxml.D("locktype"))
		w.Empty(davxml.D("write"))
		w.End()
		w.End()
	}
}

// writeLock writes DAV:activelock (RFC 4918 14.1).
func writeLock(r *request, k *lock, w *davxml.Writer) {
	scope, depth := "shared", "0"
	if k.exclusive {
		scope = "exclusive"
	}
	if k.infinite {
		depth = "infinity"
	}
	w.Begin(davxml.D("activelock"))
	w.Begin(davxml.D("locktype"))
	w.Empty(davxml.D("write"))
	w.End()
	w.Begin(davxml.D("lockscope"))
	w.Empty(davxml.D(scope))
	w.End()
	w.Element(davxml.D("depth"), depth)
	if k.owner != "" {
		w.RawString(k.owner)
	}
	w.Element(davxml.D("timeout"), "Second-"+strconv.Itoa(int(max(k.until.Sub(r.opt.Now()), 0)/time.Second)))
	for _, e := range []struct{ name, href string }{{"locktoken", k.token}, {"lockroot", k.href}} {
		w.Begin(davxml.D(e.name))
		w.Element(davxml.D("href"), e.href)
		w.End()
	}
	w.End()
}

// takeLock answers LOCK (RFC 4918 9.10).
func takeLock(r *request, n *node) error {
	e, err := r.body(smallBody)
	if err != nil {
		return err
	}
	if e == nil {
		return r.refreshLock(n)
	}
	k, err := r.parseLock(n, e)
	if err != nil {
		return err
	}
	if n.absent {
		if err := r.free(n.parent, false); err != nil {
			return err
		}
	}
	blocked, full := r.locks.add(k)
	if blocked != nil {
		return lockedBy(blocked, "no-conflicting-lock")
	}
	if full {
		return &failure{status: http.StatusServiceUnavailable, text: "There are too many locks"}
	}
	if n.absent { // RFC 4918 7.3
		_, _, err := n.plain.tree.Put(n.plain.at, strings.NewReader(""), files.PutOptions{Check: func(now *files.Info) error {
			if now != nil {
				return files.ErrExists // by someone who was quicker: it is locked all the same
			}
			return nil
		}})
		if err != nil && !errors.Is(err, files.ErrExists) {
			r.locks.drop(k.key, false, func(o *lock) bool { return o.token == k.token })
			return plainFailure(err)
		}
	}
	r.w.Header().Set("Lock-Token", "<"+k.token+">")
	return r.answerLock(k, n.absent)
}

// parseLock reads DAV:lockinfo (RFC 4918 14.11).
func (r *request) parseLock(n *node, e *davxml.Element) (*lock, error) {
	d, err := depth(r.Request, -1)
	if err != nil {
		return nil, err
	}
	scope, kind := e.Child(davxml.D("lockscope")), e.Child(davxml.D("locktype"))
	if e.Name != davxml.D("lockinfo") || scope == nil || kind == nil || d == 1 {
		return nil, badRequest("The body of LOCK is no lockinfo, or Depth is 1")
	}
	k := &lock{key: lockKey(n), href: n.path(), infinite: d < 0, account: r.viewer, timeout: r.lockTimeout()}
	k.exclusive = scope.Child(davxml.D("exclusive")) != nil
	if !k.exclusive && scope.Child(davxml.D("shared")) == nil || kind.Child(davxml.D("write")) == nil {
		return nil, &failure{status: http.StatusUnprocessableEntity, text: "There are only exclusive and shared write locks"}
	}
	if owner := e.Child(davxml.D("owner")); owner != nil {
		k.owner = string(owner.Raw())
		if len(k.owner) > maxName {
			return nil, badRequest("The owner of the lock is too long")
		}
	}
	return k, nil
}

// lockTimeout reads the header Timeout (RFC 4918 10.7): the first value that is understood.
func (r *request) lockTimeout() time.Duration {
	for v := range strings.SplitSeq(r.Header.Get("Timeout"), ",") {
		v = strings.TrimSpace(v)
		if strings.EqualFold(v, "Infinite") {
			return maxLockTime
		}
		if text, ok := strings.CutPrefix(v, "Second-"); ok {
			if n, err := strconv.ParseUint(text, 10, 32); err == nil && n > 0 {
				return min(time.Duration(n)*time.Second, maxLockTime)
			}
		}
	}
	return lockTime
}

// refreshLock answers a LOCK without a body: the lock is the one in If (RFC 4918 9.10.2).
func (r *request) refreshLock(n *node) error {
	for _, token := range r.tokens {
		if k := r.locks.find(lockKey(n), token); k != nil && k.account == r.viewer {
			return r.answerLock(r.locks.refresh(k, r.lockTimeout()), false)
		}
	}
	return &failure{status: http.StatusPreconditionFailed, condition: davxml.D("lock-token-matches-request-uri"), text: "No such lock holds for it"}
}

func (r *request) answerLock(k *lock, created bool) error {
	r.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	if created {
		r.w.WriteHeader(http.StatusCreated)
	} else {
		r.w.WriteHeader(http.StatusOK)
	}
	w := davxml.NewWriter(r.w)
	w.Begin(nProp)
	w.Begin(davxml.D("lockdiscovery"))
	writeLock(r, k, w)
	w.End()
	w.End()
	w.Flush() // an error: the client is gone
	return nil
}

// unlock answers UNLOCK (RFC 4918 9.11).
func unlock(r *request, n *node) error {
	token := strings.TrimSpace(r.Header.Get("Lock-Token"))
	if len(token) < 3 || token[0] != '<' || token[len(token)-1] != '>' {
		return badRequest("The header Lock-Token is missing")
	}
	k := r.locks.find(lockKey(n), token[1:len(token)-1])
	if k == nil {
		return &failure{status: http.StatusConflict, condition: davxml.D("lock-token-matches-request-uri"), text: "No such lock holds for it"}
	}
	if k.account != r.viewer { // RFC 3744 3.5
		if err := n.need(mayUnlock); err != nil {
			return err
		}
	}
	r.locks.drop(k.key, false, func(o *lock) bool { return o.token == k.token })
	r.done(false)
	return nil
}

// lockedBy is the answer to a change that a lock forbids (RFC 4918 11.3, 16).
func lockedBy(k *lock, condition string) error {
	return &failure{status: http.StatusLocked, condition: davxml.D(condition), href: k.href, text: "It is locked"}
}

// free tells whether no lock forbids a change of a node; below: of all that is below it too.
func (r *request) free(n *node, below bool) error {
	if n == nil || n.plain == nil {
		return nil
	}
	if k := r.locks.blocks(lockKey(n), below, r.viewer, r.tokens); k != nil {
		return lockedBy(k, "lock-token-submitted")
	}
	return nil
}

// checkLocks looks whether a lock forbids what the method does with a node. What comes and
// goes changes the folder that it is in (RFC 4918 7.4).
func (r *request) checkLocks(n *node) error {
	if n.plain == nil {
		return nil
	}
	if err := r.submitTokens(); err != nil {
		return err
	}
	switch r.Method {
	case "PUT", "MKCOL":
		if n.absent {
			if err := r.free(n.parent, false); err != nil {
				return err
			}
		}
		return r.free(n, false)
	case "PROPPATCH":
		return r.free(n, false)
	case "DELETE", "MOVE":
		if err := r.free(n.parent, false); err != nil {
			return err
		}
		return r.free(n, true)
	}
	return nil
}

// submitTokens keeps the state tokens of the header If, which count as submitted whether
// their list holds or not (RFC 4918 10.4.1).
func (r *request) submitTokens() error {
	header := strings.Join(r.Header.Values("If"), " ")
	if header == "" {
		return nil
	}
	lists, err := parseIf(header)
	for _, l := range lists {
		for _, c := range l.conditions {
			if c.token != "" {
				r.tokens = append(r.tokens, c.token)
			}
		}
	}
	return err
}

// checkDestination is checkLocks for where COPY and MOVE lead.
func (r *request) checkDestination(to *node) error {
	if to.absent {
		if err := r.free(to.parent, false); err != nil {
			return err
		}
	}
	return r.free(to, true)
}
