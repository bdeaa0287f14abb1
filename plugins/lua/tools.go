package lua

import (
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// toolFunctions are what scripts find without a prefix beside the language.
var toolFunctions = map[string]function{
	"cidr":      toolCIDR,
	"date":      toolDate,
	"dnsbl":     toolDNSBL,
	"duplicate": toolDuplicate,
	"include":   toolInclude,
	"metric":    toolMetric,
	"now":       toolNow,
	"rate":      toolRate,
	"trace":     toolTrace,
}

// toolLibraries are the tables of tool functions.
var toolLibraries = map[string]library{
	"base64": {functions: map[string]function{"decode": base64Decode, "encode": base64Encode}},
	"dns": {functions: map[string]function{
		"a":    dnsLookup("a"),
		"aaaa": dnsLookup("aaaa"),
		"mx":   dnsLookup("mx"),
		"ptr":  dnsLookup("ptr"),
		"txt":  dnsLookup("txt"),
	}},
	"hash": {functions: map[string]function{"md5": hashMD5, "sha1": hashSHA1, "sha256": hashSHA256}},
	"hmac": {functions: map[string]function{"sha256": hmacSHA256}},
	"json": {functions: map[string]function{"decode": jsonDecode, "encode": jsonEncode}},
	"kv":   {functions: map[string]function{"delete": kvDelete, "get": kvGet, "incr": kvIncr, "set": kvSet}},
	"re":   {functions: map[string]function{"find": reFind, "gmatch": reGmatch, "gsub": reGsub, "match": reMatch}},
}

// toolCost is the number of instructions that a call of a service counts for,
// beside its time.
const toolCost = 50

// missing raises the error for a service that the caller of the script does not
// have.
func (s *state) missing(what string) { s.L.RaiseError("%s is not available here", what) }

// optString returns argument n as a string, or def when it is nil.
func (s *state) optString(n int, def string) string {
	if s.L.Get(n) == lua.LNil {
		return def
	}
	return s.str(n)
}

// period reads a number of seconds, or a text such as "7 days".
func (s *state) period(n int, v lua.LValue, least, most time.Duration) time.Duration {
	d := time.Duration(-1)
	switch v := v.(type) {
	case lua.LNumber:
		if v >= 0 && v < 4e9 {
			d = time.Duration(float64(v) * float64(time.Second))
		}
	case lua.LString:
		number, unit, _ := strings.Cut(strings.TrimSpace(string(v)), " ")
		count, err := strconv.Atoi(number)
		length := periods[strings.TrimSuffix(unit, "s")]
		if err == nil && count >= 0 && count < 1e9 && length > 0 {
			d = time.Duration(count) * length
		}
	}
	if d < least || d > most {
		s.argError(n, `a period is a number of seconds or a text such as "7 days", from %v to %v`, least, most)
	}
	return d
}

var periods = map[string]time.Duration{
	"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
}
