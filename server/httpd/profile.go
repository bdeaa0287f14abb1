package httpd

import (
	"crypto/sha256"
	"fmt"
	"mime"
	"net/http"
	"text/template"
)

// profilePath is where an iPhone or a Mac gets its profile.
const profilePath = "/apple.mobileconfig"

// profile is a configuration profile for iPhone and Mac: mail, calendars and contacts. It
// has no password; the device asks for it.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	found, ok := s.settings(r, r.URL.Query().Get("address"), "")
	if !ok || found.Address == "" {
		http.Error(w, "Write your address, as in "+profilePath+"?address=alice@example.org", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": found.Address + ".mobileconfig"}))
	write(w, "application/x-apple-aspen-config", profileXML, found)
}

// UUID is that of a part of the profile: always the same, so that a new profile takes the
// place of the old one.
func (s settings) UUID(part string) string {
	h := sha256.Sum256([]byte(s.Host + "\x00" + s.Address + "\x00" + part))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // RFC 9562 5.8
	return fmt.Sprintf("%X-%X-%X-%X-%X", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// IMAP is the best IMAP server, nil when there is none.
func (s settings) IMAP() *endpoint {
	for i := range s.Incoming {
		if s.Incoming[i].Kind == "imap" {
			return &s.Incoming[i]
		}
	}
	return nil
}

// SMTP is the best server for what is sent, nil when there is none.
func (s settings) SMTP() *endpoint {
	if len(s.Outgoing) == 0 {
		return nil
	}
	return &s.Outgoing[0]
}

var profileXML = template.Must(template.New("profile").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>PayloadType</key><string>Configuration</string>
  <key>PayloadVersion</key><integer>1</integer>
  <key>PayloadIdentifier</key><string>{{html .Host}}.{{html .Address}}</string>
  <key>PayloadUUID</key><string>{{.UUID ""}}</string>
  <key>PayloadDisplayName</key><string>{{html .Address}}</string>
  <key>PayloadDescription</key><string>Mail, calendars and contacts of {{html .Address}} at {{html .Host}}</string>
  <key>PayloadContent</key>
  <array>
{{- if and .IMAP .SMTP}}
    <dict>
      <key>PayloadType</key><string>com.apple.mail.managed</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>{{html .Host}}.{{html .Address}}.mail</string>
      <key>PayloadUUID</key><string>{{.UUID "mail"}}</string>
      <key>PayloadDisplayName</key><string>Mail</string>
      <key>EmailAccountType</key><string>EmailTypeIMAP</string>
      <key>EmailAccountDescription</key><string>{{html .Address}}</string>
      <key>EmailAddress</key><string>{{html .Address}}</string>
      <key>IncomingMailServerHostName</key><string>{{html .Host}}</string>
      <key>IncomingMailServerPortNumber</key><integer>{{.IMAP.Port}}</integer>
      <key>IncomingMailServerUseSSL</key><true/>
      <key>IncomingMailServerAuthentication</key><string>EmailAuthPassword</string>
      <key>IncomingMailServerUsername</key><string>{{html .Address}}</string>
      <key>OutgoingMailServerHostName</key><string>{{html .Host}}</string>
      <key>OutgoingMailServerPortNumber</key><integer>{{.SMTP.Port}}</integer>
      <key>OutgoingMailServerUseSSL</key><true/>
      <key>OutgoingMailServerAuthentication</key><string>EmailAuthPassword</string>
      <key>OutgoingMailServerUsername</key><string>{{html .Address}}</string>
      <key>OutgoingPasswordSameAsIncomingPassword</key><true/>
    </dict>
{{- end}}
{{- if .DAV}}
    <dict>
      <key>PayloadType</key><string>com.apple.caldav.account</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>{{html .Host}}.{{html .Address}}.caldav</string>
      <key>PayloadUUID</key><string>{{.UUID "caldav"}}</string>
      <key>PayloadDisplayName</key><string>Calendars</string>
      <key>CalDAVAccountDescription</key><string>{{html .Address}}</string>
      <key>CalDAVHostName</key><string>{{html .DAVHost}}</string>
      <key>CalDAVPort</key><integer>{{.DAVPort}}</integer>
      <key>CalDAVUseSSL</key><true/>
      <key>CalDAVUsername</key><string>{{html .Address}}</string>
    </dict>
    <dict>
      <key>PayloadType</key><string>com.apple.carddav.account</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>{{html .Host}}.{{html .Address}}.carddav</string>
      <key>PayloadUUID</key><string>{{.UUID "carddav"}}</string>
      <key>PayloadDisplayName</key><string>Contacts</string>
      <key>CardDAVAccountDescription</key><string>{{html .Address}}</string>
      <key>CardDAVHostName</key><string>{{html .DAVHost}}</string>
      <key>CardDAVPort</key><integer>{{.DAVPort}}</integer>
      <key>CardDAVUseSSL</key><true/>
      <key>CardDAVUsername</key><string>{{html .Address}}</string>
    </dict>
{{- end}}
  </array>
</dict>
</plist>
`))
