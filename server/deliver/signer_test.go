package deliver

import (
	"context"
	"fmt"
	"path/filepath"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
	"facteur/server/redirect"
	"facteur/server/senderauth"
	"facteur/server/statedb"
)

// departed is a message as another server got it.
type departed struct {
	to, from, raw string
}

// remember has the world remember what it sends on.
func (w *world) remember() {
	w.Helper()
	var err error
	if w.db, err = statedb.Open(filepath.Join(w.dir, "state.db"), nil); err != nil {
		w.Fatal(err)
	}
	if w.opts.Redirects, err = redirect.Open(context.Background(), w.db, nil); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tell(n Notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, n)
}

// signer is a Signer whose signatures are to be read by people.
type signer struct{ w *world }

func (s signer) Sign(domain address.Domain, h *message.Header, b envelope.Body) ([]byte, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return fmt.Appendf(nil, "DKIM-Signature: d=%s; h=%d; l=%d\r\n", domain, h.Len(), b.Size()), s.w.keys
}

func (s signer) Seal(domain address.Domain, authserv string, r senderauth.Results, h *message.Header, b envelope.Body) ([]byte, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return fmt.Appendf(nil, "ARC-Seal: d=%s; %s; dmarc=%s; h=%d; l=%d\r\n", domain, authserv, r.DMARC.Result, h.Len(), b.Size()), s.w.keys
}
