package relay

import (
	"net/netip"

	"facteur/server/address"
)

// TLSResult is how the encryption of a session with another server went (RFC 8460
// 4). A failure that kept a session from coming about, of a policy or of the DNS, is
// told by one too.
type TLSResult struct {
	Domain        address.Domain // of the recipients
	PolicyType    string         // one of the Policy constants
	PolicyStrings []string       // the policy: its lines, or TLSA records
	MXPatterns    []string       // of MTA-STS
	MX            string         // the server, "" when none was reached for
	Remote, Local netip.Addr     // invalid when there was no connection
	Failure       string         // one of the Failure constants; "" is success
	Detail        string         // of a failure, in words
}

// The policy types (RFC 8460 4.4).
const (
	PolicyTLSA = "tlsa"
	PolicySTS  = "sts"
	PolicyNone = "no-policy-found"
)

// The result types (RFC 8460 4.3).
const (
	FailureNoTLS      = "starttls-not-supported"
	FailureHost       = "certificate-host-mismatch"
	FailureExpired    = "certificate-expired"
	FailureNotTrusted = "certificate-not-trusted"
	FailureValidation = "validation-failure"
	FailureTLSA       = "tlsa-invalid"
	FailureDNSSEC     = "dnssec-invalid"
	FailureSTSFetch   = "sts-policy-fetch-error"
	FailureSTSInvalid = "sts-policy-invalid"
	FailureSTSWebPKI  = "sts-webpki-invalid"
)
