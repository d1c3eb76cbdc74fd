package words

import "pulley/ui/lang"

// Because is lang's.
func Because(kind, said string) string { return lang.Because(kind, said) }

// Reason is lang's.
func Reason(err error) string { return lang.Reason(err) }

// CauseOf is lang's.
func CauseOf(err error) string { return lang.CauseOf(err) }
