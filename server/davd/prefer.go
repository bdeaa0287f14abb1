package davd

import (
	"net/http"
	"strings"
)

// prefer is what the client would like (RFC 7240, RFC 8144).
type prefer struct {
	minimal        bool // return=minimal, and Brief: t
	representation bool // return=representation
	noRoot         bool // depth-noroot
}

func parsePrefer(h http.Header) (p prefer) {
	p.minimal = strings.EqualFold(strings.TrimSpace(h.Get("Brief")), "t") // RFC 8144 appendix A
	for _, line := range h.Values("Prefer") {
		for _, one := range strings.Split(line, ",") {
			one, _, _ = strings.Cut(one, ";")
			switch strings.ToLower(strings.ReplaceAll(strings.TrimSpace(one), " ", "")) {
			case "return=minimal", `return="minimal"`, "return-minimal": // the last is of RFC 6578 drafts
				p.minimal = true
			case "return=representation", `return="representation"`:
				p.representation = true
			case "depth-noroot":
				p.noRoot = true
			}
		}
	}
	return p
}
