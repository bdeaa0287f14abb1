package senderauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"facteur/server/address"
	"facteur/server/envelope"
	"facteur/server/message"
)

// overSigned are the fields that are signed once more than they stand in the message, so
// that nobody can add one (RFC 6376 8.15). Sender and Reply-To are not among them, nor
// List-*: mailing lists add these, and a message that passes through one unchanged shall
// keep its signature.
var overSigned = []string{
	"from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references",
	"mime-version", "content-type", "content-transfer-encoding",
}

// signedIfThere are the further fields that mean something to readers (RFC 6376 5.4.1,
// RFC 8058 4).
var signedIfThere = []string{
	"sender", "reply-to", "resent-date", "resent-from", "resent-to", "resent-cc", "resent-message-id",
	"list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post", "list-owner", "list-archive",
	"content-disposition", "content-language", "auto-submitted", "disposition-notification-to", "autocrypt",
}

// maxTimes bounds how often h= names one field.
const maxTimes = 50

// namesOf returns h= for a message.
func (p fieldPlaces) namesOf(more ...string) []string {
	var names []string
	for _, name := range overSigned {
		names = append(names, slices.Repeat([]string{name}, min(len(p[name]), maxTimes)+1)...)
	}
	for _, name := range append(slices.Clone(signedIfThere), more...) {
		names = append(names, slices.Repeat([]string{name}, min(len(p[name]), maxTimes))...)
	}
	return names
}

// Sign returns the DKIM-Signature fields of domain, RSA and Ed25519 (RFC 8463), for a
// message as it leaves; they go on top of it. Keys are made on first use. h is the header
// of b. The error is that of the disk, or of a message without From.
func (k *Keys) Sign(domain address.Domain, h *message.Header, b envelope.Body) ([]byte, error) {
	if h.Count("From") == 0 {
		return nil, errors.New("a message without From can't be signed") // RFC 6376 5.4
	}
	keys, err := k.signing(domain)
	if err != nil {
		return nil, err
	}
	hash, err := bodyHash(h, b)
	if err != nil {
		return nil, err
	}
	places := placesOf(h)
	names := places.namesOf()
	signed := places.appendSigned(nil, h, relaxed, names)
	now := k.now().Unix()
	var out []byte
	for _, key := range keys {
		field := fmt.Sprintf("DKIM-Signature: v=1; a=%s-sha256; c=relaxed/relaxed; d=%s;\r\n\ts=%s; t=%d;\r\n\th=%s;\r\n\tbh=%s;\r\n\tb=",
			key.algorithm, domain, key.selector, now, foldNames(names), hash)
		if field, err = key.seal(signed, field); err != nil {
			return nil, err
		}
		out = append(out, field...)
	}
	return out, nil
}

// bodyHash returns bh= for the relaxed canonicalization.
func bodyHash(h *message.Header, b envelope.Body) (string, error) {
	var sums bodySums
	sum := sums.want(relaxed, -1)
	if err := sums.read(b, h.Size()); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sum.sum), nil
}

// seal signs what was signed so far with the field that ends in an empty b=, and returns
// the field with its line end.
func (k *signingKey) seal(signed []byte, field string) (string, error) {
	own := appendField(nil, relaxed, []byte(field))
	value, err := k.sign(slices.Concat(signed, own[:len(own)-len("\r\n")]))
	if err != nil {
		return "", err
	}
	return field + foldValue(base64.StdEncoding.EncodeToString(value)) + "\r\n", nil
}

// lineLength is where folded lines end, about.
const lineLength = 72

func foldNames(names []string) string {
	var out strings.Builder
	line := 0
	for i, name := range names {
		if i > 0 {
			out.WriteByte(':')
			if line += len(name) + 1; line > lineLength {
				out.WriteString("\r\n\t ")
				line = len(name)
			}
		}
		out.WriteString(name)
	}
	return out.String()
}

func foldValue(s string) string {
	var out strings.Builder
	for len(s) > lineLength {
		out.WriteString(s[:lineLength] + "\r\n\t ")
		s = s[lineLength:]
	}
	out.WriteString(s)
	return out.String()
}

// Seal returns the ARC set (RFC 8617 5.1) for a message that is passed on: it goes on
// top of it. r are the results for the message as it came. h and b are the message as it
// leaves, in which the sets that it came with still stand. Nothing is returned, and no
// error, when the chain must not be continued, or when it is not known whether it holds.
//
// Seals are made with RSA alone: few who read them know Ed25519 there.
func (k *Keys) Seal(domain address.Domain, authserv string, r Results, h *message.Header, b envelope.Body) ([]byte, error) {
	chain := parseARC(h, k.now())
	if chain.ended || chain.highest == maxSets || r.ARC.Result == TempError {
		return nil, nil // RFC 8617 5.1: no set after cv=fail, nor a 51st
	}
	if h.Count("From") == 0 {
		return nil, errors.New("a message without From can't be sealed")
	}
	keys, err := k.signing(domain)
	if err != nil {
		return nil, err
	}
	hash, err := bodyHash(h, b)
	if err != nil {
		return nil, err
	}
	key := keys[0]
	instance, cv := chain.continued(r)
	now := strconv.FormatInt(k.now().Unix(), 10)
	results := "ARC-Authentication-Results: i=" + itoa(instance) + "; " + r.payload(authserv) + "\r\n"

	places := placesOf(h)
	names := places.namesOf("dkim-signature") // RFC 8617 4.1.2
	head := fmt.Sprintf("i=%d; a=rsa-sha256; d=%s;\r\n\ts=%s; t=%s;", instance, domain, key.selector, now)
	signature, err := key.seal(places.appendSigned(nil, h, relaxed, names),
		"ARC-Message-Signature: "+head+" c=relaxed/relaxed;\r\n\th="+foldNames(names)+";\r\n\tbh="+hash+";\r\n\tb=")
	if err != nil {
		return nil, err
	}
	var signed []byte
	if cv != Fail { // RFC 8617 5.1.2: a broken chain is not vouched for
		signed, _ = chain.sealed()
	}
	signed = appendField(signed, relaxed, []byte(results))
	signed = appendField(signed, relaxed, []byte(signature))
	seal, err := key.seal(signed, "ARC-Seal: "+head+" cv="+string(cv)+";\r\n\tb=")
	if err != nil {
		return nil, err
	}
	return []byte(seal + signature + results), nil
}

// continued returns the instance of the next set, and what it says of the chain.
func (c *arcChain) continued(r Results) (instance int, cv Result) {
	switch {
	case c.highest == 0:
		cv = None
	case c.err == nil && r.ARC.Result == Pass && r.ARC.Instance == c.highest:
		cv = Pass
	default:
		cv = Fail
	}
	return c.highest + 1, cv
}
