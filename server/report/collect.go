package report

import (
	"database/sql"
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

// DMARCResult is what a message of a domain that publishes a DMARC record came to.
type DMARCResult struct {
	At     time.Time // zero: now
	Policy Policy
	Source netip.Addr // of the client that brought it
	// HeaderFrom and EnvelopeFrom are the domains in From and in the reverse-path, ""
	// for the null one.
	HeaderFrom   string
	EnvelopeFrom string
	// Disposition is what was done: "none", "quarantine" or "reject".
	Disposition             string
	DKIMAligned, SPFAligned bool
	Override                Reason // why that is not what the policy asks for; zero: no reason
	DKIM                    []DKIMAuth
	SPF                     SPFAuth
	// Report is set for a message that carries a report itself: it is not counted, else
	// two servers would report on each other's reports for ever.
	Report bool
}

// Policy is the DMARC record of a domain (RFC 7489 6.3).
type Policy struct {
	Domain string   `json:"domain"` // where it was found
	ADKIM  string   `json:"adkim,omitempty"`
	ASPF   string   `json:"aspf,omitempty"`
	P      string   `json:"p,omitempty"`
	SP     string   `json:"sp,omitempty"`
	Pct    int      `json:"pct"`
	FO     string   `json:"fo,omitempty"`
	RUA    []string `json:"rua,omitempty"` // the URIs, with their size limits
}

// TLSResult is the TLS outcome of one session with a server of a domain (RFC 8460 4).
type TLSResult struct {
	At            time.Time // zero: now
	Domain        string    // that the mail was for
	PolicyType    string    // "sts", "tlsa" or "no-policy-found"
	PolicyStrings []string  // the policy as it was found
	MXPatterns    []string  // "mx" of an MTA-STS policy
	MX            string    // the server
	Remote, Local netip.Addr
	Failure       string // result type (RFC 8460 4.3), "" for success
	Detail        string // more of it, for people
}

// dmarcRow is a row of kind DMARC.
type dmarcRow struct {
	Source       string     `json:"ip"`
	Disposition  string     `json:"disp"`
	DKIMAligned  bool       `json:"dkim,omitempty"`
	SPFAligned   bool       `json:"spf,omitempty"`
	Override     *Reason    `json:"why,omitempty"`
	HeaderFrom   string     `json:"from"`
	EnvelopeFrom string     `json:"env"`
	DKIM         []DKIMAuth `json:"sigs,omitempty"`
	SPF          SPFAuth    `json:"auth"`
}

// tlsRow is a row of kind TLS.
type tlsRow struct {
	PolicyType string   `json:"type"`
	Strings    []string `json:"policy,omitempty"`
	MXPatterns []string `json:"mx,omitempty"`
	Failure    string   `json:"fail,omitempty"`
	MX         string   `json:"host,omitempty"` // of a failure, as the rest
	Remote     string   `json:"to,omitempty"`
	Local      string   `json:"from,omitempty"`
	Detail     string   `json:"detail,omitempty"`
}

// The bounds of one row.
const (
	maxSignatures = 10  // DKIM results in a row (RFC 7489 7.2 wants all that were looked at)
	maxText       = 255 // octets of a text that a peer chose
	maxStrings    = 20  // lines of a policy
)

// AddDMARC counts a message. It waits for nothing.
func (s *Store) AddDMARC(r DMARCResult) {
	if r.Report || r.Policy.Domain == "" || !r.Source.IsValid() {
		return
	}
	row := dmarcRow{
		Source: r.Source.Unmap().WithZone("").String(), Disposition: r.Disposition, DKIMAligned: r.DKIMAligned, SPFAligned: r.SPFAligned,
		HeaderFrom: clip(r.HeaderFrom), EnvelopeFrom: clip(r.EnvelopeFrom),
		SPF: SPFAuth{clip(r.SPF.Domain), r.SPF.Scope, r.SPF.Result},
	}
	if r.Override.Type != "" {
		row.Override = &Reason{r.Override.Type, clip(r.Override.Comment)}
	}
	for _, d := range r.DKIM[:min(len(r.DKIM), maxSignatures)] {
		row.DKIM = append(row.DKIM, DKIMAuth{clip(d.Domain), clip(d.Selector), d.Result, clip(d.Human)})
	}
	r.Policy.RUA = r.Policy.RUA[:min(len(r.Policy.RUA), maxURIs)]
	s.count(DMARC, r.At, r.Policy.Domain, r.Policy, row)
}

// AddTLS counts a session. It waits for nothing.
func (s *Store) AddTLS(r TLSResult) {
	if r.Domain == "" {
		return
	}
	row := tlsRow{
		PolicyType: r.PolicyType, Failure: r.Failure,
		Strings: clipAll(r.PolicyStrings), MXPatterns: clipAll(r.MXPatterns),
	}
	if r.Failure != "" {
		row.MX, row.Detail = clip(r.MX), clip(r.Detail)
		row.Remote, row.Local = ipText(r.Remote), ipText(r.Local)
	}
	s.count(TLS, r.At, r.Domain, nil, row)
}

// ipText returns an address for a report, "" when it is not known.
func ipText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// clip bounds a text.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}

func clipAll(list []string) []string {
	var out []string
	for _, s := range list[:min(len(list), maxStrings)] {
		out = append(out, clip(s))
	}
	return out
}

// count adds one to a row, within a second.
func (s *Store) count(kind Kind, at time.Time, domain string, policy, row any) {
	if at.IsZero() {
		at = s.now()
	}
	day, domain := dayOf(at), strings.ToLower(clip(domain))
	policyText, err := json.Marshal(policy)
	if err != nil {
		s.log.Error("report.count", "error", err)
		return
	}
	rowText, err := json.Marshal(row)
	if err != nil {
		s.log.Error("report.count", "error", err)
		return
	}
	s.db.Later(func(tx *sql.Tx) error {
		return countRow(tx, kind, day, domain, string(policyText), string(rowText))
	})
}

// countRow adds one to a row. A new one is made while there is room; what finds
// none is counted as dropped.
func countRow(tx *sql.Tx, kind Kind, day int64, domain, policy, row string) error {
	res, err := tx.Exec(`UPDATE report_row SET count = count + 1 WHERE kind = ? AND day = ? AND domain = ? AND row = ?`, kind, day, domain, row)
	if done, err := changed(res, err); done || err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO report_day (kind, day, domain, policy) SELECT ?1, ?2, ?3, ?4
		WHERE (SELECT count(*) FROM report_day WHERE kind = ?1 AND day = ?2) < ?5
		ON CONFLICT DO UPDATE SET policy = excluded.policy`, kind, day, domain, policy, maxDomains); err != nil {
		return err
	}
	res, err = tx.Exec(`UPDATE report_day SET rows = rows + 1 WHERE kind = ? AND day = ? AND domain = ? AND rows < ?`, kind, day, domain, maxRows)
	if room, err := changed(res, err); err != nil {
		return err
	} else if !room {
		_, err := tx.Exec(`UPDATE report_day SET dropped = dropped + 1 WHERE kind = ? AND day = ? AND domain = ?`, kind, day, domain)
		return err
	}
	_, err = tx.Exec(`INSERT INTO report_row (kind, day, domain, row, count) VALUES (?, ?, ?, ?, 1)`, kind, day, domain, row)
	return err
}

// changed tells whether a statement changed a row.
func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
