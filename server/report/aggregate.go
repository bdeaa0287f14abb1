package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Feedback is a DMARC aggregate report (RFC 7489 appendix C).
type Feedback struct {
	XMLName  xml.Name        `xml:"feedback"`
	Version  string          `xml:"version,omitempty"`
	Metadata Metadata        `xml:"report_metadata"`
	Policy   PolicyPublished `xml:"policy_published"`
	Records  []Record        `xml:"record"`
}

// Metadata says who reports on which time.
type Metadata struct {
	Org     string    `xml:"org_name"`
	Email   string    `xml:"email"`
	Contact string    `xml:"extra_contact_info,omitempty"`
	ID      string    `xml:"report_id"`
	Range   DateRange `xml:"date_range"`
	Errors  []string  `xml:"error,omitempty"`
}

// DateRange is in seconds since 1970, UTC.
type DateRange struct {
	Begin number `xml:"begin"`
	End   number `xml:"end"`
}

// PolicyPublished is the DMARC record that was found.
type PolicyPublished struct {
	Domain string `xml:"domain"`
	ADKIM  string `xml:"adkim,omitempty"`
	ASPF   string `xml:"aspf,omitempty"`
	P      string `xml:"p"`
	SP     string `xml:"sp,omitempty"`
	Pct    string `xml:"pct,omitempty"`
	FO     string `xml:"fo,omitempty"`
}

// Record is what messages of one kind came to.
type Record struct {
	Row         Row         `xml:"row"`
	Identifiers Identifiers `xml:"identifiers"`
	Auth        AuthResults `xml:"auth_results"`
}

// Row counts messages.
type Row struct {
	Source    string          `xml:"source_ip"`
	Count     number          `xml:"count"`
	Evaluated PolicyEvaluated `xml:"policy_evaluated"`
}

// PolicyEvaluated is what was done with them. DKIM and SPF are "pass" when
// aligned.
type PolicyEvaluated struct {
	Disposition string   `xml:"disposition"`
	DKIM        string   `xml:"dkim"`
	SPF         string   `xml:"spf"`
	Reasons     []Reason `xml:"reason"`
}

// Reason is why that is not what the policy asks for: "forwarded", "sampled_out",
// "trusted_forwarder", "mailing_list", "local_policy" or "other".
type Reason struct {
	Type    string `xml:"type" json:"type"`
	Comment string `xml:"comment,omitempty" json:"comment,omitempty"`
}

// Identifiers are the domains in the message and its envelope.
type Identifiers struct {
	EnvelopeTo   string `xml:"envelope_to,omitempty"`
	EnvelopeFrom string `xml:"envelope_from"`
	HeaderFrom   string `xml:"header_from"`
}

// AuthResults are the results without regard to alignment.
type AuthResults struct {
	DKIM []DKIMAuth `xml:"dkim"`
	SPF  []SPFAuth  `xml:"spf"`
}

// DKIMAuth is the result of a signature. Result is that of RFC 8601 2.7.1.
type DKIMAuth struct {
	Domain   string `xml:"domain" json:"d"`
	Selector string `xml:"selector,omitempty" json:"s,omitempty"`
	Result   string `xml:"result" json:"r"`
	Human    string `xml:"human_result,omitempty" json:"h,omitempty"`
}

// SPFAuth is the result of SPF. Scope is "mfrom" or "helo".
type SPFAuth struct {
	Domain string `xml:"domain" json:"d"`
	Scope  string `xml:"scope,omitempty" json:"s,omitempty"`
	Result string `xml:"result" json:"r"`
}

// number is read with white space around it and with a fraction, as some write it.
type number int64

// UnmarshalText is that of encoding.TextUnmarshaler.
func (n *number) UnmarshalText(text []byte) error {
	s, _, _ := strings.Cut(strings.TrimSpace(string(text)), ".")
	if s == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	*n = number(v)
	return err
}

// Format writes the report as XML.
func (f *Feedback) Format() ([]byte, error) {
	b, err := xml.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}

// The bounds of a report that is read.
const (
	maxRecords = 20_000
	maxRecord  = 256 << 10 // octets of one record, or of what stands before them
	maxDepth   = 16
)

// ReadFeedback reads a report (UTF-8, or what its declaration says). It takes what is
// needed and passes over the rest, for no two senders write the same.
func ReadFeedback(r io.Reader) (*Feedback, error) {
	in := &meter{r: r, left: maxRecord}
	raw := xml.NewDecoder(in)
	raw.CharsetReader = charsetReader
	raw.Strict = true
	d := xml.NewTokenDecoder(&shallow{d: raw})
	f := new(Feedback)
	seen := false
	for {
		in.left = maxRecord
		t, err := d.Token()
		if err == io.EOF && seen {
			return f, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not a DMARC report: %w", noEOF(err))
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
		case !seen && start.Name.Local != "feedback":
			return nil, fmt.Errorf("not a DMARC report: it is a <%.40s>", start.Name.Local)
		case !seen:
			seen = true
		default:
			if err := f.element(d, start); err != nil {
				return nil, fmt.Errorf("not a DMARC report: %w", noEOF(err))
			}
		}
	}
}

// element reads one element of <feedback>.
func (f *Feedback) element(d *xml.Decoder, start xml.StartElement) error {
	switch start.Name.Local {
	case "version":
		return d.DecodeElement(&f.Version, &start)
	case "report_metadata":
		return d.DecodeElement(&f.Metadata, &start)
	case "policy_published":
		return d.DecodeElement(&f.Policy, &start)
	case "record":
		if len(f.Records) == maxRecords {
			return fmt.Errorf("it has more than %d records", maxRecords)
		}
		var r Record
		if err := d.DecodeElement(&r, &start); err != nil {
			return err
		}
		f.Records = append(f.Records, r)
		return nil
	}
	return d.Skip()
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// meter fails when more is read than is left.
type meter struct {
	r    io.Reader
	left int
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, fmt.Errorf("an element is larger than %d octets", maxRecord)
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

// shallow passes tokens on as long as they do not nest too deep.
type shallow struct {
	d     *xml.Decoder
	depth int
}

func (s *shallow) Token() (xml.Token, error) {
	t, err := s.d.RawToken() // the decoder above checks that ends match
	switch t.(type) {
	case xml.StartElement:
		s.depth++
	case xml.EndElement:
		s.depth--
	}
	if s.depth > maxDepth {
		return nil, fmt.Errorf("elements nest deeper than %d", maxDepth)
	}
	return t, err
}

// printable takes from a text of a peer what can't be shown on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// trimmed bounds and cleans a text of a peer.
func trimmed(s string) string { return clip(strings.TrimSpace(printable(s))) }
