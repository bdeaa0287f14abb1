package message

import (
	"io"

	"facteur/server/hook"
)

func (c *Content) HTML(limit int) string                   { return "" }
func (c *Content) Parts() []hook.Part                      { return nil }
func (c *Content) PartText(part, limit int) string         { return "" }
func (c *Content) PartHeader(part int, name string) string { return "" }
func (c *Content) Attachments() []hook.Attachment          { return nil }
func (c *Content) URLs() []string                          { return nil }
func (c *Content) Is() hook.Nature                         { return hook.Nature{} }
func (c *Content) Raw() io.Reader                          { return io.NewSectionReader(c.body, 0, c.body.Size()) }
