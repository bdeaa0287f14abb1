package report

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"slices"
	"time"
)

// The bounds of a digest.
const (
	maxSources = 10 // of a domain
	maxOrgs    = 20
	maxTrouble = 20 // kinds of TLS failures each way
)

// Digest is what is known of some days: what others saw of mail in our name, and how
// well mail travelled under TLS.
type Digest struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	Domains []DomainDigest `json:"domains"`         // of ours, that others reported on
	TLSIn   []TLSDigest    `json:"tls_to_us"`       // others reaching us
	TLSOut  []TLSDigest    `json:"tls_to_others"`   // we reaching others, where some sessions failed
	Sent    int            `json:"reports_sent"`    // to others
	Queue   Queue          `json:"queue"`           // now
	Limits  []string       `json:"limits,omitzero"` // accounts that are held back now, and why
}

// Queue is how the queue stands.
type Queue struct {
	Waiting int       `json:"waiting"` // recipients
	Held    int       `json:"held"`    // messages that wait for the operator
	Oldest  time.Time `json:"oldest,omitzero"`
}

// DomainDigest is what others reported of mail whose author is at a domain.
type DomainDigest struct {
	Domain   string   `json:"domain"`
	Policy   string   `json:"policy"`    // p= as the newest report has it
	Orgs     []string `json:"reporters"` // who reported
	Messages int64    `json:"messages"`
	Passed   int64    `json:"passed"`   // DMARC
	SPFOnly  int64    `json:"spf_only"` // of Passed: they had no signature of the domain
	Failed   []Source `json:"failed"`   // who sent what did not pass, most first
	MoreFrom int      `json:"more"`     // sources that are not in Failed
}

// Source is a server that sent in our name.
type Source struct {
	IP        string   `json:"ip"`
	Name      string   `json:"name,omitempty"` // in the DNS
	Own       bool     `json:"own"`            // it is this server
	Messages  int64    `json:"messages"`
	Stopped   int64    `json:"stopped"`             // of them: quarantined or rejected
	Forwarded int64    `json:"forwarded"`           // of them: the reporter says that they were forwarded, or by a list
	Signed    []string `json:"signed_by,omitempty"` // other domains whose signatures were good
}

// TLSDigest is how sessions of a domain went: a domain of ours, or that of others.
type TLSDigest struct {
	Domain  string    `json:"domain"`
	Good    int64     `json:"good"`
	Bad     int64     `json:"bad"`
	Trouble []Trouble `json:"trouble"`
}

// Trouble is one way in which sessions failed.
type Trouble struct {
	Type   string `json:"type"` // RFC 8460 4.3
	MX     string `json:"mx,omitempty"`
	Detail string `json:"detail,omitempty"`
	Org    string `json:"reporter,omitempty"`
	Count  int64  `json:"count"`
}

// Quiet tells whether there is nothing to say.
func (d *Digest) Quiet() bool {
	return len(d.Domains)+len(d.TLSIn)+len(d.TLSOut)+len(d.Limits) == 0
}

// troubles counts what the operator should look at.
func (d *Digest) troubles() int {
	n := len(d.Limits) + min(d.Queue.Held, 1)
	for _, dom := range d.Domains {
		for _, src := range dom.Failed {
			if src.Forwarded < src.Messages {
				n++
			}
		}
	}
	for _, t := range d.TLSIn {
		if t.Bad > 0 {
			n++
		}
	}
	return n
}

// Digest sums up what came to be known from from to to. A report of others counts
// when it came, so that a late one is told of too; what was counted here, by days.
func (s *Store) Digest(ctx context.Context, from, to time.Time) (*Digest, error) {
	d := &Digest{From: from, To: to, Domains: []DomainDigest{}, TLSIn: []TLSDigest{}, TLSOut: []TLSDigest{}}
	g := gathered{domains: make(map[string]*domainSum), in: make(tlsSums), out: make(tlsSums)}
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		if err := g.readReported(ctx, tx, from, to); err != nil {
			return err
		}
		if err := g.readCounted(ctx, tx, from, to); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM report_day WHERE state = ? AND id <> '' AND day >= ? AND day < ?`,
			stateDone, dayOf(from), dayOf(to)).Scan(&d.Sent)
	})
	if err != nil {
		return nil, err
	}
	for _, name := range sorted(g.domains) {
		d.Domains = append(d.Domains, g.domains[name].digest(name))
	}
	d.TLSIn = append(d.TLSIn, g.in.digest()...)
	for _, t := range g.out.digest() {
		if t.Bad > 0 { // of the rest there are too many to tell
			d.TLSOut = append(d.TLSOut, t)
		}
	}
	return d, nil
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// gathered is a Digest that is being made.
type gathered struct {
	domains map[string]*domainSum
	in, out tlsSums
}

// domainSum sums up one domain.
type domainSum struct {
	DomainDigest
	newest  int64
	orgs    map[string]bool
	sources map[string]*Source
}

// readReported reads what others reported.
func (g *gathered) readReported(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	rows, err := tx.QueryContext(ctx, `SELECT i.kind, CASE WHEN i.proven THEN i.org ELSE i.org || ' (not proven)' END, i.domain, i.policy, i.ended, r.row, r.count
		FROM report_in i JOIN report_in_row r USING (number) WHERE i.received >= ? AND i.received < ?`, from.Unix(), to.Unix())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind Kind
		var org, domain, policy, text string
		var ended, count int64
		if err := rows.Scan(&kind, &org, &domain, &policy, &ended, &text, &count); err != nil {
			return err
		}
		if kind == TLS {
			var r keptTLS
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				return err
			}
			g.in.add(domain, Trouble{Type: r.Failure, MX: r.MX, Detail: r.Detail, Org: org, Count: count})
			continue
		}
		var r keptDMARC
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return err
		}
		sum := g.domain(domain)
		sum.orgs[org] = true
		if ended >= sum.newest {
			sum.newest, sum.Policy = ended, policy
		}
		sum.add(&r, count)
	}
	return rows.Err()
}

// readCounted reads what was counted here on mail that left.
func (g *gathered) readCounted(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	rows, err := tx.QueryContext(ctx, `SELECT domain, row, count FROM report_row WHERE kind = ? AND day >= ? AND day <= ?`,
		TLS, dayOf(from), dayOf(to))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var domain, text string
		var count int64
		if err := rows.Scan(&domain, &text, &count); err != nil {
			return err
		}
		var r tlsRow
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return err
		}
		g.out.add(domain, Trouble{Type: r.Failure, MX: r.MX, Detail: r.Detail, Count: count})
	}
	return rows.Err()
}

func (g *gathered) domain(name string) *domainSum {
	sum := g.domains[name]
	if sum == nil {
		sum = &domainSum{orgs: make(map[string]bool), sources: make(map[string]*Source)}
		g.domains[name] = sum
	}
	return sum
}

// add counts one row of a report.
func (sum *domainSum) add(r *keptDMARC, count int64) {
	sum.Messages += count
	if r.DKIM || r.SPF {
		sum.Passed += count
		if !r.DKIM {
			sum.SPFOnly += count
		}
		return
	}
	src := sum.sources[r.Source]
	if src == nil {
		src = &Source{IP: r.Source}
		sum.sources[r.Source] = src
	}
	src.Messages += count
	if r.Disposition == "quarantine" || r.Disposition == "reject" {
		src.Stopped += count
	}
	if slices.ContainsFunc(r.Reasons, func(s string) bool {
		return s == "forwarded" || s == "mailing_list" || s == "trusted_forwarder"
	}) {
		src.Forwarded += count
	}
	for _, d := range r.Signed {
		if !slices.Contains(src.Signed, d) && len(src.Signed) < 3 {
			src.Signed = append(src.Signed, d)
		}
	}
}

func (sum *domainSum) digest(name string) DomainDigest {
	d := sum.DomainDigest
	d.Domain = name
	d.Orgs = sorted(sum.orgs)
	d.Orgs = d.Orgs[:min(len(d.Orgs), maxOrgs)]
	d.Failed = make([]Source, 0, len(sum.sources))
	for _, src := range sum.sources {
		d.Failed = append(d.Failed, *src)
	}
	slices.SortFunc(d.Failed, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.IP, b.IP))
	})
	if more := len(d.Failed) - maxSources; more > 0 {
		d.Failed, d.MoreFrom = d.Failed[:maxSources], more
	}
	return d
}

// tlsSums sums up sessions by domain.
type tlsSums map[string]*TLSDigest

// add counts sessions; a Trouble without a Type is success.
func (t tlsSums) add(domain string, what Trouble) {
	sum := t[domain]
	if sum == nil {
		sum = &TLSDigest{Domain: domain, Trouble: []Trouble{}}
		t[domain] = sum
	}
	if what.Type == "" {
		sum.Good += what.Count
		return
	}
	sum.Bad += what.Count
	for i := range sum.Trouble {
		have := &sum.Trouble[i]
		if have.Type == what.Type && have.MX == what.MX && have.Org == what.Org {
			have.Count += what.Count
			have.Detail = cmp.Or(have.Detail, what.Detail)
			return
		}
	}
	if len(sum.Trouble) < maxTrouble {
		sum.Trouble = append(sum.Trouble, what)
	}
}

func (t tlsSums) digest() []TLSDigest {
	var list []TLSDigest
	for _, name := range sorted(t) {
		sum := t[name]
		slices.SortFunc(sum.Trouble, func(a, b Trouble) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type), cmp.Compare(a.MX, b.MX), cmp.Compare(a.Org, b.Org))
		})
		list = append(list, *sum)
	}
	return list
}

// Names is what is asked of the DNS for people to know a server by.
type Names interface {
	PTR(ctx context.Context, ip netip.Addr) ([]string, error)
}

// Describe adds to the sources their names, as far as they are found within the
// context, and whether they are this server itself.
func (d *Digest) Describe(ctx context.Context, names Names, own func(netip.Addr) bool) {
	for i := range d.Domains {
		for j := range d.Domains[i].Failed {
			src := &d.Domains[i].Failed[j]
			ip, err := netip.ParseAddr(src.IP)
			if err != nil {
				continue
			}
			src.Own = own(ip)
			if list, err := names.PTR(ctx, ip); err == nil && len(list) > 0 {
				src.Name = trimmed(list[0])
			}
		}
	}
}
