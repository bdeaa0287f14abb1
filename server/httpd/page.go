package httpd

import (
	"net/http"
	"text/template"
)

// page is what a person sees who comes with a browser: what to type into which program.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	var known settings
	s.describe(r, &known)
	write(w, "text/html; charset=utf-8", pageHTML, known)
}

var pageHTML = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{html .Host}}</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse } td, th { text-align: left; padding: .2em 1em .2em 0; vertical-align: top }
code { background: #eee; padding: 0 .2em }
</style>
</head>
<body>
<h1>{{html .Host}}</h1>
<p>This server has mail, calendars and contacts. In your program choose to add an account, and write your
<b>whole address</b> and your <b>password</b>; most programs find the rest by themselves. If yours asks, the user name is your
whole address too, and these are the settings:</p>
<table>
{{- range .Incoming}}
<tr><th>Incoming mail ({{if eq .Kind "imap"}}IMAP{{else}}POP3{{end}})</th><td><code>{{html $.Host}}</code>, port {{.Port}}, {{if .TLS}}SSL/TLS{{else}}STARTTLS{{end}}</td></tr>
{{- end}}
{{- range .Outgoing}}
<tr><th>Outgoing mail (SMTP)</th><td><code>{{html $.Host}}</code>, port {{.Port}}, {{if .TLS}}SSL/TLS{{else}}STARTTLS{{end}}, with the same password</td></tr>
{{- end}}
{{- with .DAV}}
<tr><th>Calendars (CalDAV)</th><td><code>{{html .}}</code></td></tr>
<tr><th>Contacts (CardDAV)</th><td><code>{{html .}}</code></td></tr>
{{- end}}
</table>
{{- if .DAV}}
<h2>Android</h2>
<p>Mail: K-9 or Thunderbird. Calendars and contacts: DAVx⁵, with <i>Login with URL and user name</i>.</p>
<h2>iPhone, iPad, Mac</h2>
<p>This makes a profile that sets up all of it. There is no password in it; you are asked for it when you install the profile.</p>
<form action="` + profilePath + `"><label>Your address: <input name="address" type="email" required></label> <button>Get the profile</button></form>
<h2>Thunderbird, Evolution, KDE, GNOME</h2>
<p>Add the mail account first; then a calendar <i>on the network</i> and an address book <i>CardDAV</i>, with your address as the user name
and the URL above.</p>
<h2>Outlook</h2>
<p>Mail: IMAP, as above. Calendars and contacts: with the add-in CalDav Synchronizer, and the URL above.</p>
{{- end}}
</body>
</html>
`))
