package lua

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"facteur/server/hook"
)

// Plugin is a module for scripts that is turned on by a table of mail.toml.
type Plugin struct {
	Name string // of the folder and the table: plugins/NAME, [plugins.NAME]
	// New reads the settings, telling through them what is wrong, and returns the
	// module. It must reach nothing outside.
	New func(*Settings) Module
	// Always: it is on without a table too.
	Always bool
}

// Content is the message, for functions that need one as a whole.
func (a *Args) Content() (hook.Content, error) {
	if a.s.call.Message == nil || a.s.call.Message.Content == nil {
		return nil, &ArgError{Text: fmt.Sprintf("at the stage %s there is no message yet", a.s.call.Stage)}
	}
	return a.s.call.Message.Content, nil
}

// errDry is what functions that reach outside give in a dry run.
var errDry = errors.New("nothing outside is reached in a dry run")

// maxOutside is how often a run may reach other programs and hosts.
const maxOutside = 20

var errOften = fmt.Errorf("a run reaches other programs and hosts at most %d times", maxOutside)

// Outside returns an error when the function must not reach other programs or hosts, and
// counts that it does. It is to be asked for each time.
func (a *Args) Outside() error {
	if !a.s.call.Services.Outside {
		return errDry
	}
	if a.s.run.outside++; a.s.run.outside > maxOutside {
		return errOften
	}
	return nil
}

// Lookups counts n look-ups in the DNS, for a function that asks Services.DNS itself. When a
// run may not make so many, it returns an error and counts none: mail with many names in it
// is not to end the run.
func (a *Args) Lookups(n int) error {
	if a.s.run.lookups+n > a.s.limits.Lookups {
		return errors.New(a.s.limits.explain(ErrLookups, a.s.call.Stage))
	}
	a.s.run.lookups += n
	return nil
}

// Settings is a plugin's table in mail.toml. Each method reads a key; what is wrong is
// told by Problems.
type Settings struct {
	Values map[string]any // string, int64, float64, bool, or []any of these
	Dir    string         // the folder of mail.toml
	Hosts  []string       // that scripts may reach (http of [lua])
	Log    *slog.Logger
	// Sizes and Durations read "25 MB" and "10s".
	Sizes     func(string) (int64, error)
	Durations func(string) (time.Duration, error)

	asked    []string
	problems []SettingProblem
}

// SettingProblem is what is wrong with a key; "" is the table itself.
type SettingProblem struct{ Key, Text string }

// Fail tells what is wrong with the value of a key.
func (s *Settings) Fail(key, text string) {
	s.problems = append(s.problems, SettingProblem{key, text})
}

// Problems returns what is wrong. Keys that nobody read are unknown.
func (s *Settings) Problems() []SettingProblem {
	all := slices.Clone(s.problems)
	for key := range s.Values {
		if !slices.Contains(s.asked, key) {
			known := "it has none"
			if len(s.asked) > 0 {
				known = "there are " + strings.Join(slices.Sorted(slices.Values(s.asked)), ", ")
			}
			all = append(all, SettingProblem{key, "unknown key: " + known})
		}
	}
	slices.SortStableFunc(all, func(a, b SettingProblem) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// get returns a value of a type; ok is false when there is none, or one of another.
func get[T any](s *Settings, key, want string) (v T, ok bool) {
	s.asked = append(s.asked, key)
	value, there := s.Values[key]
	if !there {
		return v, false
	}
	if v, ok = value.(T); !ok {
		s.Fail(key, key+" must be "+want)
	}
	return v, ok
}

// Text returns a text.
func (s *Settings) Text(key, otherwise string) string {
	if v, ok := get[string](s, key, "a text"); ok {
		return v
	}
	return otherwise
}

// Bool returns true or false.
func (s *Settings) Bool(key string, otherwise bool) bool {
	if v, ok := get[bool](s, key, "true or false"); ok {
		return v
	}
	return otherwise
}

// Int returns a whole number from least to most.
func (s *Settings) Int(key string, otherwise, least, most int) int {
	v, ok := get[int64](s, key, "a whole number")
	switch {
	case !ok:
		return otherwise
	case v < int64(least) || v > int64(most):
		s.Fail(key, fmt.Sprintf("%s must be between %d and %d", key, least, most))
		return otherwise
	}
	return int(v)
}

// Texts returns a list of texts; a text alone is a list of one.
func (s *Settings) Texts(key string) []string {
	if one, ok := s.Values[key].(string); ok {
		s.asked = append(s.asked, key)
		return []string{one}
	}
	list, _ := get[[]any](s, key, "a list of texts")
	var texts []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			s.Fail(key, key+" must be a list of texts")
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

// Size returns a number of octets, written "25 MB".
func (s *Settings) Size(key string, otherwise int64) int64 {
	return parsed(s, key, otherwise, s.Sizes)
}

// Duration returns a time, written "10s".
func (s *Settings) Duration(key string, otherwise time.Duration) time.Duration {
	return parsed(s, key, otherwise, s.Durations)
}

func parsed[T ~int64](s *Settings, key string, otherwise T, parse func(string) (T, error)) T {
	text, ok := get[string](s, key, "a text")
	if !ok {
		return otherwise
	}
	v, err := parse(text)
	if err == nil && (v <= 0 || v == math.MaxInt64) {
		err = fmt.Errorf("%s must be more than nothing", key)
	}
	if err != nil {
		s.Fail(key, err.Error())
		return otherwise
	}
	return v
}

// Path returns a path; one that is relative begins at the folder of mail.toml.
func (s *Settings) Path(key, otherwise string) string {
	path := s.Text(key, otherwise)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}

// maxSecret bounds a password, in octets.
const maxSecret = 1000

// Secret returns what a file says whose path is the value, without the end of the line;
// "" without the key. Nobody but its owner and group may read the file.
func (s *Settings) Secret(key string) string {
	path := s.Path(key, "")
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxSecret {
		s.Fail(key, "the file can't be read, or is too large for a password")
		return ""
	}
	if info.Mode().Perm()&0o007 != 0 {
		s.Fail(key, "others may read this file: chmod 600 it")
		return ""
	}
	text, err := os.ReadFile(path)
	secret := strings.TrimRight(string(text), "\r\n")
	if err != nil || secret == "" || strings.ContainsAny(secret, "\r\n") {
		s.Fail(key, "the file can't be read, is empty, or has several lines")
		return ""
	}
	return secret
}
