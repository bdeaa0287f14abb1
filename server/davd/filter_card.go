package davd

import (
	"slices"
	"strings"
	"unicode"

	"facteur/server/collection"
	"facteur/server/contentline"
	"facteur/server/davxml"
	"facteur/server/homes"
	"facteur/server/vcard"
)

// cardFilter reads the filter of an addressbook-query (RFC 6352 10.5). One without conditions
// finds all.
func cardFilter(e *davxml.Element) (vcard.Filter, error) {
	f := &filterReader{name: davxml.CR, collation: contentline.UnicodeCasemap, matchType: true}
	if e == nil {
		return vcard.Filter{}, f.unmet("valid-filter", nil, "there is no filter")
	}
	var out vcard.Filter
	var err error
	if out.AllOf, err = f.allOf(e); err != nil {
		return out, err
	}
	for _, c := range e.Children {
		if c.Name != f.name("prop-filter") {
			if err := f.unknown(c); err != nil {
				return out, err
			}
			continue
		}
		p, err := f.cardProp(c)
		if err != nil {
			return out, err
		}
		out.Props = append(out.Props, p)
	}
	return out, nil
}

// cardProp reads a prop-filter (RFC 6352 10.5.1).
func (f *filterReader) cardProp(e *davxml.Element) (p vcard.PropFilter, err error) {
	if p.Name, err = f.condition(e); err != nil {
		return p, err
	}
	if p.AllOf, err = f.allOf(e); err != nil {
		return p, err
	}
	if p.NotDefined, err = f.notDefined(e); err != nil || p.NotDefined {
		return p, err
	}
	for _, c := range e.Children {
		switch c.Name {
		case f.name("text-match"):
			var text contentline.TextMatch
			text, err = f.textMatch(c)
			p.Texts = append(p.Texts, text)
		case f.name("param-filter"):
			var param contentline.ParamFilter
			param, err = f.paramFilter(c)
			p.Params = append(p.Params, param)
		default:
			err = f.unknown(c)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// cardJudge says what the index knows of a filter (homes.Term). The texts to look for are
// folded once.
type cardJudge struct {
	allOf bool
	props []judgedProp
}

type judgedProp struct {
	vcard.PropFilter
	prefix string // of its terms; "": the index has none
	texts  []judgedText
}

type judgedText struct {
	contentline.TextMatch
	folded string
	// exact: the index knows whether a value matches; else, when blind is not set, that it
	// does not.
	exact, blind bool
}

func newCardJudge(f vcard.Filter) *cardJudge {
	j := &cardJudge{allOf: f.AllOf}
	for _, p := range f.Props {
		j.props = append(j.props, newJudgedProp(collection.AddressBook, p))
	}
	return j
}

func newJudgedProp(kind collection.Kind, p vcard.PropFilter) judgedProp {
	q := judgedProp{PropFilter: p}
	if homes.HasTerms(kind, p.Name) { // not where a group is named
		q.prefix = homes.Term(p.Name, "")
	}
	for _, t := range p.Texts {
		q.texts = append(q.texts, judgeText(t))
	}
	return q
}

// judgeText prepares a text. Terms are folded by i;unicode-casemap; what another collation
// finds, that finds too, but where marks change places by it.
func judgeText(t contentline.TextMatch) judgedText {
	ascii := strings.IndexFunc(t.Text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
	return judgedText{TextMatch: t, folded: contentline.Fold(t.Text),
		exact: t.Collation == contentline.UnicodeCasemap, blind: !ascii && t.Collation != contentline.UnicodeCasemap}
}

// judge says what the index knows of a card.
func (j *cardJudge) judge(facts *collection.Facts) verdict {
	more := slices.Contains(facts.Props, homes.MoreTerms)
	v := joined{allOf: j.allOf || len(j.props) == 0}
	v.begin()
	for i := range j.props {
		v.add(j.props[i].judge(facts.Props, more))
	}
	return v.verdict
}

// joined joins the verdicts of conditions, of which all or any have to be met.
type joined struct {
	allOf   bool
	verdict verdict
}

func (j *joined) begin() {
	if j.verdict = no; j.allOf {
		j.verdict = yes
	}
}

func (j *joined) add(v verdict) {
	if j.allOf {
		j.verdict = j.verdict.and(v)
	} else {
		j.verdict = j.verdict.or(v)
	}
}

// judge says what the index knows of a condition. more: there are values that it has not.
func (p *judgedProp) judge(terms []string, more bool) verdict {
	if p.prefix == "" {
		return unsure
	}
	found, defined := no, false
	for _, term := range terms {
		if value, ok := strings.CutPrefix(term, p.prefix); ok {
			defined = true
			found = found.or(p.value(value))
		}
	}
	switch {
	case p.NotDefined && defined, !p.NotDefined && !defined && !more:
		return no
	case p.NotDefined && !more:
		return yes
	case more && found != yes:
		return unsure
	}
	return found
}

// value says what is known of one value.
func (p *judgedProp) value(folded string) verdict {
	v := joined{allOf: p.AllOf || len(p.texts)+len(p.Params) == 0}
	v.begin()
	for i := range p.texts {
		v.add(p.texts[i].judge(folded))
	}
	for range p.Params {
		v.add(unsure)
	}
	return v.verdict
}

func (t *judgedText) judge(folded string) verdict {
	var found bool
	switch t.Match {
	case contentline.Equals:
		found = folded == t.folded
	case contentline.StartsWith:
		found = strings.HasPrefix(folded, t.folded)
	case contentline.EndsWith:
		found = strings.HasSuffix(folded, t.folded)
	default:
		found = strings.Contains(folded, t.folded)
	}
	switch {
	case t.blind || !t.exact && found:
		return unsure
	case found != t.Negate:
		return yes
	}
	return no
}

// cardMayHave says whether a card may have the texts that a filter looks for.
func cardMayHave(f vcard.Filter, raw *contentline.Raw) bool {
	v := joined{allOf: f.AllOf || len(f.Props) == 0}
	v.begin()
	for _, p := range f.Props {
		v.add(mayHaveProp(p, raw))
	}
	return v.verdict != no
}

func mayHaveProp(p vcard.PropFilter, raw *contentline.Raw) verdict {
	if p.NotDefined {
		return unsure
	}
	v := joined{allOf: p.AllOf || len(p.Texts)+len(p.Params) == 0}
	v.begin()
	for _, t := range p.Texts {
		if raw.MayMatch(t) {
			v.add(unsure)
		} else {
			v.add(no)
		}
	}
	for range p.Params {
		v.add(unsure)
	}
	return v.verdict
}
