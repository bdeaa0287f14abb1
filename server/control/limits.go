package control

import (
	"context"
	"time"
)

// LimitStatus is who is limited at the moment.
type LimitStatus struct {
	Closed []Closed `json:"closed,omitempty"` // accounts that may not send
	Slowed []Slowed `json:"slowed,omitempty"` // who failed to log in too often; the worst, at most maxSlowed
}

// Closed is an account that may not send until it is opened again.
type Closed struct {
	Account string    `json:"account"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`
}

// Slowed is a client, an account, or a client at an account, whose logins wait
// or are refused after too many failures.
type Slowed struct {
	Client   string    `json:"client,omitempty"`  // an address, or the /64 of one; "": all
	Account  string    `json:"account,omitempty"` // "": all
	Unknown  bool      `json:"unknown,omitempty"` // a name that is no account, which is not told
	Failures int       `json:"failures"`
	Blocked  bool      `json:"blocked,omitempty"` // nothing is checked; else each login waits
	Until    time.Time `json:"until"`             // when it is over, without another failure
}

// Name is an account, a client, or a network, as the operator wrote it.
type Name struct {
	Name string `json:"name"`
}

// LimitBackend is who is limited, as the command line sees it.
type LimitBackend interface {
	// Reopen opens an account that was closed for sending.
	Reopen(ctx context.Context, account Name, say func(line string)) error
	// Unblock forgets the failed logins of an account or a client.
	Unblock(ctx context.Context, who Name, say func(line string)) error
}

// Reopen has the running server open an account for sending again.
func (c *Client) Reopen(ctx context.Context, account string, say func(line string)) error {
	return c.work(ctx, "/account/reopen", Name{account}, say)
}

// Unblock has the running server forget the failed logins of an account or a client.
func (c *Client) Unblock(ctx context.Context, who string, say func(line string)) error {
	return c.work(ctx, "/unblock", Name{who}, say)
}
