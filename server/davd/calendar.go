package davd

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/homes"
)

// caldav is RFC 4791 5 and 6, with the properties of RFC 7809 and those of Apple's programs.
func caldav() part {
	order, description := davxml.A("calendar-order"), davxml.C("calendar-description")
	transp, timezone, zoneID := davxml.C("schedule-calendar-transp"), davxml.C("calendar-timezone"), davxml.C("calendar-timezone-id")
	return part{
		classes: []string{"calendar-access", "calendar-no-timezone"}, // RFC 4791 5.1, RFC 7809 3.1.1
		methods: map[string]method{
			"MKCALENDAR": {absent: calendarNode, makes: mayBind, run: mkcalendar},
		},
		properties: []property{
			text(description, calendarNode, maxText),
			text(order, collectionNodes, maxName),
			{name: davxml.A("calendar-color"), kinds: collectionNodes, loads: loadProps, has: hasColor, write: writeColor, set: setColor},
			{name: transp, kinds: calendarNode, loads: loadProps, write: writeTransp, set: setTransp},
			{name: timezone, kinds: calendarNode, loads: loadProps, has: hasTimezone, write: writeTimezone, set: setTimezone},
			{name: zoneID, kinds: calendarNode, loads: loadProps, has: hasTimezone, write: writeZoneID, set: setZoneID},
			{name: davxml.C("supported-calendar-component-set"), kinds: calendarNode, loads: loadProps, write: writeComponents, set: setComponents},
			{name: davxml.C("supported-calendar-component-sets"), kinds: homeNode, write: writeComponentSets},
			{name: davxml.C("supported-calendar-data"), kinds: calendarNode | inboxNode | outboxNode, write: func(_ *request, _ *node, w *davxml.Writer) {
				w.Empty(davxml.C("calendar-data"), davxml.Attribute("content-type", "text/calendar"), davxml.Attribute("version", "2.0"))
			}},
			{name: davxml.C("supported-collation-set"), kinds: calendarNode, write: writeCollations(davxml.C("supported-collation"))},
			{name: davxml.C("max-resource-size"), kinds: calendarNode | inboxNode | outboxNode, write: writeMaxSize},
			{name: davxml.C("supported-rscale-set"), kinds: calendarNode, write: func(_ *request, _ *node, w *davxml.Writer) { // RFC 7529 10.1
				w.Element(davxml.C("supported-rscale"), "GREGORIAN")
			}},
			{name: davxml.D("resource-id"), kinds: collectionNodes, loads: loadProps, write: writeResourceID},
		},
	}
}

// text is a property that is kept as the text that a client gave it.
func text(name davxml.Name, kinds kind, most int) property {
	key := name.String()
	return property{name: name, kinds: kinds, loads: loadProps, has: hasKept(name), write: writeKept(name),
		lang: func(n *node) string { return n.props.Other[langKey(name)] },
		set: func(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
			delete(kept.Other, langKey(name))
			if e == nil {
				delete(kept.Other, key)
				return nil
			}
			if len(e.Text) > most {
				return &failure{status: http.StatusForbidden, text: "The text is too long"}
			}
			kept.Other[key] = e.Text
			keepLang(kept, name, e.Lang, "")
			return nil
		}}
}

func hasKept(name davxml.Name) func(*request, *node) bool {
	key := name.String()
	return func(_ *request, n *node) bool { _, ok := n.other(key); return ok }
}

func writeKept(name davxml.Name) func(*request, *node, *davxml.Writer) {
	key := name.String()
	return func(_ *request, n *node, w *davxml.Writer) { w.Text(n.props.Other[key]) }
}

// colorKey is where a colour is kept as the client gave it, beside the #RRGGBB of vdir.
const colorKey = "{http://apple.com/ns/ical/}calendar-color"

// colorOf returns the colour of a collection: as a client gave it, unless another program
// changed it since.
func colorOf(p *collection.Props) string {
	if given, ok := p.Other[colorKey]; ok && strings.EqualFold(plainColor(given), p.Color) {
		return given
	}
	return p.Color
}

func hasColor(_ *request, n *node) bool { return colorOf(n.props) != "" }

func writeColor(_ *request, n *node, w *davxml.Writer) { w.Text(colorOf(n.props)) }

func setColor(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, colorKey)
	kept.Color = ""
	if e == nil {
		return nil
	}
	given := e.Trimmed()
	if len(given) > 64 {
		return &failure{status: http.StatusForbidden, text: "That is no colour"}
	}
	if kept.Color = plainColor(given); kept.Color != given && given != "" {
		kept.Other[colorKey] = given
	}
	return nil
}

// plainColor returns #RRGGBB for #RGB, #RRGGBB and #RRGGBBAA, and "" for all else, such as the
// name of a colour.
func plainColor(s string) string {
	hex, ok := strings.CutPrefix(s, "#")
	if _, err := strconv.ParseUint(hex, 16, 64); err != nil || !ok {
		return ""
	}
	switch len(hex) {
	case 3:
		return strings.ToUpper("#" + hex[:1] + hex[:1] + hex[1:2] + hex[1:2] + hex[2:] + hex[2:])
	case 6, 8:
		return strings.ToUpper("#" + hex[:6])
	}
	return ""
}

const transpKey = "{urn:ietf:params:xml:ns:caldav}schedule-calendar-transp"

func writeTransp(_ *request, n *node, w *davxml.Writer) { // RFC 6638 9.1
	if n.props.Other[transpKey] == "transparent" {
		w.Empty(davxml.C("transparent"))
		return
	}
	w.Empty(davxml.C("opaque"))
}

func setTransp(_ *request, _ *node, kept *collection.Props, e *davxml.Element) error {
	delete(kept.Other, transpKey)
	if e == nil || e.Child(davxml.C("opaque")) != nil {
		return nil
	}
	if e.Child(davxml.C("transparent")) == nil {
		return &failure{status: http.StatusForbidden, text: "It is opaque or transparent"}
	}
	kept.Other[transpKey] = "transparent"
	return nil
}

// kinds of components that a calendar may keep (RFC 4791 5.2.3, RFC 7953 for VAVAILABILITY).
var componentNames = []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

// componentsOf returns the components that a calendar keeps.
func componentsOf(p *collection.Props) []string {
	if list := p.Other[homes.Components]; list != "" {
		return strings.Split(list, ",")
	}
	return componentNames
}

func writeComponents(_ *request, n *node, w *davxml.Writer) {
	writeComps(w, componentsOf(n.props))
}

func writeComps(w *davxml.Writer, names []string) {
	for _, name := range names {
		w.Empty(davxml.C("comp"), davxml.Attribute("name", name))
	}
}

// setComponents is for what is being made: later it is protected (RFC 4791 5.2.3).
func setComponents(_ *request, n *node, kept *collection.Props, e *davxml.Element) error {
	if !n.absent {
		return forbidden(davxml.D("cannot-modify-protected-property"), "")
	}
	if e == nil {
		delete(kept.Other, homes.Components)
		return nil
	}
	var names []string
	for _, c := range e.All(davxml.C("comp")) {
		name := strings.ToUpper(c.Attr("name"))
		if !slices.Contains(componentNames, name) && name != "VTIMEZONE" {
			return forbidden(davxml.C("supported-calendar-component"), "Calendars do not keep %s", clip(name))
		}
		if name != "VTIMEZONE" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		kept.Other[homes.Components] = strings.Join(names, ",")
	}
	return nil
}

// writeComponentSets tells which calendars can be made, as Apple's programs ask.
func writeComponentSets(_ *request, _ *node, w *davxml.Writer) {
	sets := [][]string{componentNames}
	for i := range componentNames {
		sets = append(sets, componentNames[i:i+1])
	}
	for _, set := range sets {
		w.Begin(davxml.C("supported-calendar-component-set"))
		writeComps(w, set)
		w.End()
	}
}

func writeCollations(name davxml.Name) func(*request, *node, *davxml.Writer) {
	return func(_ *request, _ *node, w *davxml.Writer) {
		for _, c := range contentline.Collations() {
			w.Element(name, c)
		}
	}
}

func writeMaxSize(r *request, _ *node, w *davxml.Writer) { r.number(w, r.opt.MaxObject) }

// writeResourceID writes the id that a collection got when it was made; one that was not made
// here has that of its place.
func writeResourceID(_ *request, n *node, w *davxml.Writer) {
	id, ok := n.other(resourceID)
	if !ok {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s", n.owner.Key(), n.coll.Name()))
		id = formatUUID([16]byte(sum[:16]))
	}
	w.Element(davxml.D("href"), id)
}
