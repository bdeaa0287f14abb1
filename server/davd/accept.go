package davd

import (
	"mime"
	"strconv"
	"strings"

	"facteur/server/vcard"
)

// cardVersion is the version of vCard that the header Accept prefers (RFC 6352 5.1.1, RFC 9110
// 12.5.1): "3.0" or "4.0", and "" where it prefers none.
func (r *request) cardVersion() string {
	of := map[string]float64{"3.0": 0, "4.0": 0}
	any, exact := 0.0, make(map[string]float64)
	for _, line := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(one)
			if err != nil || media != "text/vcard" && media != "text/*" && media != "*/*" {
				continue
			}
			q := 1.0
			if s, ok := params["q"]; ok {
				if q, err = strconv.ParseFloat(s, 64); err != nil || !(q >= 0 && q <= 1) {
					continue
				}
			}
			if _, known := of[params["version"]]; known && media == "text/vcard" {
				exact[params["version"]] = max(exact[params["version"]], q)
			} else if params["version"] == "" {
				any = max(any, q)
			}
		}
	}
	for version := range of {
		of[version] = any
		if q, ok := exact[version]; ok { // what is more specific counts
			of[version] = q
		}
	}
	switch {
	case of["3.0"] > of["4.0"]:
		return "3.0"
	case of["4.0"] > of["3.0"]:
		return "4.0"
	}
	return ""
}

// varies says whether an object may be told otherwise than it is kept.
func (r *request) varies(n *node) bool {
	return n.kind == cardNode && r.cardVersion() != "" || n.kind&(eventNode|messageNode) != 0 && r.zones() != zonesAsKept
}

// variant returns an object as the request wants it; changed: otherwise than it is kept. What can't
// be told so stays as it is.
func (r *request) variant(n *node, kept []byte) (octets []byte, changed bool) {
	if n.kind != cardNode {
		return r.zones().octets(kept)
	}
	version := r.cardVersion()
	card, err := vcard.ParseBytes(kept)
	if err != nil || card.Version() == version {
		return kept, false
	}
	if card, err = card.Convert(version); err != nil {
		return kept, false
	}
	return card.Append(nil), true
}
