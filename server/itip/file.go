package itip

import (
	"bytes"
	"fmt"
	"mime"
	"slices"
	"strings"
)

// File is a file that goes with a mail (RFC 6047 2.6).
type File struct {
	ID   string // of an attachment: letters and digits
	Name string
	Type string // of the media; what can't be read of it is passed over
	Data []byte
}

// fileDomain makes a Content-ID of the ID of a file (RFC 2392).
const fileDomain = "attachments.invalid"

// FileURI is how ATTACH names a file of the same mail (RFC 5545 3.8.1.1, RFC 2392).
func FileURI(id string) string { return "CID:" + id + "@" + fileDomain }

// Unmanaged returns a message whose attachments no server manages: so is what comes by mail (RFC
// 8607 3.12.6), whatever it says.
func (m *Message) Unmanaged() *Message {
	out, c := *m, *m.Calendar
	c.Children = slices.Clone(c.Children)
	for i, child := range c.Children {
		part := copyOf(child)
		for j, p := range part.Props {
			if p.Name == "ATTACH" && p.Param("MANAGED-ID") != "" {
				part.Props[j] = p.Without("MANAGED-ID")
			}
		}
		c.Children[i] = part
	}
	out.Calendar = &c
	return &out
}

// write writes a part of the mail.
func (f File) write(b *bytes.Buffer, boundary string) {
	fmt.Fprintf(b, "--%s\r\nContent-Type: %s\r\nContent-ID: <%s@%s>\r\n", boundary, f.media(), f.ID, fileDomain)
	fmt.Fprintf(b, "Content-Disposition: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", disposition(f.Name))
	writeBase64(b, f.Data)
}

// media is the type for the header: none that is shown, run or taken apart by what reads the mail.
func (f File) media() string {
	media, _, err := mime.ParseMediaType(f.Type)
	top, sub, _ := strings.Cut(media, "/")
	if err != nil || sub == "" || len(media) > 100 || top == "multipart" || top == "message" || media == "text/calendar" {
		return "application/octet-stream"
	}
	return media
}

// disposition is a Content-Disposition with a name in any letters (RFC 2183, RFC 2231).
func disposition(name string) string {
	if s := mime.FormatMediaType("attachment", map[string]string{"filename": name}); s != "" {
		return strings.ReplaceAll(s, "; filename", ";\r\n filename")
	}
	return "attachment"
}
