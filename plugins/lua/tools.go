package lua

import (
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
