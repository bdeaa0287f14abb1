package httpd

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"text/template"
)

// maxDiscover bounds a request of Outlook, in octets.
const maxDiscover = 64 << 10

// The schema of answers for mail programs ([MS-OXDSCLI] 2.2.4); there is another one for
// Exchange ActiveSync, which is not here.
const outlookSchema = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

// isAutodiscover tells whether a path is Outlook's, which writes it in several ways.
func isAutodiscover(path string) bool {
	return strings.EqualFold(path, "/autodiscover/autodiscover.xml")
}

// autodiscover tells Outlook the settings for mail ([MS-OXDSCLI]). It knows nothing of
// calendars here: CalDav Synchronizer finds these by itself.
func (s *Server) autodiscover(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "A mail program is to ask here.", http.StatusMethodNotAllowed)
		return
	}
	var q struct {
		Address string `xml:"Request>EMailAddress"`
		Schema  string `xml:"Request>AcceptableResponseSchema"`
	}
	if err := xml.NewDecoder(io.LimitReader(r.Body, maxDiscover)).Decode(&q); err != nil {
		http.Error(w, "This is no request of Autodiscover.", http.StatusBadRequest)
		return
	}
	found, ok := s.settings(r, strings.TrimSpace(q.Address), "")
	if schema := strings.TrimSpace(q.Schema); !ok || schema != "" && schema != outlookSchema {
		write(w, "text/xml; charset=utf-8", noAutodiscoverXML, nil)
		return
	}
	write(w, "text/xml; charset=utf-8", autodiscoverXML, found)
}

var autodiscoverXML = template.Must(template.New("autodiscover").Parse(`<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response xmlns="` + outlookSchema + `">
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
{{- define "protocol"}}
        <Server>{{html .Host}}</Server>
        <Port>{{.Port}}</Port>
        <DomainRequired>off</DomainRequired>
        <LoginName>{{html .Address}}</LoginName>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <Encryption>{{if .TLS}}SSL{{else}}TLS{{end}}</Encryption>
        <AuthRequired>on</AuthRequired>
{{- end}}
{{- range .Protocols}}
      <Protocol>
        <Type>{{.Type}}</Type>
{{- template "protocol" .}}
{{- if eq .Type "SMTP"}}
        <UsePOPAuth>off</UsePOPAuth>
        <SMTPLast>off</SMTPLast>
{{- end}}
      </Protocol>
{{- end}}
    </Account>
  </Response>
</Autodiscover>
`))

// protocol is an endpoint as Outlook has it.
type protocol struct {
	endpoint
	Type, Host, Address string
}

// Protocols are the best server for each protocol: Outlook takes one.
func (s settings) Protocols() (all []protocol) {
	seen := make(map[string]bool)
	for _, e := range append(s.Incoming, s.Outgoing...) {
		if !seen[e.Kind] {
			seen[e.Kind] = true
			all = append(all, protocol{e, strings.ToUpper(e.Kind), s.Host, s.Address})
		}
	}
	return all
}

var noAutodiscoverXML = template.Must(template.New("none").Parse(`<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response>
    <Error Time="00:00:00" Id="1">
      <ErrorCode>601</ErrorCode>
      <Message>There are no such settings here.</Message>
      <DebugData/>
    </Error>
  </Response>
</Autodiscover>
`))
