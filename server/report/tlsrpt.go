package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// TLSReport is a TLS report (RFC 8460 4.4).
type TLSReport struct {
	Org      string      `json:"organization-name"`
	Range    TLSRange    `json:"date-range"`
	Contact  string      `json:"contact-info"`
	ID       string      `json:"report-id"`
	Policies []TLSPolicy `json:"policies"`
}

// TLSRange is the time that a report is about, both ends included.
type TLSRange struct {
	Start moment `json:"start-datetime"`
	End   moment `json:"end-datetime"`
}

// moment is a time; one that can't be read is zero, for some write it otherwise.
type moment time.Time

// MarshalText is that of encoding.TextMarshaler.
func (m moment) MarshalText() ([]byte, error) {
	return []byte(time.Time(m).UTC().Format(time.RFC3339)), nil
}

// UnmarshalText is that of encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			*m = moment(t)
			return nil
		}
	}
	*m = moment{}
	return nil
}

// TLSPolicy is how sessions under one policy went.
type TLSPolicy struct {
	Policy   PolicyFound  `json:"policy"`
	Summary  TLSSummary   `json:"summary"`
	Failures []TLSFailure `json:"failure-details,omitempty"`
}

// PolicyFound is a policy that was applied. Type is "sts", "tlsa" or
// "no-policy-found".
type PolicyFound struct {
	Type    string     `json:"policy-type"`
	Strings stringList `json:"policy-string,omitempty"`
	Domain  string     `json:"policy-domain"`
	MXHosts stringList `json:"mx-host,omitempty"`
}

// TLSSummary counts sessions.
type TLSSummary struct {
	Successful int64 `json:"total-successful-session-count"`
	Failed     int64 `json:"total-failure-session-count"`
}

// TLSFailure counts sessions that failed in one way.
type TLSFailure struct {
	Type   string `json:"result-type"` // RFC 8460 4.3
	Local  string `json:"sending-mta-ip,omitempty"`
	MX     string `json:"receiving-mx-hostname,omitempty"`
	Remote string `json:"receiving-ip,omitempty"`
	Count  int64  `json:"failed-session-count"`
	Info   string `json:"additional-information,omitempty"`
	Reason string `json:"failure-reason-code,omitempty"`
}

// stringList is a list, or the one string that some write in its place.
type stringList []string

// UnmarshalJSON is that of json.Unmarshaler.
func (l *stringList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = stringList{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// Format writes the report as JSON.
func (t *TLSReport) Format() ([]byte, error) {
	b, err := json.MarshalIndent(t, "", "  ")
	return append(b, '\n'), err
}

// The bounds of a TLS report that is read.
const (
	maxJSON     = 4 << 20 // octets
	maxPolicies = 1000
	maxFailures = 5000 // of a policy
)

// ReadTLS reads a TLS report.
func ReadTLS(r io.Reader) (*TLSReport, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxJSON:
		return nil, fmt.Errorf("a TLS report of more than %d octets", maxJSON)
	}
	t := new(TLSReport)
	if err := json.Unmarshal(b, t); err != nil {
		return nil, fmt.Errorf("not a TLS report: %w", err)
	}
	if len(t.Policies) == 0 {
		return nil, errors.New("not a TLS report: it has no policies")
	}
	t.Policies = t.Policies[:min(len(t.Policies), maxPolicies)]
	for i := range t.Policies {
		p := &t.Policies[i]
		p.Failures = p.Failures[:min(len(p.Failures), maxFailures)]
	}
	return t, nil
}
