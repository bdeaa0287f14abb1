package lua

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// JSON (RFC 8259), straight from and to the values of Lua, charged as they grow.

const maxJSONDepth = 32

// jsonEncode is json.encode(v).
func jsonEncode(s *state) int {
	text, err := s.encodeJSON(s.L.Get(1))
	if err != nil {
		s.argError(1, "%s", err.Error())
	}
	return s.push(s.text(text))
}

// jsonDecode is json.decode(s): the value, or nil and what is wrong.
func jsonDecode(s *state) int {
	v, err := s.decodeJSON(s.str(1))
	if err != nil {
		return s.failed(err)
	}
	return s.push(v)
}

// encodeJSON returns a value as JSON. A table with the keys 1 to n is an array,
// an empty one an object.
func (s *state) encodeJSON(v lua.LValue) (string, error) {
	w := &jsonWriter{s: s}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	s.need(w.out.Len())
	return w.out.String(), nil
}

type jsonWriter struct {
	s   *state
	out bytes.Buffer
}

func (w *jsonWriter) value(v lua.LValue, depth int) error {
	w.s.work(1)
	w.s.checkBuffer(&w.out)
	switch v := v.(type) {
	case *lua.LNilType:
		w.out.WriteString("null")
	case lua.LBool:
		w.out.WriteString(strconv.FormatBool(bool(v)))
	case lua.LNumber:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("JSON has no such number")
		}
		if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			w.out.WriteString(strconv.FormatInt(int64(f), 10))
		} else {
			w.out.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
		}
	case lua.LString:
		w.str(string(v))
	case *lua.LTable:
		return w.table(v, depth+1)
	default:
		return fmt.Errorf("JSON has no %s", typeName(v))
	}
	return nil
}

// str writes a string; what is no UTF-8 becomes U+FFFD.
func (w *jsonWriter) str(str string) {
	w.s.build(len(str) + 2)
	quoted, err := json.Marshal(str)
	if err == nil { // always, for a string
		w.s.need(len(quoted))
		w.out.Write(quoted)
	}
	w.s.checkBuffer(&w.out)
}

func (w *jsonWriter) table(t *lua.LTable, depth int) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("tables are nested deeper than %d", maxJSONDepth)
	}
	if t.Metatable != lua.LNil {
		return errors.New("JSON has no table of functions")
	}
	n, isArray := arrayLen(t)
	w.s.work(n / 16)
	if isArray && n > 0 {
		for i, v := range layoutOf(t).array[:n] {
			w.out.WriteByte("[,"[min(i, 1)])
			if err := w.value(v, depth); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	}
	w.out.WriteByte('{')
	first := true
	err := w.s.entries(t, func(key, v lua.LValue) error {
		name, ok := keyText(key)
		if !ok {
			return fmt.Errorf("a key is a %s", typeName(key))
		}
		if !first {
			w.out.WriteByte(',')
		}
		first = false
		w.str(name)
		w.out.WriteByte(':')
		return w.value(v, depth)
	})
	w.out.WriteByte('}')
	return err
}

// decodeJSON reads a value. null is nil: it leaves out a member, and a gap in an
// array.
func (s *state) decodeJSON(text string) (lua.LValue, error) {
	r := &jsonReader{s: s, text: text}
	top := s.L.GetTop()
	v := r.value(0)
	s.L.SetTop(top)
	r.space()
	if r.err == nil && r.at < len(text) {
		r.fail("something follows the value")
	}
	return v, r.err
}

type jsonReader struct {
	s    *state
	text string
	at   int
	err  error
}

func (r *jsonReader) fail(what string) lua.LValue {
	if r.err == nil {
		r.err = fmt.Errorf("not JSON: %s at octet %d", what, r.at+1)
	}
	return lua.LNil
}

func (r *jsonReader) space() {
	began := r.at
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
	r.s.work((r.at - began) / 64)
}

// take skips c, after white space, if it stands there.
func (r *jsonReader) take(c byte) bool {
	r.space()
	if r.err == nil && r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) value(depth int) lua.LValue {
	r.s.work(1)
	if depth > maxJSONDepth {
		return r.fail(fmt.Sprintf("nested deeper than %d", maxJSONDepth))
	}
	r.space()
	if r.err != nil || r.at >= len(r.text) {
		return r.fail("the end")
	}
	switch c := r.text[r.at]; {
	case c == '"':
		return r.s.text(r.str())
	case c == '[':
		r.at++
		return r.array(depth)
	case c == '{':
		r.at++
		return r.object(depth)
	case c == '-' || isDigit(c):
		return r.number()
	case r.word("null"):
		return lua.LNil
	case r.word("true"):
		return lua.LTrue
	case r.word("false"):
		return lua.LFalse
	}
	return r.fail("an odd character")
}

// word skips a word, if it stands there.
func (r *jsonReader) word(word string) bool {
	if !strings.HasPrefix(r.text[r.at:], word) {
		return false
	}
	r.at += len(word)
	return true
}

func (r *jsonReader) array(depth int) lua.LValue {
	t, top := r.s.newVisible()
	if r.take(']') {
		return t
	}
	for i := 1; ; i++ {
		r.s.storeAt(t, i, r.value(depth+1))
		r.s.L.SetTop(top)
		if r.take(']') || r.err != nil {
			return t
		}
		if !r.take(',') {
			return r.fail(`"," or "]" is missing`)
		}
	}
}

func (r *jsonReader) object(depth int) lua.LValue {
	t, top := r.s.newVisible()
	if r.take('}') {
		return t
	}
	for {
		r.space()
		if r.at >= len(r.text) || r.text[r.at] != '"' {
			return r.fail("a name is missing")
		}
		name := r.s.text(r.str())
		if !r.take(':') {
			return r.fail(`":" is missing`)
		}
		if v := r.value(depth + 1); v != lua.LNil && r.err == nil {
			r.s.store(t, name, v)
		}
		r.s.L.SetTop(top)
		if r.take('}') || r.err != nil {
			return t
		}
		if !r.take(',') {
			return r.fail(`"," or "}" is missing`)
		}
	}
}

// number reads a number (RFC 8259 6).
func (r *jsonReader) number() lua.LValue {
	end := r.at
	for end < len(r.text) && (isDigit(r.text[end]) || strings.IndexByte("+-.eE", r.text[end]) >= 0) {
		end++
	}
	number := r.text[r.at:end]
	digits := strings.TrimPrefix(number, "-")
	odd := digits == "" || !isDigit(digits[0]) || digits[0] == '0' && len(digits) > 1 && isDigit(digits[1]) ||
		strings.HasSuffix(digits, ".") || strings.Contains(digits, ".e") || strings.Contains(digits, ".E")
	f, err := strconv.ParseFloat(number, 64)
	if len(number) > 400 || odd || err != nil {
		return r.fail("not a number")
	}
	r.at = end
	return lua.LNumber(f)
}

// str reads a string (RFC 8259 7).
func (r *jsonReader) str() string {
	r.at++
	end := r.at
	for end < len(r.text) && r.text[end] != '"' && r.text[end] != '\\' && r.text[end] >= ' ' {
		end++
	}
	r.s.work((end - r.at) / 64)
	r.s.need(end - r.at)
	var b strings.Builder
	b.WriteString(r.text[r.at:end])
	r.at = end
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return strings.ToValidUTF8(b.String(), "\ufffd")
		case c == '\\':
			r.escape(&b)
		case c < ' ':
			r.fail("a control character")
		default:
			b.WriteByte(c)
			r.at++
		}
		if r.err != nil {
			return ""
		}
		if b.Len()&1023 == 0 {
			r.s.work(16)
			r.s.need(2048)
		}
	}
	r.fail("a string without an end")
	return ""
}

func (r *jsonReader) escape(b *strings.Builder) {
	if r.at+1 >= len(r.text) {
		r.fail("a string without an end")
		return
	}
	c := r.text[r.at+1]
	if c == 'u' {
		b.WriteRune(r.unicode())
		return
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		r.fail("an odd escape")
		return
	}
	b.WriteByte("\"\\/\b\f\n\r\t"[i])
	r.at += 2
}

// unicode reads \uXXXX, or two of them that stand for one character.
func (r *jsonReader) unicode() rune {
	c := r.hex(r.at)
	if c < 0 {
		r.fail("an odd escape")
		return 0
	}
	r.at += 6
	if utf16.IsSurrogate(c) {
		if pair := utf16.DecodeRune(c, r.hex(r.at)); pair != utf8.RuneError {
			r.at += 6
			return pair
		}
		return utf8.RuneError
	}
	return c
}

// hex returns what \uXXXX at a position stands for, or -1.
func (r *jsonReader) hex(at int) rune {
	if at+6 > len(r.text) || r.text[at:at+2] != `\u` {
		return -1
	}
	n, err := strconv.ParseUint(r.text[at+2:at+6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
