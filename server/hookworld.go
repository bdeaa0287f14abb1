package server

import (
	"bytes"
	"fmt"
	"strings"

	"facteur/server/address"
	"facteur/server/contentline"
	"facteur/server/hook"
	"facteur/server/itip"
	"facteur/server/trial"
	"facteur/server/vcard"
)

// addCalendars puts the calendar and the address book of the options into the mailbox of the
// world, and the invitation of the message, when it brings one, into the facts.
func (o HookTestOptions) addCalendars(world *trial.World, facts *trial.Facts) error {
	if o.File != "" {
		if m, err := itip.Find(facts.Message.Content); err == nil {
			if about, ok := m.Invitation(world.Location); ok {
				facts.Invitation = about
			}
		}
	}
	world.Box.Floating = world.Location
	if o.Calendar != "" {
		text, err := readBounded(o.Calendar, maxTestFile)
		if err != nil {
			return err
		}
		if world.Box.Events, err = trial.ParseEvents(o.Calendar, text); err != nil {
			return err
		}
	}
	if o.Contacts == "" {
		return nil
	}
	text, err := readBounded(o.Contacts, maxTestFile)
	if err != nil {
		return err
	}
	world.Box.Contacts, err = contactsOf(o.Contacts, text)
	return err
}

// contactsOf reads a file of vCards.
func contactsOf(name string, text []byte) (map[address.Key]hook.Contact, error) {
	known := make(map[address.Key]hook.Contact)
	for card, err := range vcard.All(bytes.NewReader(text), contentline.Limits{}) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, p := range card.All("EMAIL") {
			a, err := address.Parse(strings.TrimSpace(contentline.Text(p.Value)))
			if err != nil {
				continue // the server knows it no more
			}
			c := hook.Contact{Name: contentline.Text(card.Value("FN"))}
			if c.Name == "" {
				c.Name = a.String()
			}
			known[a.Key()] = c
		}
	}
	return known, nil
}
