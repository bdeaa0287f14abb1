package deliver

import (
	"facteur/server/address"
	"facteur/server/hook"
)

// Box returns a mailbox as its scripts see it.
func (d *Deliverer) Box(a address.Address) (hook.Box, error) {
	home, err := d.opts.Store.Home(a)
	if err != nil {
		return nil, err
	}
	return &box{home: home, directory: d.live.Load().Directory, address: a}, nil
}
