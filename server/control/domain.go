package control

import (
	"net/http"
	"net/url"
)

// DomainFacts is what the server has for a domain that belongs into the DNS.
type DomainFacts struct {
	Keys        []DomainKey `json:"keys"`
	Certificate []byte      `json:"certificate,omitempty"` // that is shown under the server's name, DER
}

// DomainKey is the public half of a DKIM key.
type DomainKey struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	State string `json:"state"` // "new", "active" or "retired"
}

// serveDomain answers with the facts of a domain.
func serveDomain(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		facts, err := b.Domain(r.Context(), q.Get("name"), q.Has("rotate"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, facts)
	}
}

// Domain asks for the facts of a domain. Keys are made where there are none; with
// rotate new ones are made in any case.
func (c *Client) Domain(name string, rotate bool) (f DomainFacts, err error) {
	q := url.Values{"name": {name}}
	if rotate {
		q.Set("rotate", "1")
	}
	return f, c.call(http.MethodPost, "/domain?"+q.Encode(), &f)
}
