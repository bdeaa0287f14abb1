package transfer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"facteur/server/contentline"
)

// maxColumns bounds a table.
const maxColumns = 1000

// CSV makes vCards 3.0 of a table of contacts, whose first row names the columns, in any
// order: those of Outlook, Google and Thunderbird in English and French. What stands in a
// column of another name is kept in NOTE, after the name. Commas, semicolons or tabs are
// between values.
func CSV(text []byte) ([]Object, []Problem) {
	var r csvReader
	r.read([]byte(decode(string(plain(text)), "")))
	return r.cards.objects(), r.cards.problems.sorted()
}

type csvReader struct {
	cards    cardReader
	header   []string
	fields   []field
	dayFirst bool // dates are as in French
}

func (r *csvReader) read(text []byte) {
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord, in.Comma, in.ReuseRecord = -1, separator(text), true
	for last := int64(-1); ; {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			number, reason := 0, err
			var p *csv.ParseError
			if errors.As(err, &p) {
				number, reason = p.StartLine, p.Err
			}
			r.cards.problems.add(number, "the row is left out: %v", reason)
			if r.header == nil || in.InputOffset() == last {
				return
			}
			last = in.InputOffset()
			continue
		}
		number, _ := in.FieldPos(0)
		if r.header == nil {
			if !r.headers(slices.Clone(row), number) {
				return
			}
			continue
		}
		r.row(row, number)
	}
	if r.header == nil {
		r.cards.problems.add(0, "the table is empty")
	}
}

// separator is what stands most often in the first line, outside of quotes.
func separator(text []byte) rune {
	counts := make(map[rune]int)
	quoted := false
	for _, c := range string(text) {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[c]++
		}
	}
	best := ','
	for _, c := range ";\t" {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// headers reads the first row, and says whether it is one of contacts.
func (r *csvReader) headers(row []string, number int) bool {
	if len(row) > maxColumns {
		r.cards.problems.add(number, "the table has more than %d columns", maxColumns)
		return false
	}
	table, re := columnTable(), numbered()
	seen := make(map[string]int)
	named := false
	for _, h := range row {
		name := folded(h)
		f := fieldOf(table, re, name)
		if seen[name]++; seen[name] > 1 { // Thunderbird in French: at home, then at work
			f = repeated(f)
		}
		named = named || f.names()
		r.fields = append(r.fields, f)
	}
	r.header = row
	r.titles(seen)
	if !named {
		r.cards.problems.add(number, "the first row has no column of a name, an organization or an e-mail address that is known (English and French are; name one \"First Name\" or \"E-mail Address\"): %q",
			contentline.Clip(strings.Join(row, ", ")))
	}
	return named
}

// names says whether a column tells who somebody is. Without one, each card would be a note alone.
func (f field) names() bool {
	switch f.name {
	case "N":
		return f.part < 2 // not a prefix or suffix
	case "FN", "NICKNAME", "ORG", "EMAIL":
		return true
	}
	return false
}

func fieldOf(table map[string]field, numbered *regexp.Regexp, name string) field {
	if f, ok := table[name]; ok {
		return f
	}
	if f, ok := googleField(numbered, name); ok {
		return f
	}
	f, _ := addressField(name)
	return f
}

// repeated is the field of a column whose name stands a second time.
func repeated(f field) field {
	switch {
	case f.name == "ADR" && f.kind == "":
		f.kind, f.of = "WORK", "WORK"
	case f.name == "N" && f.part == 3:
		f = field{name: "TITLE"}
	}
	return f
}

// titles decides what depends on other columns. "Title" is the prefix of a name where
// there is a column for the job, or a second one ("Titre" in Outlook); the columns of
// addresses that say not where they are of are those at home, when others are at work;
// Thunderbird has "Birth Day" for a day and Outlook "Birthday" for the date, and in French
// the country under the name of the region.
func (r *csvReader) titles(seen map[string]int) {
	job := slices.ContainsFunc(r.fields, func(f field) bool { return f.name == "TITLE" })
	years := seen["birthyear"] > 0
	r.dayFirst = seen["prenom"] > 0
	first := true
	for i, h := range r.header {
		switch name := folded(h); {
		case name == "title" || name == "titre":
			r.fields[i] = field{name: "TITLE"}
			if first && (job || seen[name] > 1) {
				r.fields[i] = field{name: "N", part: 3}
			}
			first = false
		case name == "birthday" && years:
			r.fields[i] = field{name: "BDAY", part: 3}
		case name == "region" && seen["paysetat"] > 0:
			r.fields[i].part = adrCountry
		}
		if f := &r.fields[i]; f.name == "ADR" && f.kind == "" && f.of == "" {
			f.kind, f.of = "HOME", "HOME"
		}
	}
}

// row makes a card of a row.
func (r *csvReader) row(row []string, number int) {
	c := contact{dayFirst: r.dayFirst}
	for i, value := range row {
		if value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n")); value == "" {
			continue
		}
		f, name := field{}, fmt.Sprintf("Column %d", i+1)
		if i < len(r.fields) {
			f, name = r.fields[i], strings.TrimSpace(r.header[i])
		}
		c.add(f, name, value)
	}
	card := c.card(number)
	if card == nil {
		return
	}
	complete(card)
	if err := card.Check(); err != nil {
		r.cards.problems.failed(err, nil, number, "row")
		return
	}
	r.cards.cards = append(r.cards.cards, card)
}
