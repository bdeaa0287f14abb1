package message

import (
	"strings"

	"facteur/server/hook"
)

// Attachments lists the parts that are files: those that are marked so or have a name,
// and all application types; also those in enclosed messages. Of archives the names
// within are told; what is an archive shows by its first octets, whatever it is called.
func (c *Content) Attachments() []hook.Attachment { return c.attachments() }

func (c *Content) readAttachments() []hook.Attachment {
	var all []hook.Attachment
	budget := newArchiveBudget()
	for i, e := range c.entities() {
		if !e.isFile() {
			continue
		}
		a := hook.Attachment{Part: i, Name: e.FileName, Type: e.Type + "/" + e.Subtype, Size: e.End - e.Body}
		if content, err := newDecodedAt(e.Part, c.body); err == nil {
			a.Size = content.size
			l := lister{archiveBudget: budget}
			l.file(&metered{content, &l}, content.size, e.FileName)
			a.Files, a.Encrypted, a.Opaque = l.files, l.encrypted, l.opaque
		}
		all = append(all, a)
	}
	return all
}

// isFile tells whether a part is a file, and no container of parts.
func (e *entity) isFile() bool {
	if e.Multipart() {
		return false
	}
	return e.Attachment() || e.Type == "application" && !strings.HasSuffix(e.Subtype, "-signature")
}
