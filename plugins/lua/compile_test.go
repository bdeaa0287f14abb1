package lua

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fill repeats a pattern up to the largest source. %d is a running number.
func fill(head, pattern, tail string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len()+len(pattern)+8+len(tail) < 256_000; i++ {
		if strings.Contains(pattern, "%d") {
			fmt.Fprintf(&b, pattern, i)
		} else {
			b.WriteString(pattern)
		}
	}
	b.WriteString(tail)
	return b.String()
}

// Whatever a source of the largest size holds, compiling it takes bounded time
// and memory, and little stack: Go can't recover from a stack overflow.
func TestCompileIsBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("it measures")
	}
	h := newQuietHost()
	for name, source := range map[string]string{
		"parentheses":            fill("x = ", "(", ""),
		"parentheses, both":      "x = " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"braces":                 fill("x = ", "{", ""),
		"brackets":               fill("x = a", "[a", ""),
		"calls":                  fill("f", "()", ""),
		"calls of strings":       fill("f", "''", ""),
		"calls of tables":        fill("f", "{}", ""),
		"indexes":                fill("x = a", ".b", ""),
		"methods":                fill("a", ":b()", ""),
		"functions":              fill("", "function()", ""),
		"functions in a row":     fill("", "f=function()end ", ""),
		"functions as arguments": fill("f(", "function()", ""),
		"blocks":                 fill("", "do ", ""),
		"ifs":                    fill("", "if x then ", ""),
		"elseifs":                fill("if x then ", "elseif x then ", "end"),
		"whiles":                 fill("", "while x do ", ""),
		"repeats":                fill("", "repeat ", ""),
		"nots":                   fill("x = ", "not ", "1"),
		"minus":                  fill("x = ", "- ", "1"),
		"lengths":                fill("x = ", "#", "a"),
		"concatenations":         fill("x = a", "..a", ""),
		"powers":                 fill("x = a", "^a", ""),
		"sums":                   fill("x = a", "+a", ""),
		"sums of numbers":        fill("x = 1", "+1", ""),
		"sums in many":           fill("", "x=a"+strings.Repeat("+a", 900)+" ", ""),
		"ors":                    fill("x = a", " or a", ""),
		"comparisons":            fill("x = a", "<a", ""),
		"constants":              fill("", "x=%d ", ""),
		"names":                  fill("", "x%d=y ", ""),
		"one of many names":      fill("f=function()\n"+fill("", "x%d=y ", "")[:100_000]+"=y ", "x16000=y ", "end"),
		"items":                  fill("x = {", "1,", "}"),
		"items, all kinds":       fill("x = {", "a=1,[b]=2,3,", "}"),
		"statements":             fill("", "a=b ", ""),
		"many statements":        fill("", "a() ", ""),
		"semicolons":             fill("", ";", ""),
		"stores":                 fill("", "a[b]=c ", ""),
		"assignments":            fill("", "a[b],c=d,e ", ""),
		"targets":                fill("a", ",a", "=b"),
		"targets, computed":      fill("a[b]", ",a[b]", "=b"),
		"arguments":              fill("f(a", ",a", ")"),
		"parameters":             fill("f=function(a", ",a", ")end"),
		"locals":                 fill("", "local a ", ""),
		"locals, one":            fill("local a", ",a", ""),
		"returns":                fill("", "do return f() end ", ""),
		"labels":                 fill("", "::a%d:: ", ""),
		"breaks":                 fill("while x do ", "break ", "end"),
		"loops":                  fill("", "for i=1,2 do end ", ""),
		"a string":               fill(`x = "`, "a", `"`),
		"a long string":          fill("x = [==[", "]=]", "]==]"),
		"an open string":         fill(`x = "`, "a", ""),
		"an open comment":        fill("--[[", "a", ""),
		"zeros":                  strings.Repeat("\x00", 256_000),
		"spaces":                 strings.Repeat(" ", 256_000),
		"lines":                  strings.Repeat("\n", 256_000),
		"a number":               fill("x = ", "1", ""),
		"a name":                 fill("", "a", "=1"),
		"ends":                   fill("", "end ", ""),
		"closers":                fill("", ")", ""),
	} {
		runtime.GC()
		before := inUse()
		watch := watchPeak()
		began := time.Now()
		s, err := h.Compile("big.lua", []byte(source))
		took := time.Since(began)
		grown := int64(watch.stop()) - int64(before)
		if took > 10*time.Second || grown > 100<<20 {
			t.Errorf("%s: %v, %d MB: %v", name, took, grown>>20, err)
		}
		runtime.GC()
		kept := int64(inUse()) - int64(before)
		if kept > 10<<20 {
			t.Errorf("%s: keeps %d MB", name, kept>>20)
		}
		if testing.Verbose() {
			t.Logf("%-20s %10v %4d MB, keeps %d MB: %v", name, took.Round(time.Microsecond), grown>>20, kept>>20, err)
		}
		runtime.KeepAlive(s)
	}
}

// What people and programs write stays well within the bounds.
func TestCompileOfHonestSources(t *testing.T) {
	h := newQuietHost()
	table, choice := "local known = {\n", "return m.from == 'x'\n"
	for i := range 5000 {
		table += fmt.Sprintf("  [\"user%d@example.org\"] = true,\n", i)
	}
	branches := "if m.from == 'a' then return 1\n"
	for i := range 300 {
		choice += fmt.Sprintf("    or m.from == 'user%d@example.org'\n", i)
		branches += fmt.Sprintf("  elseif m:header('List-Id') == '<list%d>' then return %d\n", i, i)
	}
	for name, source := range map[string]string{
		"table":    table + "}\n",
		"choice":   "function f(m)\n" + choice + "end\n",
		"branches": "function f(m)\n" + branches + "end end\n",
		"text":     "local s = 'a'" + strings.Repeat(" .. \n  'b'", 300) + "\nassert(#s == 301)\n",
		"sum":      "assert(1" + strings.Repeat("+1", 500) + " == 501)",
		"nested":   "local t = " + strings.Repeat("{", 100) + strings.Repeat("}", 100) + "\n",
		"closures": strings.Repeat("local f = function() return ", 1) + strings.Repeat("function() return ", 15) + "1" + strings.Repeat(" end", 16) + "\n",
		"bom":      "\ufefflocal x = 1\n",
		"empty":    "",
	} {
		s, err := h.Compile(name, []byte(source+"function deliver() log('ran') end"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := s.Run(t.Context(), testCall("deliver"))
		if out.Err != nil || len(out.Trace) != 1 {
			t.Errorf("%s: %v, %v", name, out.Err, out.Trace)
		}
	}
}

// Errors name script and line.
func TestCompileErrors(t *testing.T) {
	h := newQuietHost()
	for source, want := range map[string]string{
		"x = = 1":                             `test.lua:1: syntax error near "="`,
		"\n\nx = 'a":                          `test.lua:3: unterminated string at the end of the file: the quotation mark at its end is missing`,
		"function f()\n\n":                    `test.lua:3: syntax error at the end of the file: an "end" is missing, it seems that of the "function" of line 1`,
		"\nbreak":                             "test.lua:2: no loop to break",
		"\ngoto x":                            "test.lua:2: goto and labels are not supported",
		"x = 1 $":                             `test.lua:1: Invalid token near "$"`,
		"\nlocal function f() return ... end": "test.lua:2: cannot use '...' outside a vararg function",
		strings.Repeat(" ", 256_001):          "test.lua: the script is larger than 256000 octets",
	} {
		_, err := h.Compile("test.lua", []byte(source))
		if err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", source, err, want)
		}
	}
}
