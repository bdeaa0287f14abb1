package lists

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/BurntSushi/toml"
)

// parse reads a table: keys are folded, values are true, strings, numbers, or tables and
// arrays of them.
func parse(extension string, r io.Reader) (map[string]any, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("it is larger than %d MB", maxFile>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch extension {
	case ".csv":
		return parseCSV(data)
	case ".toml":
		return parseTOML(data)
	case ".txt", "":
		return parseText(data), nil
	}
	return nil, errors.New("a list is a .txt, .csv or .toml file")
}

// parseText reads a key a line. # begins a comment.
func parseText(data []byte) map[string]any {
	rows := make(map[string]any)
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if key := fold(line); key != "" {
			rows[key] = true
		}
	}
	return rows
}

// parseCSV reads rows whose first cell is the key (RFC 4180; a semicolon will do as well). One
// cell alone gives true, two the second one, more an array of those behind the key. With a
// first line that begins with # the cells have names: a row is a table.
func parseCSV(data []byte) (map[string]any, error) {
	names := header(&data)
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma = separator(data)
	r.FieldsPerRecord = -1
	r.Comment = '#'
	r.TrimLeadingSpace = true
	rows := make(map[string]any)
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		key := fold(cells[0])
		if _, twice := rows[key]; key == "" || twice {
			continue // the first one counts
		}
		rows[key] = row(cells[1:], names)
	}
}

// header cuts a first line off that begins with #, and returns the names of the cells
// behind the key.
func header(data *[]byte) []string {
	if !bytes.HasPrefix(*data, []byte("#")) {
		return nil
	}
	line, rest, _ := bytes.Cut(*data, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(line[1:]))
	r.Comma = separator(line)
	r.TrimLeadingSpace = true
	names, err := r.Read()
	if err != nil || len(names) < 2 {
		return nil // a comment
	}
	*data = rest
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names[1:]
}

// separator is ";" where the first line that says something has one and no comma.
func separator(data []byte) rune {
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if bytes.ContainsRune(line, ';') && !bytes.ContainsRune(line, ',') {
			return ';'
		}
		break
	}
	return ','
}

// row is the value of a row.
func row(cells, names []string) any {
	if names != nil {
		named := make(map[string]any)
		for i, name := range names {
			if i < len(cells) && name != "" {
				named[name] = strings.TrimSpace(cells[i])
			}
		}
		return named
	}
	switch len(cells) {
	case 0:
		return true
	case 1:
		return strings.TrimSpace(cells[0])
	}
	list := make([]string, len(cells))
	for i, c := range cells {
		list[i] = strings.TrimSpace(c)
	}
	return list
}

// parseTOML reads a file of keys and values.
func parseTOML(data []byte) (map[string]any, error) {
	var values map[string]any
	if _, err := toml.Decode(string(data), &values); err != nil {
		return nil, err
	}
	rows := make(map[string]any, len(values))
	for key, value := range values {
		rows[fold(key)] = plain(value)
	}
	return rows, nil
}

// plain makes dates and times texts.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		made := make(map[string]any, len(v))
		for key, value := range v {
			made[key] = plain(value)
		}
		return made
	case []map[string]any:
		made := make([]any, len(v))
		for i, value := range v {
			made[i] = plain(value)
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, value := range v {
			made[i] = plain(value)
		}
		return made
	case string, bool, float64, int64:
		return v
	}
	return fmt.Sprint(v)
}
