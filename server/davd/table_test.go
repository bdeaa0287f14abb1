package davd

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"facteur/server/address"
	"facteur/server/davxml"
	"facteur/server/homes"
)

// rfcs are those that RFC.md is about.
var rfcs = []string{"4918", "9110", "3744", "5397", "5689", "6578", "4791", "6352", "6638", "5546", "6047", "7809", "7986", "7529", "7953",
	"8144", "8607", "4331", "5842", "3253", "6764", "5545", "6350"}

// beyond is the heading of what no RFC has.
const beyond = "Beyond the RFCs"

// pageRow is a row of RFC.md.
type pageRow struct {
	line                  int
	rfc, section, support string
	words                 string
	tests                 []string
}

var quoted = regexp.MustCompile("`([^`]+)`")

// backticks are the words between backticks.
func backticks(s string) (out []string) {
	for _, m := range quoted.FindAllStringSubmatch(s, -1) {
		out = append(out, m[1])
	}
	return out
}

// readPage reads RFC.md: the rows, and the lists at its end by their names.
func readPage(t *testing.T) (rows []pageRow, lists map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("RFC.md")
	if err != nil {
		t.Fatal(err)
	}
	lists = make(map[string][]string)
	rfc := ""
	for i, line := range strings.Split(string(text), "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			rfc = ""
			if name, ok := strings.CutPrefix(heading, "RFC "); ok {
				rfc, _, _ = strings.Cut(name, ":")
			} else if heading == beyond {
				rfc = beyond
			}
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case strings.HasPrefix(line, "- ") && rfc == "":
			name, list, _ := strings.Cut(line[2:], ":")
			lists[name] = append(lists[name], backticks(list)...)
		case !strings.HasPrefix(line, "|") || cells[0] == " section " || strings.HasPrefix(cells[0], "---"):
		case len(cells) != 4 || rfc == "":
			t.Errorf("RFC.md:%d: %d cells", i+1, len(cells))
		default:
			rows = append(rows, pageRow{i + 1, rfc, strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), backticks(cells[3])})
		}
	}
	return rows, lists
}

// cases are the strings in each test of a package, by the name of the test.
func cases(t *testing.T, pkg string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("there is no package %s", pkg)
	}
	out := make(map[string][]string)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			out[fn.Name.Name] = []string{}
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						out[fn.Name.Name] = append(out[fn.Name.Name], s)
					}
				}
				return true
			})
		}
	}
	return out
}

var goTest = regexp.MustCompile(`^(\w+)\.(Test\w+)(?:/(.+))?$`)

// TestTable: each section of RFC.md says whether it is supported and what shows it, and each test
// that it names is there.
func TestTable(t *testing.T) {
	rows, _ := readPage(t)
	packages := make(map[string]map[string][]string)
	seen, about := make(map[string]bool), make(map[string]bool)
	count := make(map[string]int)
	for _, r := range rows {
		where := fmt.Sprintf("RFC.md:%d: RFC %s, %s", r.line, r.rfc, r.section)
		count[r.support]++
		about[r.rfc] = true
		switch key := r.rfc + " " + r.section; {
		case seen[key]:
			t.Errorf("%s stands twice", where)
		case r.support != "yes" && r.support != "partly" && r.support != "no":
			t.Errorf("%s is %q", where, r.support)
		case r.support != "yes" && r.words == "":
			t.Errorf("%s does not say what is missing", where)
		case r.support != "no" && len(r.tests) == 0:
			t.Errorf("%s names no test", where)
		default:
			seen[key] = true
		}
		for _, name := range r.tests {
			m := goTest.FindStringSubmatch(name)
			if m == nil {
				if _, err := os.Stat(filepath.Join("..", "e2e", "testdata", filepath.FromSlash(name)+".txtar")); err != nil {
					t.Errorf("%s: there is no case %s", where, name)
				}
				continue
			}
			if packages[m[1]] == nil {
				packages[m[1]] = cases(t, m[1])
			}
			if list, ok := packages[m[1]][m[2]]; !ok || m[3] != "" && !slices.Contains(list, m[3]) {
				t.Errorf("%s: there is no test %s", where, name)
			}
		}
	}
	delete(about, beyond)
	if got := slices.Sorted(maps.Keys(about)); !slices.Equal(got, slices.Sorted(slices.Values(rfcs))) {
		t.Errorf("the page is about %q", got)
	}
	t.Logf("%d sections: %v", len(rows), count)
}

// TestAnnounced: the lists at the end of RFC.md have what clients are told, and nothing else, and
// each property, report and privilege stands in the title of a row.
func TestAnnounced(t *testing.T) {
	rows, lists := readPage(t)
	s := newComplete(t)
	s.keep("calendar", map[string]string{"a.ics": event("1")})
	s.keep("contacts", map[string]string{"a.vcf": card("1", "Ann")})
	s.ask("PUT", filesPath+"a", "a").want(http.StatusCreated)
	paths := []string{"/", "/dav/principals/", alicePrincipal, homePath, calendarPath, contactsPath, calendarPath + "a.ics", contactsPath + "a.vcf",
		homePath + "inbox/", homePath + "outbox/", filesPath, filesPath + "a"}
	told := map[string]map[string]bool{"Classes": {}, "Methods": {}, "Reports": {}, "Privileges": {}, "Properties": {}, "Collations": {}}
	for name := range s.handler.methods {
		told["Methods"][name] = true
	}
	for name := range s.handler.properties {
		told["Properties"][prefixed(name)] = true
	}
	for _, path := range paths {
		for class := range strings.SplitSeq(s.ask("OPTIONS", path, "").want(http.StatusOK).header.Get("DAV"), ", ") {
			told["Classes"][class] = true
		}
		each(s.prop(path, davxml.D("supported-report-set")).Element, davxml.D("report"), told["Reports"])
		each(s.prop(path, davxml.D("supported-privilege-set")).Element, davxml.D("privilege"), told["Privileges"])
		for _, name := range []davxml.Name{davxml.C("supported-collation-set"), davxml.CR("supported-collation-set")} {
			if p := s.prop(path, name); p.status == http.StatusOK {
				for _, c := range p.Children {
					told["Collations"][c.Text] = true
				}
			}
		}
	}
	sections := make(map[string]bool) // the words of all of them
	for _, r := range rows {
		for _, word := range strings.FieldsFunc(r.section, func(c rune) bool { return c == ' ' || c == ',' || c == ':' }) {
			sections[word] = true
		}
	}
	for name, want := range told {
		for _, has := range lists[name] {
			if !want[has] {
				t.Errorf("%s: RFC.md names %s, which nobody is told of", name, has)
			}
			delete(want, has)
			if _, local, ok := strings.Cut(has, ":"); ok && !sections[local] {
				t.Errorf("%s: no row of RFC.md is about %s", name, has)
			}
		}
		for _, missing := range slices.Sorted(maps.Keys(want)) {
			t.Errorf("%s: RFC.md does not name %s", name, missing)
		}
		delete(lists, name)
	}
	if len(lists) > 0 {
		t.Errorf("RFC.md has more lists: %v", lists)
	}
}

// each notes the names of what stands in all elements of a name.
func each(e *davxml.Element, name davxml.Name, told map[string]bool) {
	for _, c := range e.Children {
		if e.Name == name {
			told[prefixed(c.Name)] = true
		}
		each(c, name, told)
	}
}

// prefixed writes a name with the prefix that RFC.md uses.
func prefixed(n davxml.Name) string {
	for prefix, space := range map[string]string{"D": davxml.DAV, "C": davxml.CalDAV, "CR": davxml.CardDAV, "CS": davxml.CalendarServer, "A": davxml.A("").Space} {
		if n.Space == space {
			return prefix + ":" + n.Local
		}
	}
	return n.String()
}

// newComplete is a server with all parts.
func newComplete(t *testing.T) *server {
	t.Helper()
	var all *homes.Homes
	s := newServer(t, func(o *Options) {
		o.Homes = openHomes(t, "calendars.example")
		o.Scheduling, o.Files, all = openScheduling(t, o), openFiles(t), o.Homes
		_, o.Attachments = openAttachments(t, o, nil)
		o.Usage = func(address.Address) (int64, int64, error) { return 1, 2, nil }
	})
	s.homes = all
	return s
}
