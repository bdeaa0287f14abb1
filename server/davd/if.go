package davd

// checkIf looks at the header If (RFC 4918 10.4).
func (r *request) checkIf(*node) error { return nil }
