package homes

import (
	"facteur/server/collection"
	"facteur/server/ical"
)

// DerivedIndexVersion is that of DerivedIndex (collection.Options.IndexVersion).
const DerivedIndexVersion = 2

// DerivedIndex reads an object of the derived store (collection.Options.Index). It
// takes iTIP messages, which have a METHOD and of which a scheduling inbox may have
// several with one UID (RFC 6638 4.1): their Facts.UID is empty, and Facts.Props has
// "uid=" and "method=" with the values, and the terms that Index has. Of what other servers publish it asks no
// more than that it can be read.
func DerivedIndex(kind collection.Kind, data []byte) (collection.Facts, error) {
	if kind == collection.AddressBook {
		return indexCard(data)
	}
	c, err := ical.ParseBytes(data)
	if err != nil {
		return collection.Facts{}, err
	}
	o, err := ical.NewObject(c)
	if err != nil {
		return collection.Facts{}, err
	}
	f := collection.Facts{UID: o.UID, Kind: o.Kind, Props: calendarTerms(c, o.Kind)}
	f.First, f.Last, f.Infinite = span(o)
	if method := c.Value("METHOD"); method != "" {
		f.UID = ""
		f.Props = append(f.Props, "uid="+short(o.UID), "method="+short(method))
	}
	return f, nil
}

// short bounds what the index keeps of a value.
func short(s string) string { return s[:min(len(s), 512)] }
