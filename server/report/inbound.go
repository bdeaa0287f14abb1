package report

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"facteur/server/address"
	"facteur/server/message"
)

// maxKeptRows bounds the rows of one report of others.
const maxKeptRows = 2000

// Sender is who a report came from.
type Sender struct {
	Domain string // of its From
	Proven bool   // it passes DMARC
}

// keptDMARC is a row of a DMARC report of others.
type keptDMARC struct {
	Source      string   `json:"ip"`
	Disposition string   `json:"disp,omitempty"`
	DKIM        bool     `json:"dkim,omitempty"` // aligned, as SPF
	SPF         bool     `json:"spf,omitempty"`
	HeaderFrom  string   `json:"from,omitempty"`
	Reasons     []string `json:"why,omitempty"`
	Signed      []string `json:"signed,omitempty"` // domains whose signatures were good
	SPFDomain   string   `json:"spfdomain,omitempty"`
	SPFResult   string   `json:"spfresult,omitempty"`
}

// keptTLS is a row of a TLS report of others: sessions that succeeded, or failed.
type keptTLS struct {
	PolicyType string `json:"type"`
	Failure    string `json:"fail,omitempty"`
	MX         string `json:"host,omitempty"`
	Local      string `json:"from,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// about is a report of others, for one domain of ours.
type about struct {
	kind         Kind
	org, id      string
	domain       string
	policy       string // p= of a DMARC report
	began, ended time.Time
	rows         map[string]int64 // JSON to count
	more         int64            // what had no room in rows
}

// ErrNotOurs tells that a report is about none of our domains.
var ErrNotOurs = errors.New("the report is about none of our domains")

// The bounds of what is kept of others in a day, counted by domains of ours: who reports
// is not invited, and may be anybody.
const (
	maxUnproven = 100 // of all whom nobody vouches for
	maxEach     = 100 // of one sender
	maxInDay    = 1000
	maxAbout    = 50 // domains in one report
)

// ErrTooMany tells that a report was not kept because there were too many on that day.
var ErrTooMany = errors.New("there were too many reports in a day")

// Keep keeps what a report says about our domains. A report that is here already is
// not kept again.
func (s *Store) Keep(ctx context.Context, p Parsed, from Sender, ours func(address.Domain) bool) error {
	var list []*about
	switch {
	case p.DMARC != nil:
		list = aboutDMARC(p.DMARC, ours)
	case p.TLS != nil:
		list = aboutTLS(p.TLS, ours)
	}
	if len(list) == 0 {
		return ErrNotOurs
	}
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := s.checkRoom(tx, from, len(list)); err != nil {
			return err
		}
		for _, a := range list {
			if err := s.keep(tx, a, from); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkRoom tells whether n more from a sender may be kept today.
func (s *Store) checkRoom(tx *sql.Tx, from Sender, n int) error {
	var all, unproven, each int
	err := tx.QueryRow(`SELECT count(*), coalesce(sum(NOT proven), 0), coalesce(sum(proven AND sender = ?), 0) FROM report_in WHERE received > ?`,
		clip(from.Domain), s.now().Unix()-daySeconds).Scan(&all, &unproven, &each)
	switch {
	case err != nil:
		return err
	case all+n > maxInDay, !from.Proven && unproven+n > maxUnproven, from.Proven && each+n > maxEach:
		return ErrTooMany
	}
	return nil
}

func (s *Store) keep(tx *sql.Tx, a *about, from Sender) error {
	res, err := tx.Exec(`INSERT INTO report_in (kind, org, id, domain, policy, sender, proven, began, ended, received)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		a.kind, a.org, a.id, a.domain, a.policy, clip(from.Domain), from.Proven, a.began.Unix(), a.ended.Unix(), s.now().Unix())
	if isNew, err := changed(res, err); err != nil || !isNew {
		return err
	}
	number, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for row, count := range a.rows {
		if _, err := tx.Exec(`INSERT INTO report_in_row (number, row, count) VALUES (?, ?, ?)`, number, row, count); err != nil {
			return err
		}
	}
	if a.more > 0 {
		s.log.Warn("report.clipped", "org", a.org, "id", a.id, "messages", a.more)
	}
	return nil
}

// add counts a row of the report.
func (a *about) add(row any, count int64) {
	if count <= 0 {
		return
	}
	b, err := json.Marshal(row)
	if _, there := a.rows[string(b)]; err != nil || !there && len(a.rows) >= maxKeptRows {
		a.more += count
		return
	}
	a.rows[string(b)] += min(count, maxCount)
}

// maxCount bounds a number that a peer tells, so that sums have room.
const maxCount = 1 << 40

// ourDomain tells whether a domain is ours, or below one that is.
func ourDomain(name string, ours func(address.Domain) bool) (string, bool) {
	d, err := address.ParseDomain(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if err != nil {
		return "", false
	}
	for up := string(d); up != ""; {
		if ours(address.Domain(up)) {
			return string(d), true
		}
		_, up, _ = strings.Cut(up, ".")
	}
	return "", false
}

func aboutDMARC(f *Feedback, ours func(address.Domain) bool) []*about {
	domain, ok := ourDomain(f.Policy.Domain, ours)
	if !ok {
		return nil
	}
	a := &about{
		kind: DMARC, org: trimmed(f.Metadata.Org), id: trimmed(f.Metadata.ID), domain: domain, policy: token(f.Policy.P),
		began: seconds(f.Metadata.Range.Begin), ended: seconds(f.Metadata.Range.End), rows: make(map[string]int64),
	}
	for i := range f.Records {
		r := &f.Records[i]
		row := keptDMARC{
			Source: trimmed(r.Row.Source), Disposition: token(r.Row.Evaluated.Disposition),
			DKIM: token(r.Row.Evaluated.DKIM) == "pass", SPF: token(r.Row.Evaluated.SPF) == "pass",
			HeaderFrom: strings.ToLower(trimmed(r.Identifiers.HeaderFrom)),
		}
		for _, why := range r.Row.Evaluated.Reasons[:min(len(r.Row.Evaluated.Reasons), maxStrings)] {
			row.Reasons = append(row.Reasons, token(why.Type))
		}
		for _, d := range r.Auth.DKIM[:min(len(r.Auth.DKIM), maxSignatures)] {
			if token(d.Result) == "pass" {
				row.Signed = append(row.Signed, strings.ToLower(trimmed(d.Domain)))
			}
		}
		if len(r.Auth.SPF) > 0 {
			row.SPFDomain, row.SPFResult = strings.ToLower(trimmed(r.Auth.SPF[0].Domain)), token(r.Auth.SPF[0].Result)
		}
		a.add(row, int64(r.Row.Count))
	}
	return []*about{a}
}

func aboutTLS(t *TLSReport, ours func(address.Domain) bool) []*about {
	var list []*about
	byDomain := make(map[string]*about)
	for i := range t.Policies {
		p := &t.Policies[i]
		domain, ok := ourDomain(p.Policy.Domain, ours)
		if !ok {
			continue
		}
		a := byDomain[domain]
		if a == nil && len(list) == maxAbout {
			continue
		}
		if a == nil {
			a = &about{
				kind: TLS, org: trimmed(t.Org), id: trimmed(t.ID), domain: domain,
				began: clamped(time.Time(t.Range.Start)), ended: clamped(time.Time(t.Range.End)), rows: make(map[string]int64),
			}
			byDomain[domain] = a
			list = append(list, a)
		}
		a.addPolicy(p)
	}
	return list
}

// addPolicy counts the sessions of one policy. Failures without details count too.
func (a *about) addPolicy(p *TLSPolicy) {
	kind := token(p.Policy.Type)
	a.add(keptTLS{PolicyType: kind}, p.Summary.Successful)
	told := int64(0)
	for _, f := range p.Failures {
		why := trimmed(strings.TrimSpace(f.Reason + " " + f.Info))
		a.add(keptTLS{kind, token(f.Type), strings.ToLower(trimmed(f.MX)), trimmed(f.Local), why}, f.Count)
		told += max(0, min(f.Count, maxCount))
	}
	a.add(keptTLS{PolicyType: kind, Failure: "unspecified"}, p.Summary.Failed-told)
}

// token cleans a word of a peer.
func token(s string) string {
	s = strings.ToLower(trimmed(s))
	return s[:min(len(s), 40)]
}

func seconds(n number) time.Time { return clamped(time.Unix(int64(n), 0)) }

// clamped returns a time that can be shown; others are zero.
func clamped(t time.Time) time.Time {
	if t.Year() < 2000 || t.Year() > 2200 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// IsReport tells whether a message looks like one that carries a report, by its
// header alone.
func IsReport(h *message.Header) bool {
	if strings.HasPrefix(strings.ToLower(h.Subject()), "report domain:") { // RFC 7489 7.2.1.1, RFC 8460 5.3
		return true
	}
	return h.Count("TLS-Report-Domain") > 0
}
