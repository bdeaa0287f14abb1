package vcard

import (
	"slices"
	"strings"

	"facteur/server/contentline"
)

// Filter is the condition of an addressbook-query (RFC 6352 10.5).
type Filter struct {
	AllOf bool // of the conditions; false: any of them
	Props []PropFilter
}

// PropFilter is the condition prop-filter (RFC 6352 10.5.1).
type PropFilter struct {
	Name       string // in upper case; with a group and a dot before it: only in that group
	NotDefined bool
	AllOf      bool // of the conditions; false: any of them
	Texts      []contentline.TextMatch
	Params     []contentline.ParamFilter
}

// Match says whether a filter finds the card. One without conditions finds every card.
func (c *Card) Match(f Filter) bool {
	return met(f.AllOf, f.Props, c.matchProp)
}

// met says whether all or any of some conditions are met; of none, both are.
func met[T any](allOf bool, conditions []T, ok func(T) bool) bool {
	if allOf || len(conditions) == 0 {
		return !slices.ContainsFunc(conditions, func(c T) bool { return !ok(c) })
	}
	return slices.ContainsFunc(conditions, ok)
}

func (c *Card) matchProp(f PropFilter) bool {
	group, name, grouped := strings.Cut(f.Name, ".")
	if !grouped {
		name = f.Name
	}
	defined := false
	for _, p := range c.Props {
		if p.Name != name || grouped && !strings.EqualFold(p.Group, group) {
			continue
		}
		defined = true
		if !f.NotDefined && f.matches(p) {
			return true
		}
	}
	return f.NotDefined && !defined
}

// matches says whether one property meets the conditions.
func (f PropFilter) matches(p Prop) bool {
	var conditions []func() bool
	for _, t := range f.Texts {
		conditions = append(conditions, func() bool { return t.Matches(contentline.Text(p.Value)) })
	}
	listed := p
	if types := Types(p); len(types) > 0 {
		listed = p.Without("TYPE")
		listed.Params = append(listed.Params, contentline.Param{Name: "TYPE", Values: types})
	}
	for _, q := range f.Params {
		conditions = append(conditions, func() bool { return q.Matches(p) || q.Matches(listed) && (q.Text == nil || !q.Text.Negate) })
	}
	return met(f.AllOf, conditions, func(ok func() bool) bool { return ok() })
}
