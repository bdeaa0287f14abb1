package senderauth

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/message"
)

// maxSets is the highest instance of an ARC set (RFC 8617 4.2.1).
const maxSets = 50

// The fields of an ARC set (RFC 8617 4.1), in the order in which they are sealed.
const (
	arcResults = iota // ARC-Authentication-Results
	arcMessage        // ARC-Message-Signature
	arcSeal           // ARC-Seal
	arcKinds
)

var arcNames = [arcKinds]string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"}

// arcSet is one set of a chain.
type arcSet struct {
	fields  [arcKinds][]byte
	results string // of arcResults, behind the instance
	message *signature
	seal    *signature
	cv      string
}

// arcChain is the sets of a message, oldest first.
type arcChain struct {
	sets    []arcSet
	highest int // instance that any field names
	now     time.Time
	ended   bool  // the newest seal says that the chain is broken
	err     error // why it is no chain
}

// parseARC finds the chain of a message and checks its form (RFC 8617 5.2, steps 1 to
// 3). Without any field there are no sets and no error.
func parseARC(h *message.Header, now time.Time) arcChain {
	chain := arcChain{now: now}
	var found [maxSets + 1]arcSet
	for i := range h.Len() {
		name, raw := h.Field(i)
		kind := slices.IndexFunc(arcNames[:], func(n string) bool { return strings.EqualFold(n, name) })
		if kind < 0 {
			continue
		}
		if err := chain.add(&found, kind, raw); chain.err == nil {
			chain.err = err // the others only count for the highest instance
		}
	}
	for i := 1; i <= chain.highest && chain.err == nil; i++ {
		set := found[i]
		if slices.ContainsFunc(set.fields[:], func(f []byte) bool { return f == nil }) {
			chain.err = errors.New("a set is incomplete")
			break
		}
		chain.err = set.checkCV(i)
		chain.sets = append(chain.sets, set)
	}
	if chain.err != nil {
		chain.sets = nil
	}
	chain.ended = found[chain.highest].cv == "fail"
	return chain
}

// add takes one field.
func (c *arcChain) add(found *[maxSets + 1]arcSet, kind int, raw []byte) error {
	instance, rest, err := instanceOf(kind, raw)
	if err != nil {
		return err
	}
	c.highest = max(c.highest, instance)
	set := &found[instance]
	if set.fields[kind] != nil {
		return errors.New("a set has a field twice")
	}
	set.fields[kind] = raw
	switch kind {
	case arcResults:
		set.results = rest
	case arcMessage:
		if set.message, err = parseSignature(raw); err == nil {
			err = set.message.parseCoverage()
		}
		if err == nil {
			err = set.message.checkTimes()
		}
		if err == nil && slices.Contains(set.message.names, "arc-seal") { // RFC 8617 4.1.2
			err = errors.New("a message signature covers a seal")
		}
	case arcSeal:
		if set.seal, err = parseSignature(raw); err == nil {
			err = set.seal.checkTimes()
		}
		if _, has := set.seal.tags.get("h"); has && err == nil { // RFC 8617 4.1.3
			err = errors.New("a seal has h=")
		}
		cv, _ := set.seal.tags.get("cv")
		set.cv = strings.ToLower(cv)
	}
	return err
}

// instanceOf reads i= (RFC 8617 4.2.1); of ARC-Authentication-Results also the rest.
func instanceOf(kind int, raw []byte) (instance int, rest string, err error) {
	_, value, _ := strings.Cut(string(raw), ":")
	var text string
	if kind == arcResults {
		first, behind, more := cutStatement(value)
		name, number, _ := strings.Cut(first, "=")
		if !more || strings.Trim(name, fws) != "i" {
			return 0, "", errors.New("results without an instance")
		}
		text, rest = strings.Trim(number, fws), behind
	} else {
		tags, err := parseTags(value)
		if err != nil {
			return 0, "", err
		}
		text, _ = tags.get("i")
	}
	instance, err = strconv.Atoi(text)
	if err != nil || !digits(text) || instance < 1 || instance > maxSets {
		return 0, "", errors.New("bad instance")
	}
	return instance, rest, nil
}

// checkCV is RFC 8617 5.2, step 3: the first seal says "none", all others "pass".
func (s *arcSet) checkCV(instance int) error {
	switch {
	case s.cv == "fail":
		return errors.New("a seal says that the chain was broken before")
	case instance == 1 && s.cv != "none", instance > 1 && s.cv != "pass":
		return errors.New("bad cv=")
	}
	return nil
}

// newest returns the set that was added last; there must be one.
func (c *arcChain) newest() *arcSet { return &c.sets[len(c.sets)-1] }

// want asks for what verify needs: the body's hash for the newest message signature, and
// the keys of that and of all seals.
func (c *arcChain) want(keys keyring, sums *bodySums) {
	if len(c.sets) == 0 {
		return
	}
	m := c.newest().message
	m.sum = sums.want(m.body, m.limit)
	keys.want(m)
	for i := range c.sets {
		keys.want(c.sets[i].seal)
	}
}

// verify checks the signatures (RFC 8617 5.2, steps 4 to 6), which is done once keys and
// body are there.
func (c *arcChain) verify(h *message.Header, places fieldPlaces, keys keyring) ARC {
	switch {
	case c.err != nil:
		return ARC{Result: Fail, Instance: c.highest, Reason: c.err.Error()}
	case len(c.sets) == 0:
		return ARC{Result: None}
	}
	newest := c.newest()
	a := ARC{Result: Pass, Instance: len(c.sets), Sealer: newest.seal.domain, chain: c.list()}
	err := newest.message.checkExpiry(c.now) // older ones need hold no more
	if err == nil {
		err = newest.checkMessage(h, places, keys)
	}
	if err == nil {
		err = c.checkSeals(keys)
	}
	if err != nil {
		a.Result, a.Reason = Fail, err.Error()
		if p := (*problem)(nil); errors.As(err, &p) && p.result == TempError {
			a.Result = TempError
		}
	}
	return a
}

func (s *arcSet) checkMessage(h *message.Header, places fieldPlaces, keys keyring) error {
	m := s.message
	key, err := keys.get(m)
	if err != nil {
		return err
	}
	if err := m.checkBody(); err != nil {
		return err
	}
	if m.partial() {
		return failed(Policy, "l= leaves a part of the body unsigned")
	}
	data := places.appendSigned(nil, h, m.header, m.names)
	return key.verify(m, append(data, m.unsigned(m.header)...))
}

// checkSeals checks the seals, newest first. Each covers all sets up to its own (RFC
// 8617 5.1.1).
func (c *arcChain) checkSeals(keys keyring) error {
	signed, upTo := c.sealed()
	for i := len(c.sets) - 1; i >= 0; i-- {
		seal := c.sets[i].seal
		key, err := keys.get(seal)
		if err == nil {
			err = key.verify(seal, slices.Concat(signed[:upTo[i]], seal.unsigned(relaxed)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sealed returns all fields of the chain, canonical, and for each set where its seal
// begins.
func (c *arcChain) sealed() (fields []byte, upTo []int) {
	for _, set := range c.sets {
		for kind := range arcKinds {
			if kind == arcSeal {
				upTo = append(upTo, len(fields))
			}
			fields = appendField(fields, relaxed, set.fields[kind])
		}
	}
	return fields, upTo
}

func (c *arcChain) list() []Set {
	list := make([]Set, len(c.sets))
	for i, s := range c.sets {
		list[i] = Set{Instance: i + 1, Sealer: s.seal.domain, Selector: s.seal.selector, Results: s.results}
	}
	return list
}

// vouched tells whether a chain of trusted sealers, unbroken from the newest set on,
// leads back to one that saw DMARC pass for the author's domain.
func (a ARC) vouched(author address.Domain, trusted func(address.Domain) bool) bool {
	if a.Result != Pass {
		return false
	}
	for _, set := range slices.Backward(a.chain) {
		if !trusted(set.Sealer) {
			return false
		}
		if set.passedDMARC(author) {
			return true
		}
	}
	return false
}

func (s Set) passedDMARC(author address.Domain) bool {
	_, results, ok := cutAuthServ(s.Results)
	if !ok {
		return false
	}
	for _, method := range parseResults(results) {
		name, _, _ := strings.Cut(method[0].name, "/") // RFC 8601 2.2: a version
		if name != "dmarc" || !strings.EqualFold(method[0].value, "pass") {
			continue
		}
		from := slices.IndexFunc(method, func(p pair) bool { return p.name == "header.from" })
		if from < 0 || sameDomain(method[from].value, author) {
			return true
		}
	}
	return false
}

func itoa(n int) string { return strconv.Itoa(n) }
