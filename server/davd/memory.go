package davd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"facteur/server/address"
	"facteur/server/davxml"
)

// The bounds of what the bodies in XML of all requests take together, in octets of memory: the
// collector lets garbage of about as much lie beside it.
const (
	maxBodies    = 48 << 20
	maxOfAccount = maxBodies / 2 // so that no account holds up all others
	// freeBody is the size of a body that is not counted: so it never waits for a large one. A
	// multiget of 200 objects is smaller.
	freeBody = 24 << 10
	// maxBodyWait is how long a large body waits for its turn.
	maxBodyWait = 20 * time.Second
	// maxBodyTime is how long a counted body may take to arrive.
	maxBodyTime = 2 * time.Minute
	// maxBodiesWaiting bounds those that wait.
	maxBodiesWaiting = 1000
)

// What an element takes at most beside its text, and the fewest octets in which it is written.
const (
	elementSize   = 192
	elementOctets = 4
)

// bodyCost is how much memory it takes to read a body of so many octets.
func bodyCost(octets int64, limits davxml.Limits) int64 {
	return 2*octets + elementSize*min(octets/elementOctets, int64(limits.Elements))
}

// memory gives out what the bodies of requests may take. Claims are met in the order in which they
// came, but those of an account that has its share already wait for that alone.
type memory struct {
	mu      sync.Mutex
	used    int64
	of      map[address.Key]int64
	waiting []*claim
}

// claim is what one request has, or waits for.
type claim struct {
	*memory
	account address.Key
	octets  int64 // with memory.mu held
	granted chan struct{}
}

func newMemory() *memory { return &memory{of: make(map[address.Key]int64)} }

var errBusy = errors.New("too many large requests at once")

// take waits for so many octets. What is too much for an account is its whole share.
func (m *memory) take(ctx context.Context, account address.Key, octets int64) (*claim, error) {
	c := &claim{memory: m, account: account, octets: min(octets, maxOfAccount), granted: make(chan struct{})}
	m.mu.Lock()
	if len(m.waiting) >= maxBodiesWaiting {
		m.mu.Unlock()
		return nil, errBusy
	}
	m.waiting = append(m.waiting, c)
	m.grant()
	m.mu.Unlock()
	patience := time.NewTimer(maxBodyWait)
	defer patience.Stop()
	select {
	case <-c.granted:
		return c, nil
	case <-ctx.Done():
	case <-patience.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.waiting, c); i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.grant() // it may have stood before others
		return nil, errBusy
	}
	return c, nil // granted at the last moment
}

// grant meets the claims for which there is room. With memory.mu held.
func (m *memory) grant() {
	full := false
	m.waiting = slices.DeleteFunc(m.waiting, func(c *claim) bool {
		if full || m.of[c.account]+c.octets > maxOfAccount {
			return false
		}
		if full = m.used+c.octets > maxBodies; full { // nobody overtakes it, or it might wait for ever
			return false
		}
		m.used += c.octets
		m.of[c.account] += c.octets
		close(c.granted)
		return true
	})
}

// keep gives back all but so many octets.
func (c *claim) keep(octets int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.octets - min(octets, c.octets)
	c.octets -= back
	c.used -= back
	if c.of[c.account] -= back; c.of[c.account] == 0 {
		delete(c.of, c.account)
	}
	c.grant()
}

// body reads an XML body; nil: there is none. A large one waits for its turn; what it takes is
// given back when the request is answered.
func (r *request) body(limits davxml.Limits) (e *davxml.Element, err error) {
	limits = limits.WithDefaults()
	from, octets, err := r.sizeBody(limits)
	if err != nil {
		return nil, bodyFailure(err)
	}
	if octets > freeBody {
		c, err := r.memory.take(r.Context(), r.viewer.Key(), bodyCost(octets, limits))
		if err != nil {
			return nil, &failure{status: http.StatusServiceUnavailable, text: "There are too many large requests at once, try again later", cause: err}
		}
		r.release = func() { c.keep(0) }
		from = &counted{r: from, until: r.opt.Now().Add(maxBodyTime), now: r.opt.Now}
		defer func() { c.keep(octets + elementSize*elements(e)) }() // the octets as they came are garbage
	}
	e, err = davxml.Parse(from, limits)
	if errors.Is(err, io.EOF) && e == nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil
	}
	if err != nil {
		return nil, bodyFailure(err)
	}
	return e, nil
}

// sizeBody tells how large the body is at most, and where to read it from: one whose size is not
// told is looked at first.
func (r *request) sizeBody(limits davxml.Limits) (io.Reader, int64, error) {
	if r.ContentLength >= 0 {
		return r.Body, min(r.ContentLength, limits.Octets), nil
	}
	begin := make([]byte, freeBody+1)
	n, err := io.ReadFull(r.Body, begin)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return bytes.NewReader(begin[:n]), int64(n), nil
	case err != nil:
		return nil, 0, err
	}
	return io.MultiReader(bytes.NewReader(begin), r.Body), limits.Octets, nil
}

// elements counts an element and those in it.
func elements(e *davxml.Element) (n int64) {
	if e == nil {
		return 0
	}
	for _, c := range e.Children {
		n += elements(c)
	}
	return n + 1
}

// counted is a body that others may wait for.
type counted struct {
	r     io.Reader
	until time.Time
	now   func() time.Time
}

// Read is that of io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	if c.now().After(c.until) {
		return 0, &failure{status: http.StatusRequestTimeout, text: "The body takes too long"}
	}
	return c.r.Read(p)
}
