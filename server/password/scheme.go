package password

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// maxHash is the greatest length of a hash, in octets.
const maxHash = 512

const (
	maxMemory = 128 * 1024  // KiB
	maxWork   = 1024 * 1024 // KiB written, over all iterations
	maxLanes  = 16
)

// scheme is a kind of hash: its exact form, and the bounds of its cost.
type scheme struct {
	name   string
	form   *regexp.Regexp // its groups are the arguments of cost
	cost   func([]string) error
	decode algorithm.DecodeFunc
}

// schemes lists what Verify accepts. The forms are strict, since the decoders
// are not: they take gigabytes where a hash asks for them.
var schemes = []scheme{
	{
		name:   "Argon2",
		form:   regexp.MustCompile(`^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}$`),
		cost:   argon2Cost,
		decode: argon2.Decode,
	},
	{
		name:   "bcrypt",
		form:   regexp.MustCompile(`^\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}$`),
		cost:   func(p []string) error { return within("cost", p[0], 4, 16) },
		decode: bcrypt.Decode,
	},
	{
		name:   "sha-crypt",
		form:   regexp.MustCompile(`^\$(?:5|6)\$(?:rounds=(\d{1,9})\$)?[^$:\s]{1,16}\$(?:[./A-Za-z0-9]{43}|[./A-Za-z0-9]{86})$`),
		cost:   func(p []string) error { return within("rounds", p[0], 1000, 5_000_000) },
		decode: shacrypt.Decode,
	},
	{
		name:   "yescrypt",
		form:   regexp.MustCompile(`^\$y\$j([./A-Za-z0-9])([./A-Za-z0-9])\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}$`),
		cost:   yescryptCost,
		decode: scrypt.Decode,
	},
	{
		name:   "scrypt",
		form:   regexp.MustCompile(`^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$`),
		cost:   scryptCost,
		decode: scrypt.Decode,
	},
	{
		name:   "PBKDF2",
		form:   regexp.MustCompile(`^\$pbkdf2(?:-sha1|-sha224|-sha256|-sha384|-sha512)?\$(\d{1,9})\$[./A-Za-z0-9]{11,86}\$[./A-Za-z0-9]{22,128}$`),
		cost:   func(p []string) error { return within("iterations", p[0], 1, 5_000_000) },
		decode: pbkdf2.Decode,
	},
	{
		name:   "md5-crypt",
		form:   regexp.MustCompile(`^\$1\$[^$:\s]{1,8}\$[./A-Za-z0-9]{22}$`),
		cost:   func([]string) error { return nil },
		decode: md5crypt.Decode,
	},
}

// prefix is the scheme prefix that Dovecot and OpenLDAP put before a crypt hash.
var prefix = regexp.MustCompile(`^\{(?:ARGON2(?:ID|I)?|BLF-CRYPT|SHA256-CRYPT|SHA512-CRYPT|MD5-CRYPT|CRYPT)\}`)

// Check tells what is wrong with a hash, nil when Verify can use it. Its
// errors name the scheme and the limit, never the hash.
func Check(hash string) error {
	_, err := decode(hash)
	return err
}

func decode(hash string) (algorithm.Digest, error) {
	if len(hash) > maxHash {
		return nil, fmt.Errorf("the hash is longer than %d characters", maxHash)
	}
	hash = strings.TrimPrefix(hash, prefix.FindString(hash))
	if !strings.HasPrefix(hash, "$") {
		return nil, errors.New("this is not a password hash")
	}
	for _, s := range schemes {
		groups := s.form.FindStringSubmatch(hash)
		if groups == nil {
			continue
		}
		if err := s.cost(groups[1:]); err != nil {
			return nil, fmt.Errorf("this %s hash is refused: %w", s.name, err)
		}
		digest, err := s.decode(hash)
		if err != nil {
			return nil, fmt.Errorf("this %s hash is malformed", s.name)
		}
		return digest, nil
	}
	return nil, errors.New("the scheme of this hash is not known, or it is cut off")
}

// within checks a parameter. An empty one stands for the scheme's default.
func within(what, value string, least, most uint64) error {
	if value == "" {
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n < least || n > most {
		return fmt.Errorf("its %s must be between %d and %d", what, least, most)
	}
	return nil
}

func argon2Cost(p []string) error {
	memory, _ := strconv.ParseUint(p[0], 10, 32) // nine digits at most: no error
	iterations, _ := strconv.ParseUint(p[1], 10, 32)
	lanes, _ := strconv.ParseUint(p[2], 10, 32)
	switch {
	case memory > maxMemory:
		return tooMuchMemory(memory)
	case lanes < 1 || lanes > maxLanes || iterations < 1 || memory < 8*lanes: // RFC 9106 3.1
		return fmt.Errorf("its parameters are out of range")
	case memory*iterations > maxWork:
		return errors.New("it would take too long")
	}
	return nil
}

func scryptCost(p []string) error {
	ln, _ := strconv.ParseUint(p[0], 10, 32)
	r, _ := strconv.ParseUint(p[1], 10, 32)
	lanes, _ := strconv.ParseUint(p[2], 10, 32)
	return scryptBounds(ln, r, lanes)
}

func yescryptCost(p []string) error {
	// crypt(5): each parameter is one digit of base 64, less one.
	const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	ln := uint64(strings.Index(digits, p[0]) + 1)
	r := uint64(strings.Index(digits, p[1]) + 1)
	return scryptBounds(ln, r, 1)
}

// scryptBounds checks N = 2^ln, r and p of RFC 7914 2: it takes 128*N*r octets,
// p times over.
func scryptBounds(ln, r, p uint64) error {
	if ln < 1 || ln > 40 || r < 1 || p < 1 {
		return errors.New("its parameters are out of range")
	}
	kib := (uint64(1) << ln) * r * 128 / 1024
	switch {
	case kib > maxMemory:
		return tooMuchMemory(kib)
	case kib*p > maxWork:
		return errors.New("it would take too long")
	}
	return nil
}

func tooMuchMemory(kib uint64) error {
	return fmt.Errorf("it takes %d MiB of memory, and at most %d are allowed", kib/1024, maxMemory/1024)
}
