package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// The kinds of collections, as Collection.Kind has them.
const (
	KindCalendar = "calendar"
	KindContacts = "contacts"
)

// Collection is a calendar or address book.
type Collection struct {
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`
	DisplayName string   `json:"display_name,omitempty"`
	Color       string   `json:"color,omitempty"`
	Components  []string `json:"components,omitempty"` // what a calendar keeps; none: all
	Objects     int      `json:"objects,omitempty"`
}

// Object is one object on its way into a collection, or out of it.
type Object struct {
	Kind string `json:"kind"` // the component, or VCARD
	UID  string `json:"uid"`
	Data []byte `json:"data"`
	Href string `json:"href,omitempty"` // the last segment here; into a collection: the one that is wanted
	// Links are the names of files that are attached to it and not in Data, which has links to them.
	Links []string `json:"links,omitempty"`
	// Remote and Tag are its path and ETag on the server that it is pulled from.
	Remote string `json:"remote,omitempty"`
	Tag    string `json:"tag,omitempty"`
	// Anywhere has put take the object to be there when another collection of the account that keeps
	// such objects has its UID.
	Anywhere bool `json:"anywhere,omitempty"`
}

// Pulled is an object that was pulled before.
type Pulled struct {
	Remote string `json:"remote"`
	Tag    string `json:"tag"`
	Gone   bool   `json:"gone,omitempty"` // it was removed here since
}

// TransferRequest asks for a step of import or export.
type TransferRequest struct {
	Verb    string `json:"verb"` // collections, put, get, pulled
	Account string `json:"account"`
	// Collection is the one of put, get and pulled. Create has put make it when it is not there.
	Collection string      `json:"collection,omitempty"`
	Create     *Collection `json:"create,omitempty"`
	Objects    []Object    `json:"objects,omitempty"` // put
	Replace    bool        `json:"replace,omitempty"` // put: also what is there with other content
	DryRun     bool        `json:"dry_run,omitempty"` // put: only tell what would happen
	Source     string      `json:"source,omitempty"`  // put, pulled: the collection that is pulled from
	After      string      `json:"after,omitempty"`   // get: objects with greater hrefs
}

// What became of an object (Outcome.Result).
const (
	ResultNew      = "new"
	ResultSame     = "same"     // it was there
	ResultReplaced = "replaced" // it was there with other content
	ResultKept     = "kept"     // likewise, and that stays
	ResultRefused  = "refused"
)

// Outcome is what became of an object.
type Outcome struct {
	Result string `json:"result"`
	Reason string `json:"reason,omitempty"` // of ResultRefused
	In     string `json:"in,omitempty"`     // the collection, when it is another than that of the request
}

// TransferAnswer is the answer to a TransferRequest.
type TransferAnswer struct {
	Account     string       `json:"account"` // as mail.toml spells it
	Collections []Collection `json:"collections,omitempty"`
	Outcomes    []Outcome    `json:"outcomes,omitempty"` // one for each object of put
	Objects     []Object     `json:"objects,omitempty"`
	More        bool         `json:"more,omitempty"` // get: there are more after the last one
	Pulled      []Pulled     `json:"pulled,omitempty"`
}

// TransferBackend is import and export, as the command line sees it.
type TransferBackend interface {
	Transfer(ctx context.Context, r TransferRequest) (TransferAnswer, error)
}

// maxTransfer bounds a request, in octets: the largest object, in base64, and more.
const maxTransfer = 32 << 20

func serveTransfer(b TransferBackend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req TransferRequest
		if err := json.NewDecoder(io.LimitReader(r.Body, maxTransfer)).Decode(&req); err != nil {
			http.Error(w, "not a request", http.StatusBadRequest)
			return
		}
		a, err := b.Transfer(r.Context(), req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, a)
	}
}

// Transfer has the running server do a step of import or export.
func (c *Client) Transfer(ctx context.Context, r TransferRequest) (a TransferAnswer, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://facteur/transfer", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	patient := c.http
	patient.Timeout = 0
	resp, err := patient.Do(req)
	if err != nil {
		return a, c.absent(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return a, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&a)
	case http.StatusInternalServerError:
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
		return a, errors.Join(errors.New(strings.TrimSpace(string(text))), err)
	}
	return a, fmt.Errorf("the server at %s answered %s: is it an older facteur?", c.path, resp.Status)
}
