package lua

import (
	"strings"
	"testing"
)

// A mistake that people make who are new to Lua is told with what to write instead.
func TestSyntaxGuesses(t *testing.T) {
	h := newQuietHost()
	const begin = "function deliver(m, box)\n"
	for source, want := range map[string]string{
		begin + "  if m.subject == 'x' then\n    box:keep()\nend":                            `4: syntax error at the end of the file: an "end" is missing, it seems that of the "if" of line 2`,
		begin + "  for _, f in ipairs({}) do\n    if f then\n      box:keep()\n    end\nend": `6: syntax error at the end of the file: an "end" is missing, it seems that of the "for" of line 2`,
		begin + "if m.subject then\nbox:keep()\nend":                                         `4: syntax error at the end of the file: an "end" is missing, it seems that of the "function" of line 1`,
		begin + "  if m.subject then\n  else if m.from then\n  end\nend":                     `5: syntax error at the end of the file: an "end" is missing: "else if" is one word, elseif (line 3)`,
		begin + "  repeat\n    box:keep()\n":                                                 `4: syntax error at the end of the file: the "repeat" of line 2 has no "until"`,
		begin + "  if m.subject = 'x' then end\nend":                                         `2: syntax error near "=": to compare, write ==`,
		begin + "  if m:header('X') and (m.from = 'x') then end\nend":                        `2: syntax error near "=": to compare, write ==`,
		begin + "  m.subject == 'x'\nend":                                                    `2: parse error near "==": to give a name a value, write one =`,
		begin + "  if m.subject != 'x' then end\nend":                                        `2: Invalid token near "!": "is not" is written ~=, and "not" is a word`,
		begin + "  if m.subject && m.from then end\nend":                                     `2: Invalid token near "&": write "and" as a word`,
		begin + "  if m.subject || m.from then end\nend":                                     `2: Invalid token near "|": write "or" as a word`,
		begin + "  if m.subject == “x” then end\nend":                                        `2: Invalid token near "\xe2": write straight quotation marks, " or '`,
		begin + "  box:fileinto(Entwürfe)\nend":                                              `2: Invalid token near "\xc3": names have the letters a to z alone, and texts stand in quotation marks`,
		begin + "  if m.subject == 'x'\n    box:keep()\n  end\nend":                          `3: syntax error near "box": the "if" of line 2 wants a "then"`,
		begin + "  if m.subject == 'x' box:keep() end\nend":                                  `2: syntax error near "box"`,
		begin + "  while true\n    box:keep()\n  end\nend":                                   `3: syntax error near "box": the "while" of line 2 wants a "do"`,
		begin + "  box:fileinto(\"X)\nend":                                                   `2: unterminated string near "X)": the quotation mark at its end is missing`,
		begin + "  box:fileinto(\"X\"\nend":                                                  `3: syntax error near "end": the "(" of line 2 has no ")"`,
		begin + "  box:fileinto(\"X\", { create = true )\nend":                               `2: syntax error near ")": the "{" of line 2 has no "}"`,
		"local t = {\n  a = 1\n  b = 2,\n}\n" + begin + "end":                                `3: syntax error near "b": a "," or "}" is missing in what the "{" of line 1 begins`,
		begin + "  // mine\nend":                                                             `2: syntax error near "/": a comment begins with --`,
		"# mine\n" + begin + "end":                                                           `1: syntax error near "#": a comment begins with --`,
		begin + "  end\nend":                                                                 `3: syntax error near "end": there is one "end" too many, or a "then" or "do" is missing above`,
		"local x = 1\nx += 1":                                                                `2: parse error near "+": write x = x + 1, in full`,
		"function deliver(m, box) {\n}":                                                      `1: syntax error near "{": a block has no { }: it ends with "end"`,
	} {
		_, err := h.Compile("test.lua", []byte(source))
		if err == nil || strings.TrimPrefix(err.Error(), "test.lua:") != want {
			t.Errorf("%q\n got %v\nwant test.lua:%s", source, err, want)
		}
	}
}
