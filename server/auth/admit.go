package auth

import (
	"context"

	"facteur/server/fault"
)

// admit asks Admit about a login whose password is right.
func (a *Authenticator) admit(ctx context.Context, try Attempt, c Credential) error {
	if a.options.Admit == nil {
		return nil
	}
	err := a.options.Admit(ctx, try, c)
	switch {
	case err == nil:
		return nil
	case fault.Temporary(err):
		return a.failed(try, err)
	}
	a.options.Log.Warn("auth.rejected", "account", c.Account.String(), "device", c.Device, "why", fault.As(err).Text, "attempt", try.String())
	// Whoever measures the time must not learn that the password was right: a wrong one
	// takes the delays and a verification, which one that is remembered and an app password
	// do not.
	if c.Device != "" || a.remembers(a.mark(c, try)) {
		if err := a.throttle.wait(ctx, a.throttled(try)); err != nil {
			return a.failed(try, err)
		}
		if _, err := a.options.Verify(ctx, a.decoy(try.Name), try.Password); err != nil {
			return a.failed(try, err)
		}
	}
	return fault.New(fault.AuthFailed, "")
}

// mark is under which an accepted login with the account's password is remembered.
func (a *Authenticator) mark(c Credential, try Attempt) mark {
	account, _ := a.options.Directory().Account(c.Account)
	return a.sum("login", string(c.Account.Key()), string(account.Password), try.Password)
}
