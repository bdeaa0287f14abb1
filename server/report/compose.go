package report

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// pending is a report that is to be sent: a kind, day and domain.
type pending struct {
	kind    Kind
	day     int64
	domain  string
	policy  string
	dropped int64
	id      string // given at the first attempt
}

// begin and end are the first and the last second of its day.
func (p *pending) begin() int64 { return startOf(p.day).Unix() }
func (p *pending) end() int64   { return startOf(p.day+1).Unix() - 1 }

// rowCount is a row with its count.
type rowCount[T any] struct {
	row   T
	count int64
}

// readRows reads the rows of a kind, day and domain.
func readRows[T any](ctx context.Context, s *Store, p *pending) ([]rowCount[T], error) {
	var all []rowCount[T]
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT row, count FROM report_row WHERE kind = ? AND day = ? AND domain = ? ORDER BY row`, p.kind, p.day, p.domain)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			var r rowCount[T]
			if err := rows.Scan(&text, &r.count); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &r.row); err != nil {
				return fmt.Errorf("a row of report_row: %w", err)
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	return all, err
}

// feedback makes a DMARC report of what was counted.
func (s *Store) feedback(ctx context.Context, p *pending, from Identity) (*Feedback, []string, error) {
	var policy Policy
	if err := json.Unmarshal([]byte(p.policy), &policy); err != nil {
		return nil, nil, err
	}
	rows, err := readRows[dmarcRow](ctx, s, p)
	if err != nil {
		return nil, nil, err
	}
	f := &Feedback{
		Version:  "1.0",
		Metadata: Metadata{Org: string(from.Organization), Email: from.Contact.String(), ID: p.id, Range: DateRange{number(p.begin()), number(p.end())}},
		Policy: PolicyPublished{
			Domain: policy.Domain, ADKIM: policy.ADKIM, ASPF: policy.ASPF, P: policy.P, SP: policy.SP, Pct: strconv.Itoa(policy.Pct), FO: policy.FO,
		},
	}
	if p.dropped > 0 {
		f.Metadata.Errors = []string{fmt.Sprintf("%d messages of further kinds are not in this report", p.dropped)}
	}
	for _, r := range rows {
		f.Records = append(f.Records, r.row.record(r.count))
	}
	slices.SortFunc(f.Records, func(a, b Record) int {
		x, _ := netip.ParseAddr(a.Row.Source) // they were addresses when they were kept
		y, _ := netip.ParseAddr(b.Row.Source)
		return x.Compare(y)
	})
	return f, policy.RUA, nil
}

func (r *dmarcRow) record(count int64) Record {
	rec := Record{
		Row: Row{Source: r.Source, Count: number(count), Evaluated: PolicyEvaluated{
			Disposition: r.Disposition, DKIM: passFail(r.DKIMAligned), SPF: passFail(r.SPFAligned),
		}},
		Identifiers: Identifiers{EnvelopeFrom: r.EnvelopeFrom, HeaderFrom: r.HeaderFrom},
		Auth:        AuthResults{DKIM: r.DKIM, SPF: []SPFAuth{r.SPF}},
	}
	if r.Override != nil {
		rec.Row.Evaluated.Reasons = []Reason{*r.Override}
	}
	return rec
}

func passFail(pass bool) string {
	if pass {
		return "pass"
	}
	return "fail"
}

// tlsReport makes a TLS report of what was counted.
func (s *Store) tlsReport(ctx context.Context, p *pending, from Identity) (*TLSReport, error) {
	rows, err := readRows[tlsRow](ctx, s, p)
	if err != nil {
		return nil, err
	}
	t := &TLSReport{
		Org: string(from.Organization), Contact: from.Contact.String(), ID: p.id,
		Range: TLSRange{moment(time.Unix(p.begin(), 0)), moment(time.Unix(p.end(), 0))},
	}
	for _, r := range rows {
		found := PolicyFound{Type: r.row.PolicyType, Strings: r.row.Strings, Domain: p.domain, MXHosts: r.row.MXPatterns}
		policy := t.policy(found)
		if r.row.Failure == "" {
			policy.Summary.Successful += r.count
			continue
		}
		policy.Summary.Failed += r.count
		policy.Failures = append(policy.Failures, TLSFailure{
			Type: r.row.Failure, Local: r.row.Local, MX: r.row.MX, Remote: r.row.Remote, Count: r.count, Reason: r.row.Detail,
		})
	}
	return t, nil
}

// policy returns the entry of a policy, new when there is none.
func (t *TLSReport) policy(found PolicyFound) *TLSPolicy {
	for i := range t.Policies {
		p := t.Policies[i].Policy
		if p.Type == found.Type && slices.Equal(p.Strings, found.Strings) && slices.Equal(p.MXHosts, found.MXHosts) {
			return &t.Policies[i]
		}
	}
	t.Policies = append(t.Policies, TLSPolicy{Policy: found})
	return &t.Policies[len(t.Policies)-1]
}
