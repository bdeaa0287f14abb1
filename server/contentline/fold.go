package contentline

// Fold returns the form in which texts are the same that i;unicode-casemap finds equal (RFC
// 5051 2). What holds a text in any of the collations holds it in this form too.
func Fold(s string) string { return UnicodeCasemap.fold(s) }
