package davxml

// Raw returns an element with all that is in it as XML that stands alone, to be
// kept as the value of a dead property (RFC 4918 4.3): names, attributes,
// character data and the language in force are those of the request, prefixes
// too. Comments and processing instructions are left out. It is about as long as
// what was read.
func (e *Element) Raw() []byte {
	w := rawWriter{root: e}
	w.collect(e)
	w.element(e)
	return w.buf
}

type rawWriter struct {
	root  *Element
	buf   []byte
	outer []binding // what the element uses and does not declare
	scope []binding // what is declared within it, at one place
}

// collect notes the namespaces that are declared outside.
func (w *rawWriter) collect(e *Element) {
	before := len(w.scope)
	w.scope = append(w.scope, e.declared...)
	w.use(e.prefix, e.Name.Space)
	for _, a := range e.Attrs {
		if a.prefix != "" {
			w.use(a.prefix, a.Name.Space)
		}
	}
	for _, c := range e.Children {
		w.collect(c)
	}
	w.scope = w.scope[:before]
}

func (w *rawWriter) use(prefix, space string) {
	used := binding{prefix, space}
	if prefix == "xml" || used == (binding{}) {
		return
	}
	for _, b := range w.scope {
		if b.prefix == prefix {
			return
		}
	}
	for _, b := range w.outer {
		if b.prefix == prefix {
			return
		}
	}
	w.outer = append(w.outer, used)
}

func (w *rawWriter) element(e *Element) {
	w.buf = append(w.buf, '<')
	w.buf = appendName(w.buf, e.prefix, e.Name)
	if e == w.root {
		w.declare(w.outer)
	}
	w.declare(e.declared)
	lang := false
	for _, a := range e.Attrs {
		lang = lang || a.Name == Name{Space: XML, Local: "lang"}
	}
	if e == w.root && e.Lang != "" && !lang {
		w.attribute("xml", Name{Local: "lang"}, e.Lang)
	}
	for _, a := range e.Attrs {
		w.attribute(a.prefix, a.Name, a.Value)
	}
	w.content(e)
}

func (w *rawWriter) declare(list []binding) {
	for _, b := range list {
		if b.prefix != "xml" {
			w.buf = appendDeclaration(w.buf, b.prefix, b.space)
		}
	}
}

func (w *rawWriter) attribute(prefix string, n Name, value string) {
	w.buf = append(w.buf, ' ')
	w.buf = appendName(w.buf, prefix, n)
	w.buf = append(w.buf, '=', '"')
	w.buf = appendEscaped(w.buf, value, true)
	w.buf = append(w.buf, '"')
}

func (w *rawWriter) content(e *Element) {
	if e.Text == "" && len(e.Children) == 0 {
		w.buf = append(w.buf, '/', '>')
		return
	}
	w.buf = append(w.buf, '>')
	done := 0
	for _, c := range e.Children {
		w.buf = appendEscaped(w.buf, e.Text[done:c.at], false)
		done = c.at
		w.element(c)
	}
	w.buf = appendEscaped(w.buf, e.Text[done:], false)
	w.buf = append(w.buf, '<', '/')
	w.buf = appendName(w.buf, e.prefix, e.Name)
	w.buf = append(w.buf, '>')
}
