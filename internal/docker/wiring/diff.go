package wiring

import (
	"bytes"
	"regexp"

	"github.com/rogpeppe/go-internal/diff"
)

// nowhere stands in a diff for a file that is not there.
const nowhere = "/dev/null"

// password is one in a URL, which no screen and no report of a bug need show.
var password = regexp.MustCompile(`(://[^/:@\s"']*):[^/@\s"']+@`)

// Diff is a unified diff of a file; "" if nothing changes. nil is a file that is not there. Passwords in URLs are not
// shown.
func Diff(name string, before, after []byte) string {
	if bytes.Equal(before, after) {
		return ""
	}
	from, to := name, name
	if before == nil {
		from = nowhere
	}
	if after == nil {
		to = nowhere
	}
	text := diff.Diff(from, before, to, after)
	_, text, _ = bytes.Cut(text, []byte("\n")) // "diff a b", which says the same
	return string(password.ReplaceAll(text, []byte("$1:***@")))
}
