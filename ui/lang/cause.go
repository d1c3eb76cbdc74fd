package lang

import "errors"

// Because is a cause in the language in force: by its kind where there is one, and that is not English, in which said has more to say.
func Because(kind, said string) string {
	if key := "cause." + kind; kind != "" && Tag() != "en" && Has(key) {
		return Say(key)
	}
	return said
}

// Reason is why something failed, in the language in force where that is of a known kind.
func Reason(err error) string { return Because(CauseOf(err), err.Error()) }

// CauseOf is the kind that an error says it is of; "" if it says none.
func CauseOf(err error) string {
	var kind interface {
		error
		Cause() string
	}
	if errors.As(err, &kind) {
		return kind.Cause()
	}
	return ""
}
