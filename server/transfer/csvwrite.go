package transfer

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"facteur/server/contentline"
	"facteur/server/vcard"
)

// tableRow is a card on its way into a table.
type tableRow struct {
	single map[string]string
	many   map[string][]map[string]string // by what is numbered: "E-mail" ...
}

// numberedColumns are those that a table has as often as the contact with the most of them
// needs, in the order of Google's.
func numberedColumns() []struct {
	name    string
	columns []string
} {
	return []struct {
		name    string
		columns []string
	}{
		{"E-mail", []string{"Label", "Value"}},
		{"Phone", []string{"Label", "Value"}},
		{"Address", []string{"Label", "PO Box", "Extended Address", "Street", "City", "Region", "Postal Code", "Country"}},
		{"Website", []string{"Label", "Value"}},
	}
}

func singleColumns() []string {
	return []string{"File As", "Name Prefix", "First Name", "Middle Name", "Last Name", "Name Suffix", "Nickname",
		"Organization Name", "Organization Department", "Organization Title", "Birthday", "Labels", "Notes"}
}

// WriteCSV writes vCards as a table with the columns of Google, which other programs and
// CSV read too. left counts the properties that a table has no column for, by name: pictures
// above all. A card that can't be read is an error.
func WriteCSV(w io.Writer, cards [][]byte) (left map[string]int, err error) {
	left = make(map[string]int)
	var rows []tableRow
	widest := make(map[string]int)
	for _, data := range cards {
		card, err := vcard.ParseBytes(data)
		if err != nil {
			return nil, err
		}
		row := rowOf(card, left)
		rows = append(rows, row)
		for name, list := range row.many {
			widest[name] = max(widest[name], len(list))
		}
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	header := singleColumns()
	for _, n := range numberedColumns() {
		for i := range widest[n.name] {
			for _, column := range n.columns {
				header = append(header, fmt.Sprintf("%s %d - %s", n.name, i+1, column))
			}
		}
	}
	if err := out.Write(header); err != nil {
		return nil, err
	}
	for _, row := range rows {
		if err := out.Write(row.cells(widest)); err != nil {
			return nil, err
		}
	}
	out.Flush()
	return left, out.Error()
}

func (r tableRow) cells(widest map[string]int) (cells []string) {
	for _, column := range singleColumns() {
		cells = append(cells, r.single[column])
	}
	for _, n := range numberedColumns() {
		for i := range widest[n.name] {
			for _, column := range n.columns {
				cell := ""
				if i < len(r.many[n.name]) {
					cell = r.many[n.name][i][column]
				}
				cells = append(cells, cell)
			}
		}
	}
	return cells
}

// rowOf takes what there are columns for.
func rowOf(card *vcard.Card, left map[string]int) tableRow {
	row := tableRow{make(map[string]string), make(map[string][]map[string]string)}
	for _, p := range card.Props {
		switch p.Name {
		case "VERSION", "PRODID", "UID", "REV", "KIND": // not of the person
		case "N":
			row.parts(p.Value, "Last Name", "First Name", "Middle Name", "Name Prefix", "Name Suffix")
		case "ORG":
			row.parts(p.Value, "Organization Name", "Organization Department")
		case "NICKNAME", "CATEGORIES":
			column := map[string]string{"NICKNAME": "Nickname", "CATEGORIES": "Labels"}[p.Name]
			row.add(column, strings.Join(contentline.SplitText(p.Value), " ::: "), " ::: ")
		case "FN", "TITLE", "NOTE":
			column := map[string]string{"FN": "File As", "TITLE": "Organization Title", "NOTE": "Notes"}[p.Name]
			row.add(column, contentline.Text(p.Value), "\n")
		case "BDAY":
			row.add("Birthday", contentline.Text(p.Value), " ")
		case "EMAIL", "TEL", "URL":
			name := map[string]string{"EMAIL": "E-mail", "TEL": "Phone", "URL": "Website"}[p.Name]
			value := strings.TrimPrefix(contentline.Text(p.Value), "tel:")
			row.many[name] = append(row.many[name], map[string]string{"Label": label(p), "Value": value})
		case "ADR":
			row.many["Address"] = append(row.many["Address"], address(p))
		default:
			left[p.Name]++
		}
	}
	return row
}

// add fills a column, or adds to it.
func (r tableRow) add(column, value, between string) {
	if value != "" {
		r.single[column] = join(r.single[column], value, between)
	}
}

// parts fills columns with the parts of a structured value; what is more goes into the last
// one.
func (r tableRow) parts(value string, columns ...string) {
	for i, part := range contentline.Split(value, ';') {
		r.add(columns[min(i, len(columns)-1)], strings.Join(contentline.SplitText(part), " "), ", ")
	}
}

func address(p vcard.Prop) map[string]string {
	cells := map[string]string{"Label": label(p)}
	columns := []string{"PO Box", "Extended Address", "Street", "City", "Region", "Postal Code", "Country"}
	for i, part := range contentline.Split(p.Value, ';') {
		column := columns[min(i, len(columns)-1)]
		if text := strings.Join(contentline.SplitText(part), ", "); text != "" {
			cells[column] = join(cells[column], text, ", ")
		}
	}
	return cells
}

// label is the types of a property in the words of Google, as typesOf reads them.
func label(p vcard.Prop) string {
	types := vcard.Types(p)
	var words []string
	for _, w := range [][2]string{{"pref", "*"}, {"home", "Home"}, {"work", "Work"}, {"cell", "Mobile"}, {"fax", "Fax"}, {"pager", "Pager"}} {
		if slices.Contains(types, w[0]) {
			words = append(words, w[1])
		}
	}
	return strings.Join(words, " ")
}
