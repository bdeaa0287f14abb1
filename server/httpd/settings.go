package httpd

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"strconv"
	"strings"
	"text/template"

	"facteur/server/address"
	"facteur/server/listen"
)

// Service is something that mail programs connect to.
type Service struct {
	Name string // that of [listen]: "imaps"
	Port int
}

// endpoint is a Service as the programs have it.
type endpoint struct {
	Kind string // "imap", "pop3", "smtp"
	Port int
	TLS  bool // from the first octet; else STARTTLS
}

// settings are those of an account, as far as its address tells: there is nothing secret in
// them, and whether there is such an account is not told.
type settings struct {
	Address            string // "" when only the domain is known
	Domain             string
	Host               string
	Incoming, Outgoing []endpoint // the best first
	DAV                string     // the URL; "" without https
	DAVHost            string
	DAVPort            int
}

// kinds are the services that mail programs use, the best first.
var kinds = []struct {
	service  string
	outgoing bool
	endpoint
}{
	{"imaps", false, endpoint{Kind: "imap", TLS: true}},
	{"imap", false, endpoint{Kind: "imap"}},
	{"pop3s", false, endpoint{Kind: "pop3", TLS: true}},
	{"pop3", false, endpoint{Kind: "pop3"}},
	{"submissions", true, endpoint{Kind: "smtp", TLS: true}}, // RFC 8314 3.3
	{"submission", true, endpoint{Kind: "smtp"}},
}

// settings returns those for an address, or for a domain when that is "". ok is false when
// it is none of ours.
func (s *Server) settings(r *http.Request, addr, domain string) (out settings, ok bool) {
	opt := s.opt.Load()
	if addr != "" {
		a, err := address.Parse(addr)
		if err != nil {
			return out, false
		}
		out.Address, domain = a.String(), string(a.Domain)
	}
	d, err := address.ParseDomain(domain)
	if err != nil {
		return out, false
	}
	if _, ours := opt.Directory().Primary(d); !ours {
		return out, false
	}
	out.Domain = string(d)
	s.describe(r, &out)
	return out, true
}

// describe fills in what is the same for all accounts.
func (s *Server) describe(r *http.Request, out *settings) {
	opt := s.opt.Load()
	out.Host = opt.Hostname
	from := originOf(r)
	ports := make(map[string]int)
	for _, service := range opt.Services(listen.Trusted(nil, from.remote()) && !from.nameless) {
		if ports[service.Name] == 0 {
			ports[service.Name] = service.Port
		}
	}
	for _, k := range kinds {
		e := k.endpoint
		if e.Port = ports[k.service]; e.Port == 0 {
			continue
		}
		if k.outgoing {
			out.Outgoing = append(out.Outgoing, e)
		} else {
			out.Incoming = append(out.Incoming, e)
		}
	}
	port, host := ports[HTTPS], out.Host
	if from.proxied { // it is known where the client found us
		port, host = opt.securePort(r), cmp.Or(hostOf(r), out.Host)
	}
	if port != 0 && opt.DAV != nil {
		out.DAVHost, out.DAVPort, out.DAV = host, port, "https://"+hostPort(host, port)+"/dav/"
	}
}

func hostPort(host string, port int) string {
	switch {
	case port == usualPort && strings.Contains(host, ":"):
		return "[" + host + "]"
	case port == usualPort:
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// write answers with a template of XML or HTML, in which {{html x}} quotes for both.
func write(w http.ResponseWriter, kind string, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil { // a mistake in the template
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b.Bytes()) // who is gone needs no answer
}

// reads tells whether a request only reads; else it is answered.
func reads(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "This is only to be read.", http.StatusMethodNotAllowed)
	return false
}

// isAutoconfig tells whether a path is where Thunderbird and others look: at
// autoconfig.DOMAIN, and at DOMAIN itself.
func isAutoconfig(path string) bool {
	return path == "/mail/config-v1.1.xml" || path == "/.well-known/autoconfig/mail/config-v1.1.xml"
}

// autoconfig tells Thunderbird, K-9, Evolution and others the settings
// (draft-ietf-mailmaint-autoconfig).
func (s *Server) autoconfig(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	found, ok := s.settings(r, r.URL.Query().Get("emailaddress"), strings.TrimPrefix(hostOf(r), "autoconfig."))
	if !ok {
		http.NotFound(w, r)
		return
	}
	write(w, "application/xml; charset=utf-8", autoconfigXML, found)
}

var autoconfigXML = template.Must(template.New("autoconfig").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="{{html .Domain}}">
    <domain>{{html .Domain}}</domain>
    <displayName>{{html .Domain}}</displayName>
    <displayShortName>{{html .Domain}}</displayShortName>
{{- range .Incoming}}
    <incomingServer type="{{.Kind}}">
      <hostname>{{html $.Host}}</hostname>
      <port>{{.Port}}</port>
      <socketType>{{if .TLS}}SSL{{else}}STARTTLS{{end}}</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </incomingServer>
{{- end}}
{{- range .Outgoing}}
    <outgoingServer type="smtp">
      <hostname>{{html $.Host}}</hostname>
      <port>{{.Port}}</port>
      <socketType>{{if .TLS}}SSL{{else}}STARTTLS{{end}}</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </outgoingServer>
{{- end}}
  </emailProvider>
{{- with .DAV}}
  <addressBook type="carddav">
    <username>%EMAILADDRESS%</username>
    <authentication>http-basic</authentication>
    <serverURL>{{html .}}</serverURL>
  </addressBook>
  <calendar type="caldav">
    <username>%EMAILADDRESS%</username>
    <authentication>http-basic</authentication>
    <serverURL>{{html .}}</serverURL>
  </calendar>
{{- end}}
</clientConfig>
`))

// policy serves the policy of a mail domain for those who send to it (RFC 8461 3.2, 3.3).
func (s *Server) policy(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	name, ours := strings.CutPrefix(hostOf(r), "mta-sts.")
	text := ""
	if ours && r.TLS != nil {
		text = s.opt.Load().Policy(address.Domain(name))
	}
	if text == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}
